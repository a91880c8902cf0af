//! Screens against golden files, and the styles of some cells.
//!
//! The files in `golden` hold each scene at three sizes; with `UPDATE_GOLDEN=1` they are written anew.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use otlp_mmap_reader::model::{Number, Point};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::super::app::{App, Bookmark, ChartMode, Event, Help, Mouse, Options, Prompt, Purpose, update};
use super::super::model::Snapshot;
use super::super::query::{NamedFilter, View};
use super::super::samples;
use super::theme::Role;
use super::*;
use crate::escape::is_dangerous;
use crate::filter::Filter;

const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (140, 40)];

const VIEWS: [View; 6] =
    [View::Traces, View::Operations, View::Waterfall, View::Events, View::Metrics, View::File];

/// A view of a snapshot, with whatever details it holds selected.
fn app(view: View, mut snapshot: Snapshot) -> App {
    let trace = snapshot.waterfall.as_ref().map(|tree| tree.trace_id);
    let mut app = App::new((80, 24), Options { view, trace, ..Options::default() });
    snapshot.query = snapshot.query.max(app.query.number);
    let number = snapshot.query;
    let detail = snapshot.detail.as_ref().map(|detail| detail.id);
    let series = snapshot.chart.as_ref().map(|chart| chart.row.id);
    update(&mut app, Event::Snapshot(Arc::new(snapshot)));
    (app.query.number, app.query.detail, app.query.series) = (number, detail, series);
    app
}

fn with_pane(view: View, snapshot: Snapshot) -> App {
    let mut app = app(view, snapshot);
    app.is_detail_open = true;
    app
}

