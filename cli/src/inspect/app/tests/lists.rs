//! Selected rows, pages, follow, orders.

use super::*;
use crate::inspect::app::sort;
use crate::inspect::model::{FileId, TraceRow};
use crate::inspect::query::{EventKey, TraceKey};
use otlp_mmap_reader::Signal;

/// The traces of a snapshot in another order.
fn reordered(rows: impl IntoIterator<Item = TraceRow>) -> Snapshot {
    Snapshot { traces: rows.into_iter().collect(), ..samples::shop() }
}

fn over_traces(count: u64) -> Viewer {
    let traces = samples::many_traces(count);
    Viewer::over(move |_| traces.clone())
}

#[test]
fn keys_move_by_rows_pages_and_to_the_ends() {
    let mut viewer = over_traces(100);
    for (keys, row) in [
        ("j", 1),
        ("<Down>", 2),
        ("k", 1),
        ("<Up>", 0),
        ("k", 0),
        ("<PgDn>", 18),
        ("<C-d>", 27),
        ("<C-u>", 18),
        ("<PgUp>", 0),
        ("G", 99),
        ("j", 99),
        ("<PgDn>", 99),
        ("g", 0),
        ("<End>", 99),
        ("<Home>", 0),
    ] {
        viewer.press(keys);
        assert_eq!(viewer.selected(), row, "{keys}");
    }
}

#[test]
fn the_selected_row_is_on_the_screen() {
    let mut viewer = over_traces(100);
    viewer.press("<PgDn>");
    assert_eq!(viewer.app.traces.top, 1, "no further than it needs");
    viewer.press("G");
    assert_eq!(viewer.app.traces.top, 82);
    viewer.press("kkk");
    assert_eq!(viewer.app.traces.top, 82, "it stays while the row is in sight");
}

/// So many traces; beyond the ids all are the same.
fn alike(count: u128) -> Snapshot {
    let row = samples::trace_row(samples::span_row(1));
    let rows = (0..count).rev().map(|i| TraceRow { trace_id: samples::trace_id(i), ..row.clone() });
    reordered(rows)
}

#[test]
fn a_million_rows() {
    let traces = alike(1_000_000);
    let mut viewer = Viewer::over(move |_| traces.clone());
    viewer.press("G");
    assert_eq!(viewer.selected(), 999_999);
    viewer.press("k");
    viewer.show(alike(1_000_003));
    assert_eq!(viewer.selected(), 1_000_001, "newer traces came before it");
    viewer.press("gjy<C-d><PgDn>");
    assert_eq!(viewer.selected(), 28);
    viewer.press("e");
    assert_eq!((viewer.selected(), viewer.message()), (28, "no errors here"));
}

#[test]
fn selection_follows_the_trace_when_rows_change_places() {
    let mut viewer = Viewer::new();
    viewer.press("jj");
    let rows: Vec<TraceRow> = viewer.app.snapshot.traces.to_vec();
    let chosen = rows[2].trace_id;
    viewer.show(reordered(rows.iter().rev().cloned()));
    assert_eq!(viewer.app.selected_trace().unwrap().trace_id, chosen);
    viewer.show(reordered(rows[2..].iter().cloned()));
    assert_eq!((viewer.selected(), viewer.app.selected_trace().unwrap().trace_id), (0, chosen));
}

#[test]
fn a_row_that_went_leaves_the_selection_where_it_was() {
    let mut viewer = Viewer::new();
    viewer.press("jj");
    let mut rows: Vec<TraceRow> = viewer.app.snapshot.traces.to_vec();
    rows.remove(2);
    viewer.show(reordered(rows.clone()));
    assert_eq!(viewer.selected(), 2);
    viewer.show(reordered(rows[..1].iter().cloned()));
    assert_eq!(viewer.selected(), 0);
    viewer.show(reordered([]));
    assert_eq!(viewer.app.selected_row(), None);
    viewer.press("jkgG<Enter>yYm<PgDn>");
    viewer.show(reordered(rows));
    assert_eq!(viewer.app.query.view, View::Traces);
}

#[test]
fn events_follow_the_end_until_a_row_is_selected() {
    let mut viewer = Viewer::over(|_| samples::many_events(50));
    viewer.press("3");
    assert!(viewer.app.follow && viewer.selected() == 49);
    viewer.show(samples::many_events(60));
    assert_eq!(viewer.selected(), 59);
    viewer.press("k");
    viewer.show(samples::many_events(70));
    assert_eq!((viewer.app.follow, viewer.selected()), (false, 58));
    viewer.press("F");
    assert_eq!((viewer.app.follow, viewer.selected()), (true, 69));
    viewer.press("F");
    viewer.show(samples::many_events(80));
    assert_eq!((viewer.app.follow, viewer.selected()), (false, 69));
    viewer.press("G");
    assert!(viewer.app.follow, "the end was gone to");
}

