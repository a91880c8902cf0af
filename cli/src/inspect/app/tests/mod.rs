//! `update` as a pure function: keys in, state out, a source that answers from samples.

mod lists;
mod prompt;
mod properties;
mod time;
mod views;
mod waterfall;

use std::sync::Arc;

use super::super::model::{Detail, Snapshot};
use super::super::query::{Query, View};
use super::super::samples;
use super::{Action, App, Code, Event, Key, Options, update};
use crate::record::OwnedRecord;

/// A viewer, and a source that answers at once.
struct Viewer {
    app: App,
    answer: Box<dyn Fn(&Query) -> Snapshot>,
    answered: u64,
    /// What was asked for, oldest first.
    asked: Vec<Query>,
}

impl Viewer {
    /// Over the shop, 80x24, with 18 rows of a list on the screen.
    fn new() -> Self {
        Self::over(shop)
    }

    fn over(answer: impl Fn(&Query) -> Snapshot + 'static) -> Self {
        let app = App::new((80, 24), Options::default());
        let mut viewer = Self { app, answer: Box::new(answer), answered: 0, asked: Vec::new() };
        viewer.app.page = 18;
        viewer.settle();
        viewer
    }

    /// Answers until nothing more is asked for. Gives what an answer led to.
    fn settle(&mut self) -> Option<Action> {
        let mut led_to = None;
        while self.answered != self.app.query.number {
            self.answered = self.app.query.number;
            let query = self.app.asking();
            self.asked.push(query.clone());
            let action = self.show((self.answer)(&query));
            led_to = Some(action).filter(|action| *action != Action::Redraw).or(led_to);
        }
        led_to
    }

    /// A snapshot comes that answers the last query.
    fn show(&mut self, snapshot: Snapshot) -> Action {
        let snapshot = Snapshot { query: self.answered, ..snapshot };
        update(&mut self.app, Event::Snapshot(Arc::new(snapshot)))
    }

    /// Presses keys: characters, and names as `<Enter>` or `<C-d>`. Gives the last action; if what came as an answer to
    /// it led to another one, that.
    #[track_caller]
    fn press(&mut self, keys: &str) -> Action {
        let mut action = Action::None;
        for key in parse_keys(keys) {
            action = update(&mut self.app, Event::Key(key));
            action = self.settle().unwrap_or(action);
        }
        action
    }

    fn message(&self) -> &str {
        self.app.message.as_deref().unwrap_or("")
    }

    fn selected(&self) -> usize {
        self.app.selected_row().expect("a row is selected")
    }
}

#[track_caller]
fn parse_keys(keys: &str) -> Vec<Key> {
    let mut parsed = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|name| name.split_once('>'));
        let named = name.and_then(|(name, after)| named_key(name).map(|key| (key, after)));
        let (key, after) = named.unwrap_or((Key::char(c), &rest[c.len_utf8()..]));
        parsed.push(key);
        rest = after;
    }
    parsed
}

fn named_key(name: &str) -> Option<Key> {
    if let Some(c) = name.strip_prefix("C-").and_then(|name| name.chars().next()) {
        return Some(Key::ctrl(c));
    }
    let code = match name {
        "Enter" => Code::Enter,
        "Esc" => Code::Esc,
        "Tab" => Code::Tab,
        "BackTab" => Code::BackTab,
        "Backspace" => Code::Backspace,
        "Delete" => Code::Delete,
        "Up" => Code::Up,
        "Down" => Code::Down,
        "Left" => Code::Left,
        "Right" => Code::Right,
        "Home" => Code::Home,
        "End" => Code::End,
        "PgUp" => Code::PageUp,
        "PgDn" => Code::PageDown,
        "F1" => Code::F(1),
        "F2" => Code::F(2),
        _ => return None,
    };
    Some(Key::plain(code))
}

/// What the source would answer about the shop.
fn shop(query: &Query) -> Snapshot {
    let snapshot = match query.view {
        View::Traces => samples::traces(),
        View::Metrics => Snapshot { chart: None, ..samples::metrics() },
        View::Events => samples::events(),
        View::File => samples::file(),
        View::Operations => samples::operations(),
        View::Waterfall => samples::waterfall(),
    };
    let waterfall = snapshot.waterfall.filter(|tree| Some(tree.trace_id) == query.trace);
    let row = snapshot.series.iter().find(|row| Some(row.id) == query.series);
    let chart = row.map(|row| Arc::new(samples::chart(row.clone())));
    let detail = query.detail.map(|id| Arc::new(Detail { id, record: Some(record(query.view)), last: None }));
    Snapshot { waterfall, chart, detail, ..snapshot }
}

fn record(view: View) -> OwnedRecord {
    match view {
        View::Metrics => samples::series_record(1.5),
        _ => samples::root_record(),
    }
}