fn buffer(app: &mut App, size: (u16, u16), theme: &Theme) -> Buffer {
    app.size = size;
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(app, theme, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn dark() -> Theme {
    Theme::new(Palette::Dark, false)
}

/// Compares a scene at each size with its golden file.
#[track_caller]
fn golden_in(name: &str, mut app: App, theme: &Theme) {
    let mut screens = String::new();
    for size in SIZES {
        let text = print::text(&buffer(&mut app, size, theme));
        write!(screens, "=== {}x{}\n{text}", size.0, size.1).unwrap();
    }
    assert!(!screens.replace('\n', "").contains(is_dangerous));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/inspect/view/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &screens).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(screens == expected, "{name} differs from its golden file; it is now:\n{screens}");
}

#[track_caller]
fn golden(name: &str, app: App) {
    golden_in(name, app, &dark());
}

fn filter(text: &str) -> Arc<NamedFilter> {
    Arc::new(NamedFilter { text: text.to_owned(), filter: Filter::parse(text).unwrap() })
}

fn prompt(purpose: Purpose, text: &str, cursor: usize) -> Prompt {
    let (text, before) = (text.to_owned(), String::new());
    Prompt { purpose, text, cursor, error: None, before, recalled: None, draft: String::new() }
}

#[test]
fn traces() {
    golden("traces", app(View::Traces, samples::traces()));
}

#[test]
fn traces_in_ascii() {
    golden_in("traces-ascii", app(View::Traces, samples::traces()), &Theme::new(Palette::Mono, true));
}

#[test]
fn traces_with_a_pane() {
    golden("traces-pane", with_pane(View::Traces, samples::waterfall()));
}

#[test]
fn traces_moved_to_the_left() {
    let mut app = app(View::Traces, samples::traces());
    app.traces.shift = 16;
    golden("traces-shifted", app);
}

#[test]
fn many_traces_with_the_selected_one_in_sight() {
    let mut app = app(View::Traces, samples::many_traces(1_000));
    app.traces.selected = 500;
    app.bookmarks.push(Bookmark {
        view: View::Traces,
        name: String::new(),
        trace: Some(samples::trace_id(499)),
        record: None,
        until: None,
    });
    golden("traces-many", app);
}

#[test]
fn filtered_and_found() {
    let mut app = app(View::Traces, samples::traces());
    app.query.filter = Some(filter("duration > 50ms"));
    app.query.file = Some(samples::CHECKOUT);
    app.find = "checkout".to_owned();
    golden("traces-filtered", app);
}

#[test]
fn operations() {
    golden("operations", app(View::Operations, samples::operations()));
}

#[test]
fn waterfall() {
    golden("waterfall", app(View::Waterfall, samples::waterfall()));
}

#[test]
fn waterfall_in_ascii() {
    golden_in(
        "waterfall-ascii",
        app(View::Waterfall, samples::waterfall()),
        &Theme::new(Palette::Mono, true),
    );
}

#[test]
fn waterfall_with_the_details_of_a_span() {
    golden("waterfall-pane", with_pane(View::Waterfall, samples::waterfall()));
}

#[test]
fn waterfall_folded_and_zoomed() {
    let mut app = app(View::Waterfall, samples::waterfall());
    app.visible = vec![0, 1, 2, 3, 6, 7];
    app.tree.folded.insert(samples::span_id(4));
    app.tree.zoom = 2;
    app.tree.center = 0.6;
    app.waterfall.selected = 3;
    golden("waterfall-zoomed", app);
}

#[test]
fn a_waterfall_that_is_not_there() {
    golden("waterfall-none", app(View::Waterfall, samples::shop()));
}

#[test]
fn a_deep_waterfall() {
    let mut app = app(View::Waterfall, samples::deep_waterfall(10_000));
    app.waterfall.selected = 9_999;
    golden("waterfall-deep", app);
}

#[test]
fn events() {
    golden("events", app(View::Events, samples::events()));
}

#[test]
fn events_with_the_details_of_one() {
    golden("events-pane", with_pane(View::Events, samples::events()));
}

#[test]
fn details_alone() {
    let mut app = with_pane(View::Waterfall, samples::waterfall());
    app.is_detail_expanded = true;
    app.detail_scroll = 3;
    golden("details", app);
}

#[test]
fn charts_of_every_kind() {
    for (index, name) in
        ["gauge", "sum", "histogram", "exponential-histogram", "no-number"].into_iter().enumerate()
    {
        let mut app = app(View::Metrics, samples::chart_of(index));
        app.metrics.selected = index;
        golden(&format!("metrics-{name}"), app);
    }
}

#[test]
fn a_large_value_is_not_cut() {
    let mut row = samples::series_row(1, "bytes", crate::samples::sum(), &[]);
    Arc::make_mut(&mut row.series).point = Point::Sum(Number::Int(9_007_199_254_740_993));
    let mut app = app(View::Metrics, Snapshot { series: [row].into(), ..samples::metrics() });
    let screen = print::text(&buffer(&mut app, (140, 40), &dark()));
    assert!(screen.contains(" 9.01e15 ") && !screen.contains("90071"), "{screen}");
}

#[test]
fn what_stands_for_a_histogram_is_said_to_be_its_mean() {
    let mut app = app(View::Metrics, samples::chart_of(2));
    app.metrics.selected = 2;
    let screen = print::text(&buffer(&mut app, (140, 40), &dark()));
    assert!(screen.contains(" ~2.5 ") && screen.contains(" mean: 2.5"), "{screen}");
    app.help = Some(Help { search: "mean of".into(), scroll: 0 });
    let screen = print::text(&buffer(&mut app, (140, 40), &dark()));
    assert!(screen.contains(" ~ ") && screen.contains("mean of a histogram"), "{screen}");
}

#[test]
fn the_chart_of_a_rate() {
    let mut app = app(View::Metrics, samples::chart_of(1));
    app.chart = ChartMode::Rate;
    app.is_detail_expanded = true;
    golden("metrics-rate", app);
}

#[test]
fn recordings() {
    golden("file", app(View::File, samples::file()));
}

#[test]
fn a_damaged_recording() {
    let mut app = app(View::File, samples::file());
    app.files.selected = 1;
    app.is_detail_expanded = true;
    golden("file-damaged", app);
}

#[test]
fn nothing_at_all() {
    for (name, view) in [("traces", View::Traces), ("metrics", View::Metrics), ("file", View::File)] {
        golden(&format!("empty-{name}"), app(view, samples::empty()));
    }
}

#[test]
fn hostile_values() {
    for (name, view) in [("traces", View::Traces), ("waterfall", View::Waterfall), ("file", View::File)] {
        golden(&format!("hostile-{name}"), with_pane(view, samples::hostile()));
    }
}

#[test]
fn rewound_and_paused() {
    let mut app = app(View::Events, samples::events());
    app.query.until = Some(samples::NOW - samples::SECOND);
    app.is_paused = true;
    app.paused.seen = 60;
    golden("rewound", app);
}

#[test]
fn the_filter_as_it_is_typed() {
    let mut app = app(View::Traces, samples::traces());
    let text = "name =~ \"日本\" and duration > 50ms";
    app.prompt = Some(prompt(Purpose::Filter, text, text.len()));
    golden("prompt", app);
}

#[test]
fn what_is_wrong_with_a_filter() {
    let mut app = app(View::Traces, samples::traces());
    let text = "status = error and duration > 50 and service = checkout";
    let error = Filter::parse(text).unwrap_err();
    app.prompt = Some(Prompt {
        error: Some((error.position, error.length, error.message)),
        ..prompt(Purpose::Filter, text, 32)
    });
    golden("prompt-error", app);
}

#[test]
fn help_as_a_whole_and_searched() {
    let mut app = app(View::Traces, samples::traces());
    app.help = Some(Help::default());
    golden("help", app);
    let mut app = super::tests::app(View::Traces, samples::traces());
    app.help = Some(Help { search: "copy".to_owned(), scroll: 0 });
    golden("help-searched", app);
}

#[test]
fn the_menu_of_orders() {
    let mut app = app(View::Operations, samples::operations());
    app.sort_menu = Some(2);
    golden("menu", app);
}

#[test]
fn a_reader_that_stopped() {
    let mut app = app(View::Traces, samples::traces());
    app.failure = Some("thread panicked".to_owned());
    golden("stopped", app);
}

/// The first cell of a text on the screen.
#[track_caller]
fn cell_of<'a>(buffer: &'a Buffer, text: &str) -> &'a Cell {
    for line in print::lines(buffer) {
        for start in 0..line.len() {
            let rest: String = line[start..].iter().map(|(_, cell)| cell.symbol()).collect();
            if rest.starts_with(text) {
                return line[start].1;
            }
        }
    }
    panic!("{text} is not on the screen:\n{}", print::text(buffer));
}