#[test]
fn the_newest_trace_is_followed_at_the_top() {
    let mut viewer = over_traces(10);
    viewer.show(samples::many_traces(20));
    assert_eq!(viewer.selected(), 0);
    viewer.press("j");
    viewer.show(samples::many_traces(30));
    assert_eq!((viewer.app.follow, viewer.selected()), (false, 11));
    viewer.press("g");
    assert!(viewer.app.follow);
}

#[test]
fn rows_that_are_not_in_the_order_of_time_cannot_be_followed() {
    let mut viewer = Viewer::new();
    viewer.press("sj<Enter>");
    assert_eq!(viewer.app.query.order.traces.key, TraceKey::Duration);
    viewer.press("F");
    assert!(viewer.message().contains("sort by time"));
}

#[test]
fn the_menu_of_orders_takes_and_inverts() {
    let mut viewer = Viewer::new();
    viewer.press("3s");
    assert_eq!(viewer.app.sort_menu, Some(0), "the present one is selected");
    viewer.press("j<Enter>");
    let events = viewer.app.query.order.events;
    assert_eq!((events.key, events.descending, viewer.app.sort_menu), (EventKey::Severity, true, None));
    viewer.press("s<Enter>");
    assert!(!viewer.app.query.order.events.descending, "the present one again: inverted");
    viewer.press("i");
    assert!(viewer.app.query.order.events.descending);
    viewer.press("sG<Esc>");
    assert_eq!((viewer.app.query.order.events, viewer.app.sort_menu), (events, None));
    viewer.press("sGjjgkj<Enter>");
    assert!(!viewer.app.query.order.events.descending);
}

#[test]
fn every_order_of_every_view_can_be_taken() {
    for (number, view) in [
        ("1", View::Traces),
        ("2", View::Metrics),
        ("3", View::Events),
        ("4", View::File),
        ("5", View::Operations),
    ] {
        let mut viewer = Viewer::new();
        viewer.press(number);
        let mut seen = Vec::new();
        for line in 0..sort::names(view).len() {
            viewer.press("sg");
            viewer.press(&"j".repeat(line));
            viewer.press("<Enter>");
            let (index, _) = sort::present(&viewer.app.query).unwrap();
            assert_eq!(index, line, "{view:?}");
            assert!(!seen.contains(&viewer.app.query.order), "{view:?}");
            seen.push(viewer.app.query.order);
        }
    }
}

#[test]
fn each_new_order_is_asked_for_once() {
    let mut viewer = Viewer::new();
    let before = viewer.asked.len();
    viewer.press("sj");
    assert_eq!(viewer.asked.len(), before);
    viewer.press("<Enter>");
    assert_eq!(viewer.asked.len(), before + 1);
}

#[test]
fn text_is_found_in_rows() {
    let mut viewer = Viewer::new();
    viewer.press("fRECEIPT<Enter>");
    assert_eq!(&*viewer.app.selected_trace().unwrap().root.name, "send receipt");
    viewer.press("n");
    assert!(viewer.message().contains("again from the top"), "{}", viewer.message());
    assert_eq!(&*viewer.app.selected_trace().unwrap().root.name, "send receipt");
    viewer.press("f<C-u>get<Enter>");
    let first = viewer.selected();
    viewer.press("n");
    assert_ne!(viewer.selected(), first);
    viewer.press("N");
    assert_eq!(viewer.selected(), first);
    viewer.press("f<C-u>nowhere<Enter>");
    assert_eq!((viewer.selected(), viewer.message()), (first, "no row has \"nowhere\""));
}

#[test]
fn errors_are_gone_to_in_every_view() {
    let mut viewer = Viewer::new();
    viewer.press("e");
    assert!(viewer.app.selected_trace().unwrap().error_count > 0);
    viewer.press("3ge");
    assert_eq!(viewer.app.selected_event().unwrap().severity_number, 17);
    viewer.press("e");
    assert_eq!(viewer.app.selected_event().unwrap().severity_number, 21);
    viewer.press("E");
    assert_eq!(viewer.app.selected_event().unwrap().severity_number, 17);
    viewer.press("4e");
    assert_eq!(viewer.app.selected_file().unwrap().id, FileId(1));
    viewer.press("5Ge");
    assert_eq!(viewer.app.selected_operation().unwrap().error_count, 3);
    viewer.press("2e");
    assert_eq!(viewer.message(), "no errors here");
}

#[test]
fn wide_rows_are_moved() {
    let mut viewer = Viewer::new();
    viewer.press("l<Right>");
    assert_eq!(viewer.app.traces.shift, 16);
    viewer.press("h<Left>hh");
    assert_eq!(viewer.app.traces.shift, 0);
}

#[test]
fn an_event_is_the_same_by_its_record() {
    let mut viewer = Viewer::new();
    viewer.press("3kkk");
    let id = viewer.app.selected_event().unwrap().id;
    assert_eq!(id, samples::record_id(samples::CHECKOUT, Signal::Events, 3));
    let mut rows = viewer.app.snapshot.events.to_vec();
    rows.rotate_left(2);
    viewer.show(Snapshot { events: rows.into(), ..samples::shop() });
    assert_eq!((viewer.selected(), viewer.app.selected_event().unwrap().id), (1, id));
}
