//! `--once`: one screen as text, for pipes, bug reports and tests.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::{App, Event, Options, update};
use super::model::{Snapshot, TraceId};
use super::query::{Query, View};
use super::source::Model;
use super::view::{self, Theme};

/// Answers that a screen may take: rows, then the details of the selected one.
const MAX_ANSWERS: usize = 4;

/// Which screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) view: View,
    /// The trace of a waterfall; `None`: the first of the list.
    pub(crate) trace: Option<TraceId>,
}

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u16, pub(crate) u16);

/// Names of the screens.
const SCREENS: [(&str, View); 6] = [
    ("traces", View::Traces),
    ("metrics", View::Metrics),
    ("events", View::Events),
    ("file", View::File),
    ("operations", View::Operations),
    ("waterfall", View::Waterfall),
];

impl FromStr for Screen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, trace) = text.split_once('=').map_or((text, None), |(name, trace)| (name, Some(trace)));
        let view = SCREENS.iter().find(|(known, _)| *known == name).map(|(_, view)| *view);
        let view =
            view.ok_or("one of traces, metrics, events, file, operations, waterfall, waterfall=TRACE_ID")?;
        match trace {
            None => Ok(Self { view, trace: None }),
            Some(_) if view != View::Waterfall => Err("only a waterfall has a trace".to_owned()),
            Some(trace) => {
                let trace = parse_trace_id(trace).ok_or("a trace id is 32 hexadecimal digits")?;
                Ok(Self { view, trace: Some(trace) })
            }
        }
    }
}

fn parse_trace_id(text: &str) -> Option<TraceId> {
    let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "columns and rows as in 80x24, each from 1 to 500";
        let (columns, rows) = text.split_once('x').ok_or(wrong)?;
        let side = |text: &str| text.parse().ok().filter(|side| (1..=500).contains(side)).ok_or(wrong);
        Ok(Self(side(columns)?, side(rows)?))
    }
}

/// The screen of what the recordings hold now.
pub(super) fn print(
    paths: &[PathBuf],
    options: Options,
    Size(columns, rows): Size,
    theme: &Theme,
    now: u64,
) -> anyhow::Result<String> {
    let mut model = Model::open(paths);
    model.poll(now);
    let mut options = options;
    if options.view == View::Waterfall && options.trace.is_none() {
        let traces =
            Query { number: 1, view: View::Traces, filter: options.filter.clone(), ..Query::default() };
        options.trace = model.answer(&traces, now).traces.first().map(|row| row.trace_id);
    }
    let mut app = App::new((columns, rows), options);
    settle(&mut app, &mut |query| model.answer(query, now));
    draw(&app, theme)
}

/// Answers until nothing more is asked for.
fn settle(app: &mut App, answer: &mut dyn FnMut(&Query) -> Snapshot) {
    for _ in 0..MAX_ANSWERS {
        let asked = app.query.number;
        learn_size(app);
        let snapshot = answer(&app.asking());
        update(app, Event::Snapshot(Arc::new(snapshot)));
        if app.query.number == asked {
            return;
        }
    }
}

/// Tells the state what fits on the screen.
pub(super) fn learn_size(app: &mut App) {
    app.page = view::page(app);
    app.detail_end = if app.is_detail_open { view::detail_end(app) } else { usize::MAX };
}

fn draw(app: &App, theme: &Theme) -> anyhow::Result<String> {
    let (columns, rows) = app.size;
    let mut screen = Terminal::new(TestBackend::new(columns, rows))?;
    let drawn = screen.draw(|frame| view::draw(app, theme, frame))?;
    Ok(view::text(drawn.buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_screens() {
        let parse = |text: &str| text.parse::<Screen>();
        assert_eq!(parse("traces"), Ok(Screen { view: View::Traces, trace: None }));
        assert_eq!(parse("waterfall"), Ok(Screen { view: View::Waterfall, trace: None }));
        let id = "000102030405060708090A0b0c0d0e0f";
        let trace = Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(parse(&format!("waterfall={id}")), Ok(Screen { view: View::Waterfall, trace }));
        for wrong in ["", "trace", "Traces", "waterfall=", "waterfall=abc", "events=1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&format!("traces={id}")).is_err());
        assert!(parse("waterfall=+00102030405060708090a0b0c0d0e0f").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!("80x24".parse(), Ok(Size(80, 24)));
        for wrong in ["", "80", "80x", "0x24", "80x0", "501x24", "80x24x1", "-1x24", "80X24"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