#[test]
fn what_matters_looks_like_it() {
    let theme = dark();
    let mut traces = app(View::Traces, samples::traces());
    let screen = buffer(&mut traces, (80, 24), &theme);
    let look = |text: &str| cell_of(&screen, text).style();
    assert_eq!(look("error ").fg, theme.style(Role::Error).fg);
    assert_eq!(look("died").fg, theme.style(Role::Died).fg);
    assert!(look("error ").add_modifier.contains(Modifier::BOLD));
    // The first row is selected.
    assert!(look("POST /checkout").add_modifier.contains(Modifier::REVERSED));
    assert!(!look("charge card").add_modifier.contains(Modifier::REVERSED));
    assert_eq!(look("lost 4").fg, theme.style(Role::Warning).fg);
    assert_eq!(look("torn 1").fg, theme.style(Role::Error).fg);
    assert!(look("1 Traces").add_modifier.contains(Modifier::REVERSED));
    assert!(!look("2 Metrics").add_modifier.contains(Modifier::REVERSED));
}

#[test]
fn severities_have_colours() {
    let theme = dark();
    let screen = buffer(&mut app(View::Events, samples::events()), (80, 24), &theme);
    for (text, role) in [("WARN", Role::Warning), ("FATAL", Role::Error), ("INFO", Role::Good)] {
        assert_eq!(cell_of(&screen, text).style().fg, theme.style(role).fg);
    }
}

#[test]
fn a_row_with_the_text_is_underlined() {
    let mut app = app(View::Traces, samples::traces());
    app.find = "receipt".to_owned();
    let screen = buffer(&mut app, (80, 24), &Theme::new(Palette::Mono, false));
    assert!(cell_of(&screen, "(no root)").modifier.contains(Modifier::UNDERLINED));
    assert!(!cell_of(&screen, "GET /cart").modifier.contains(Modifier::UNDERLINED));
}

#[test]
fn mono_has_no_colour_and_ascii_no_other_symbol() {
    let theme = Theme::new(Palette::Mono, true);
    for (view, snapshot) in [
        (View::Traces, samples::traces()),
        (View::Operations, samples::operations()),
        (View::Waterfall, samples::waterfall()),
        (View::Events, samples::events()),
        (View::Metrics, samples::metrics()),
        (View::File, samples::file()),
    ] {
        for overlay in [false, true] {
            let mut app = with_pane(view, snapshot.clone());
            app.help = overlay.then(Help::default);
            let screen = buffer(&mut app, (140, 40), &theme);
            for cell in screen.content() {
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
                assert!(cell.symbol().is_ascii(), "{}", cell.symbol());
            }
        }
    }
}

