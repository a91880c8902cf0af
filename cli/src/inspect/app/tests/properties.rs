//! Whatever happens in whatever order, at any size, over anything: nothing panics, and the state stays sane.

use proptest::prelude::*;

use super::*;
use crate::inspect::app::Mouse;
use crate::inspect::app::keys::BINDINGS;

fn any_key() -> impl Strategy<Value = Key> {
    let bound: Vec<Key> = BINDINGS.iter().flat_map(|binding| binding.keys).copied().collect();
    prop_oneof![8 => proptest::sample::select(bound), 1 => any::<char>().prop_map(Key::char)]
}

/// Which snapshot the source answers with.
const MODELS: u8 = 6;

fn model(number: u8, query: &Query) -> Snapshot {
    match number % MODELS {
        0 => samples::empty(),
        1 => shop(query),
        2 => samples::hostile(),
        3 => samples::many_traces(1),
        4 => samples::deep_waterfall(40),
        _ => samples::many_events(300),
    }
}

fn any_event() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => any_key().prop_map(|key| Happening::Event(Event::Key(key))),
        2 => any::<u8>().prop_map(Happening::Answer),
        1 => (0_u16..200, 0_u16..80).prop_map(|(columns, rows)| Happening::Event(Event::Resize(columns, rows))),
        1 => ".{0,20}".prop_map(|text| Happening::Event(Event::Paste(text))),
        1 => any_mouse().prop_map(|mouse| Happening::Event(Event::Mouse(mouse))),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(page, end)| Happening::Drawn(page.into(), end.into())),
    ]
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
    /// The source answers, or sends something new.
    Answer(u8),
    /// The view told what fits.
    Drawn(usize, usize),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_a_sane_state(happenings in proptest::collection::vec(any_event(), 0..120)) {
        let mut app = App::new((80, 24), Options::default());
        for happening in happenings {
            match happening {
                Happening::Event(event) => _ = update(&mut app, event),
                Happening::Answer(number) => {
                    let query = app.asking();
                    let snapshot = Snapshot { query: query.number, ..model(number, &query) };
                    update(&mut app, Event::Snapshot(Arc::new(snapshot)));
                }
                Happening::Drawn(page, end) => (app.page, app.detail_end) = (page, end),
            }
            check(&app);
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
