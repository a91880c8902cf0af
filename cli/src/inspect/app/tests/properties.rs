//! Whatever happens in whatever order, at any size, over anything: nothing panics, the state stays sane, and it can be
//! drawn.

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::inspect::app::Mouse;
use crate::inspect::app::keys::BINDINGS;
use crate::inspect::once::learn_size;
use crate::inspect::view::{self, Palette, Theme};

fn any_key() -> impl Strategy<Value = Key> {
    let bound: Vec<Key> = BINDINGS.iter().flat_map(|binding| binding.keys).copied().collect();
    let modified = (any::<char>(), any::<bool>(), any::<bool>());
    prop_oneof![
        16 => proptest::sample::select(bound),
        2 => any::<char>().prop_map(Key::char),
        1 => modified.prop_map(|(c, ctrl, alt)| Key { code: Code::Char(c), ctrl, alt }),
        1 => any::<u8>().prop_map(|number| Key::plain(Code::F(number))),
    ]
}

/// What the source answers with: not always what was asked for.
fn model(number: u8, query: &Query) -> Snapshot {
    match number % 9 {
        0 => samples::empty(),
        1 | 2 => shop(query),
        3 => samples::hostile(),
        4 => hostile_answer(query),
        5 => samples::many_traces(u64::from(number)),
        6 => samples::deep_waterfall(usize::from(number)),
        7 => samples::chart_of(usize::from(number / 9) % samples::series_rows().len()),
        _ => samples::many_events(300),
    }
}

/// The hostile snapshot with just the details that were asked for, so that they are shown.
fn hostile_answer(query: &Query) -> Snapshot {
    let mut snapshot = samples::hostile();
    if let Some(chart) = &mut snapshot.chart {
        let chart = Arc::make_mut(chart);
        chart.row.id = query.series.unwrap_or(chart.row.id);
    }
    if let Some(tree) = &mut snapshot.waterfall {
        let tree = Arc::make_mut(tree);
        tree.trace_id = query.trace.unwrap_or(tree.trace_id);
    }
    if let Some(detail) = &mut snapshot.detail {
        let detail = Arc::make_mut(detail);
        detail.id = query.detail.unwrap_or(detail.id);
    }
    snapshot
}

fn any_event() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => any_key().prop_map(|key| Happening::Event(Event::Key(key))),
        4 => (any::<u8>(), 0_u64..3).prop_map(|(model, age)| Happening::Answer { model, age }),
        1 => any_size().prop_map(|(columns, rows)| Happening::Event(Event::Resize(columns, rows))),
        1 => any_size().prop_map(|(column, line)| Happening::Click(column, line)),
        1 => ".{0,20}".prop_map(|text| Happening::Event(Event::Paste(text))),
        1 => any_mouse().prop_map(|mouse| Happening::Event(Event::Mouse(mouse))),
        1 => ".{0,20}".prop_map(|why| Happening::Event(Event::Failure(why))),
    ]
}

/// The smallest, usual ones, and any.
fn any_size() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![Just((0, 0)), (0_u16..4, 0_u16..4), Just((40, 10)), Just((80, 24)), (0_u16..200, 0_u16..60)]
}

fn any_mouse() -> impl Strategy<Value = Mouse> {
    prop_oneof![
        Just(Mouse::WheelUp),
        Just(Mouse::WheelDown),
        any::<usize>().prop_map(Mouse::Row),
        Just(Mouse::View(View::Waterfall)),
    ]
}

#[derive(Clone, Debug)]
enum Happening {
    Event(Event),
    /// The source answers the newest query, or so many before it.
    Answer {
        model: u8,
        age: u64,
    },
    /// On whatever is there.
    Click(u16, u16),
}

fn check(app: &App) {
    assert!(app.selected_row().is_none_or(|row| row < app.row_count()));
    if let Some(prompt) = &app.prompt {
        assert!(prompt.text.is_char_boundary(prompt.cursor));
        assert!(prompt.error.as_ref().is_none_or(|(at, length, _)| at + length <= prompt.text.len()));
    }
    let (from, to) = app.tree.window();
    assert!(from < to && (0.0..=1.0).contains(&from) && to <= 1.0);
    let spans = app.waterfall().map_or(0, |tree| tree.spans.len());
    assert!(app.visible.iter().all(|index| *index < spans) && app.visible.is_sorted());
    assert!(app.sort_menu.is_none_or(|line| line < crate::inspect::app::sort::names(app.query.view).len()));
}

/// Draws the screen, and asks for everything else that the loop asks the view for.
fn show(app: &App, theme: &Theme) {
    let (columns, rows) = app.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let drawn = terminal.draw(|frame| view::draw(app, theme, frame)).unwrap();
    let text = view::text(drawn.buffer);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "a control character is drawn");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_a_sane_state_and_a_screen(
        size in any_size(),
        is_mouse_on in any::<bool>(),
        ascii in any::<bool>(),
        happenings in proptest::collection::vec(any_event(), 0..80),
    ) {
        let mut app = App::new(size, Options { is_mouse_on, ..Options::default() });
        let theme = Theme::new(Palette::Dark, ascii);
        for happening in happenings {
            learn_size(&mut app);
            match happening {
                Happening::Event(event) => _ = update(&mut app, event),
                Happening::Answer { model: number, age } => {
                    let query = app.asking();
                    let answered = query.number.saturating_sub(age);
                    let snapshot = Snapshot { query: answered, ..model(number, &query) };
                    update(&mut app, Event::Snapshot(Arc::new(snapshot)));
                }
                Happening::Click(column, line) => {
                    let _ = view::hit(&app, column, line).map(|mouse| update(&mut app, Event::Mouse(mouse)));
                }
            }
            check(&app);
            show(&app, &theme);
        }
    }

    #[test]
    fn a_line_is_edited_as_its_characters(typed in "[a-zé日 👩\u{301}\u{200d}]{0,12}", keys in proptest::collection::vec(any_key(), 0..40)) {
        let mut app = App::new((80, 24), Options::default());
        update(&mut app, Event::Key(Key::char('f')));
        update(&mut app, Event::Paste(typed));
        for key in keys {
            update(&mut app, Event::Key(key));
            check(&app);
        }
    }
}
