//! Pause and the time cursor; answers that come late.

use super::*;
use crate::inspect::model::Totals;
use crate::inspect::samples::{FAILED, MILLI, NOW, SECOND};
use crate::samples::NOON;

fn with_seen(seen: u64, snapshot: Snapshot) -> Snapshot {
    let totals = Totals { seen, ..snapshot.totals };
    Snapshot { totals, ..snapshot }
}

#[test]
fn what_is_paused_stays_and_what_comes_is_counted() {
    let mut viewer = Viewer::new();
    viewer.show(with_seen(100, samples::many_traces(3)));
    viewer.press(" ");
    assert_eq!(viewer.app.new_records(), 0);
    viewer.show(with_seen(117, samples::many_traces(20)));
    assert_eq!((viewer.app.row_count(), viewer.app.new_records()), (3, 17));
    viewer.press("jk");
    viewer.show(with_seen(120, samples::many_traces(23)));
    assert_eq!((viewer.app.row_count(), viewer.app.new_records()), (3, 20));
    update(&mut viewer.app, parse_keys(" ").remove(0).into_event());
    assert_eq!((viewer.app.row_count(), viewer.app.new_records()), (23, 0), "the newest is shown at once");
}

impl Key {
    fn into_event(self) -> Event {
        Event::Key(self)
    }
}

#[test]
fn what_is_opened_while_paused_is_as_of_the_pause() {
    let mut viewer = Viewer::new();
    viewer.press(" ");
    let paused_at = viewer.app.snapshot.until;
    viewer.press("3");
    assert_eq!(viewer.asked.last().unwrap().until, Some(paused_at));
    assert_eq!((viewer.app.query.until, viewer.app.row_count()), (None, 7));
    viewer.show(with_seen(500, samples::many_events(90)));
    assert_eq!((viewer.app.row_count(), viewer.app.new_records()), (7, 500 - 79));
    viewer.press(" ");
    assert_eq!(viewer.asked.last().unwrap().until, None);
}

#[test]
fn the_cursor_steps_and_jumps() {
    let mut viewer = Viewer::new();
    let width = NOW - NOON;
    viewer.press("]");
    assert_eq!((viewer.app.query.until, viewer.message()), (None, "this is now"));
    viewer.press("[");
    assert_eq!(viewer.app.query.until, Some(NOW - width / 100));
    viewer.press("{");
    assert_eq!(viewer.app.query.until, Some(NOW - width / 100 * 11));
    viewer.press("]");
    assert_eq!(viewer.app.query.until, Some(NOW - width / 10));
    viewer.press("}");
    assert_eq!(viewer.app.query.until, None, "behind the end it is now");
    viewer.press(&"{".repeat(12));
    assert_eq!(viewer.app.query.until, Some(NOON), "not before the start");
    viewer.press(".");
    assert_eq!(viewer.app.query.until, None);
}

#[test]
fn in_a_waterfall_the_cursor_steps_through_the_trace() {
    let mut viewer = Viewer::new();
    viewer.press("G<Enter>{");
    assert_eq!(viewer.app.query.until, Some(NOON + 75 * MILLI * 9 / 10));
    // The source shows what was there then: the tree ends at the cursor.
    let mut tree = (**samples::waterfall().waterfall.as_ref().unwrap()).clone();
    tree.end = viewer.app.query.until.unwrap();
    tree.spans.truncate(3);
    viewer.show(Snapshot { waterfall: Some(Arc::new(tree)), ..samples::shop() });
    viewer.press("]");
    assert_eq!(viewer.app.query.until, Some(NOON + 75 * MILLI * 91 / 100), "of the whole trace still");
}

#[test]
fn the_cursor_goes_to_the_selected_row() {
    let mut viewer = Viewer::new();
    viewer.press("3gjjc");
    assert_eq!(viewer.app.query.until, Some(NOON + 2 * SECOND));
    viewer.press(".1Gc");
    assert_eq!(viewer.app.query.until, Some(NOON));
    viewer.press(".4c");
    assert_eq!((viewer.app.query.until, viewer.message()), (None, "this has no time"));
}

#[test]
fn a_cursor_over_nothing_and_over_a_moment() {
    let mut viewer = Viewer::over(|_| samples::empty());
    viewer.press("[{]}.c");
    assert_eq!(viewer.app.query.until, None);
    let mut viewer = Viewer::over(|_| Snapshot { range: Some((7, 7)), ..samples::many_traces(1) });
    viewer.press("[");
    assert_eq!(viewer.app.query.until, Some(7));
    viewer.press("]");
    assert_eq!(viewer.app.query.until, None);
    let mut viewer = Viewer::over(|_| Snapshot { range: Some((u64::MAX, 0)), ..samples::many_traces(1) });
    viewer.press("[[{{]}");
    let mut viewer = Viewer::over(|_| Snapshot { range: Some((0, u64::MAX)), ..samples::many_traces(1) });
    viewer.press("{");
    assert_eq!(viewer.app.query.until, Some(u64::MAX - u64::MAX / 10));
}

#[test]
fn an_answer_to_a_question_of_before_is_not_shown() {
    let mut viewer = Viewer::new();
    let number = viewer.app.query.number;
    update(&mut viewer.app, Event::Key(Key::char('3')));
    let late = Snapshot { query: number, ..samples::many_traces(9) };
    assert_eq!(update(&mut viewer.app, Event::Snapshot(Arc::new(late))), Action::None);
    assert_eq!(viewer.app.row_count(), 0, "events are on their way");
    viewer.settle();
    assert_eq!(viewer.app.row_count(), 7);
}

#[test]
fn rows_come_on_while_details_are_awaited() {
    let mut viewer = Viewer::new();
    viewer.press("d");
    let number = viewer.app.query.number;
    update(&mut viewer.app, Event::Key(Key::char('j')));
    assert_ne!(viewer.app.query.number, number);
    let rows = Snapshot { query: number, ..samples::many_traces(30) };
    assert_eq!(update(&mut viewer.app, Event::Snapshot(Arc::new(rows))), Action::Redraw);
    assert_eq!((viewer.app.row_count(), viewer.app.detail()), (30, None));
}

#[test]
fn nothing_of_another_view_is_acted_on_while_the_source_works() {
    let mut viewer = Viewer::new();
    viewer.press("G<Enter>");
    for key in parse_keys("3<Enter>tvyY") {
        update(&mut viewer.app, Event::Key(key));
    }
    assert_eq!(viewer.app.query.view, View::Events);
    assert_eq!(viewer.app.query.trace, Some(FAILED));
}