#[test]
fn clicks_find_rows_and_views() {
    let mut app = app(View::Traces, samples::traces());
    app.size = (80, 24);
    assert_eq!(hit(&app, 14, 0), Some(Mouse::View(View::Metrics)));
    assert_eq!(hit(&app, 79, 0), None);
    assert_eq!(hit(&app, 5, 1), None);
    assert_eq!(hit(&app, 5, 2), Some(Mouse::Row(0)));
    assert_eq!(hit(&app, 5, 6), Some(Mouse::Row(4)));
    assert_eq!(hit(&app, 5, 7), None);
    assert_eq!(hit(&app, 5, 22), None);
    assert_eq!(page(&app), 20);
}

/// A million rows are not walked through: the screen of the last ones is drawn many times in no time.
#[test]
fn only_rows_in_sight_are_made() {
    let row = samples::trace_row(samples::span_row(1));
    let rows = vec![row; 1_000_000].into();
    let mut app = app(View::Traces, Snapshot { traces: rows, ..samples::shop() });
    app.traces.selected = usize::MAX;
    for _ in 0..100 {
        let screen = print::text(&buffer(&mut app, (80, 24), &dark()));
        assert!(screen.contains("12:00:00.000"));
    }
}

#[test]
fn the_end_of_the_pane_is_known() {
    let mut app = with_pane(View::Waterfall, samples::waterfall());
    app.size = (80, 24);
    app.detail_scroll = detail_end(&app);
    let screen = buffer(&mut app, (80, 24), &dark());
    assert!(print::text(&screen).contains("place: segment 0"));
}

#[test]
fn the_cursor_stands_where_the_text_goes_on() {
    for (text, cursor, columns) in
        [("abc", 1, 7), ("日本", 3, 8), ("日本", 6, 10), (&*"x".repeat(90), 90, 30)]
    {
        let mut app = app(View::Traces, samples::traces());
        app.prompt = Some(prompt(Purpose::Filter, text, cursor));
        app.size = (40, 10);
        let mut terminal = Terminal::new(TestBackend::new(40, 10)).unwrap();
        terminal.draw(|frame| draw(&app, &dark(), frame)).unwrap();
        terminal.backend_mut().assert_cursor_position((columns, 9));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any view of any model at any size, with anything over it.
    #[test]
    fn nothing_panics(
        size in (0..200_u16, 0..60_u16),
        view in 0..6_usize,
        model in 0..4_usize,
        (pane, expanded, ascii, rate) in any::<(bool, bool, bool, bool)>(),
        (selected, top, shift, scroll, link) in any::<(usize, usize, u8, usize, usize)>(),
        (zoom, center) in any::<(u32, f64)>(),
        over in 0..5_usize,
        typed in any::<String>(),
        (position, length) in (0..40_usize, 0..40_usize),
    ) {
        let model = [samples::empty(), samples::hostile(), samples::waterfall(), samples::file()].into_iter().nth(model).unwrap();
        let mut app = app(VIEWS[view], model);
        (app.is_detail_open, app.is_detail_expanded, app.detail_scroll, app.link) = (pane, expanded, scroll, link);
        app.chart = if rate { ChartMode::Rate } else { ChartMode::Value };
        for list in [&mut app.traces, &mut app.operations, &mut app.waterfall, &mut app.events, &mut app.metrics, &mut app.files] {
            (list.selected, list.top, list.shift) = (selected, top, usize::from(shift));
        }
        (app.tree.zoom, app.tree.center) = (zoom, center);
        app.tree.folded.insert(samples::span_id(0));
        app.message = (over == 0).then(|| typed.clone());
        app.help = (over == 1).then(|| Help { search: typed.clone(), scroll });
        app.sort_menu = (over == 2).then_some(selected);
        app.prompt = (over >= 3).then(|| {
            let error = (over == 4).then(|| (position, length, typed.clone()));
            Prompt { error, ..prompt(Purpose::Filter, &typed, typed.len()) }
        });
        app.find = typed;
        let theme = Theme::new(Palette::Light, ascii);
        let screen = print::text(&buffer(&mut app, size, &theme));
        prop_assert!(!screen.replace('\n', "").contains(is_dangerous));
        let _ = (page(&app), detail_end(&app), hit(&app, size.0 / 2, size.1 / 3));
    }
}
