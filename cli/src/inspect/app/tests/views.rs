//! Views, panes, links between records, bookmarks, copying, help, mouse.

use super::*;
use crate::inspect::app::Mouse;
use crate::inspect::model::{FileId, RecordKind};
use crate::inspect::samples::{FAILED, span_id};
use otlp_mmap_reader::Signal;

#[test]
fn number_keys_and_tab() {
    let mut viewer = Viewer::new();
    for (key, view) in [
        ("2", View::Metrics),
        ("3", View::Events),
        ("4", View::File),
        ("5", View::Operations),
        ("1", View::Traces),
        ("<Tab>", View::Metrics),
        ("<Tab>", View::Events),
        ("<Tab>", View::File),
        ("<Tab>", View::Traces),
        ("<BackTab>", View::File),
        ("1r", View::Operations),
        ("<Tab>", View::Metrics),
    ] {
        viewer.press(key);
        assert_eq!(viewer.app.query.view, view, "{key}");
    }
}

#[test]
fn enter_leads_in_and_esc_back() {
    let mut viewer = Viewer::new();
    viewer.press("5<Enter>");
    let operation = viewer.app.query.operation.clone().unwrap();
    assert_eq!((viewer.app.query.view, &*operation.name), (View::Traces, "GET /users/:id"));
    viewer.press("G<Enter>");
    assert_eq!((viewer.app.query.view, viewer.app.query.trace), (View::Waterfall, Some(FAILED)));
    assert_eq!(viewer.app.row_count(), 8);
    viewer.press("<Esc>");
    assert_eq!(
        (viewer.app.query.view, viewer.app.query.operation.as_ref()),
        (View::Traces, Some(&operation))
    );
    viewer.press("<Esc>");
    assert_eq!((viewer.app.query.view, viewer.app.query.operation.clone()), (View::Operations, None));
    viewer.press("<Esc>");
    assert_eq!((viewer.app.query.view, viewer.message()), (View::Operations, "q quits"));
}

#[test]
fn a_number_key_shows_all() {
    let mut viewer = Viewer::new();
    viewer.press("5<Enter>1");
    assert!(viewer.app.query.operation.is_none() && viewer.app.behind.is_empty());
}

#[test]
fn esc_shrinks_and_closes_the_pane_first() {
    let mut viewer = Viewer::new();
    viewer.press("G<Enter>do");
    assert!(viewer.app.is_detail_open && viewer.app.is_detail_expanded);
    viewer.press("<Esc>");
    assert!(viewer.app.is_detail_open && !viewer.app.is_detail_expanded);
    viewer.press("<Esc>");
    assert!(!viewer.app.is_detail_open && viewer.app.query.view == View::Waterfall);
    viewer.press("<Esc>");
    assert_eq!(viewer.app.query.view, View::Traces);
}

#[test]
fn each_view_has_its_own_pane() {
    let mut viewer = Viewer::new();
    viewer.press("3<Enter>");
    assert!(viewer.app.is_detail_open);
    viewer.press("1");
    assert!(!viewer.app.is_detail_open);
    viewer.press("2");
    assert!(viewer.app.is_detail_open, "the chart is there at first");
    viewer.press("<Enter>3");
    assert!(viewer.app.is_detail_open);
    viewer.press("2");
    assert!(!viewer.app.is_detail_open);
}

#[test]
fn details_of_the_selected_row_are_asked_for_while_the_pane_is_open() {
    let mut viewer = Viewer::new();
    assert_eq!(viewer.app.query.detail, None);
    viewer.press("jd");
    let wanted = viewer.app.selected_trace().unwrap().root.id;
    assert_eq!(viewer.app.query.detail, Some(wanted));
    assert_eq!(viewer.app.detail().map(|detail| detail.id), Some(wanted));
    viewer.press("j");
    assert_ne!(viewer.app.query.detail, Some(wanted));
    viewer.press("d");
    assert_eq!((viewer.app.query.detail, viewer.app.detail()), (None, None));
}

#[test]
fn details_of_another_record_are_not_shown() {
    let mut viewer = Viewer::new();
    viewer.press("d");
    let other = samples::record_id(FileId(9), Signal::Spans, 9);
    let detail = Detail { id: other, record: None, last: None };
    viewer.show(Snapshot { detail: Some(Arc::new(detail)), ..samples::traces() });
    assert_eq!(viewer.app.detail(), None);
}

#[test]
fn the_pane_scrolls_to_its_end_and_from_the_start_for_another_record() {
    let mut viewer = Viewer::new();
    viewer.press("dJJ");
    assert_eq!(viewer.app.detail_scroll, 2);
    viewer.app.detail_end = 3;
    viewer.press("JJJK");
    assert_eq!(viewer.app.detail_scroll, 2);
    viewer.press("ojj");
    assert_eq!((viewer.app.detail_scroll, viewer.selected()), (3, 0), "expanded, j scrolls");
    viewer.press("goj");
    assert_eq!((viewer.app.detail_scroll, viewer.selected()), (0, 1));
}

#[test]
fn an_event_leads_to_its_span_and_back() {
    let mut viewer = Viewer::new();
    viewer.press("3gjt");
    assert_eq!((viewer.app.query.view, viewer.app.query.trace), (View::Waterfall, Some(FAILED)));
    assert_eq!(viewer.app.selected_span().unwrap().span.span_id, span_id(1));
    viewer.press("<Esc>");
    assert_eq!((viewer.app.query.view, viewer.selected()), (View::Events, 1));
    viewer.press("Gt");
    assert_eq!((viewer.app.query.view, viewer.message()), (View::Events, "this belongs to no trace"));
}

#[test]
fn a_span_leads_to_its_events_and_back() {
    let mut viewer = Viewer::new();
    viewer.press("G<Enter>ev");
    assert_eq!((viewer.app.query.view, viewer.app.query.events_of), (View::Events, Some(FAILED)));
    let exception = samples::record_id(samples::CHECKOUT, Signal::Events, 1);
    assert_eq!(viewer.app.selected_event().unwrap().id, exception);
    viewer.press("<Esc>");
    assert_eq!((viewer.app.query.view, viewer.app.query.events_of), (View::Waterfall, None));
    assert_eq!(viewer.app.selected_span().unwrap().span.span_id, span_id(6), "the span is still selected");
    viewer.press("gjv");
    assert!(viewer.message().contains("no events"));
}

#[test]
fn an_exemplar_leads_to_its_trace() {
    let mut viewer = Viewer::new();
    viewer.press("2");
    let exemplar = viewer.app.chart().unwrap().exemplars[0].clone();
    viewer.press("xXt");
    assert_eq!((viewer.app.query.view, viewer.app.query.trace), (View::Waterfall, Some(exemplar.trace_id)));
    viewer.press("<Esc>");
    assert_eq!(viewer.app.query.view, View::Metrics);
}

#[test]
fn a_lint_leads_to_its_trace() {
    let mut viewer = Viewer::new();
    viewer.press("4xt");
    assert_eq!((viewer.app.query.view, viewer.app.query.trace), (View::Waterfall, Some(FAILED)));
    viewer.press("<Esc>t");
    assert_eq!(viewer.message(), "this belongs to no trace", "the first lint of the recording has none");
}

#[test]
fn links_are_those_of_the_selected_recording() {
    let mut viewer = Viewer::new();
    viewer.press("4");
    assert_eq!(viewer.app.links().len(), 3);
    viewer.press("xx");
    assert_eq!(viewer.app.link, 2);
    viewer.press("x");
    assert_eq!(viewer.app.link, 0);
    viewer.press("j");
    assert_eq!(viewer.app.links(), [[0; 16]]);
    viewer.press("jx");
    assert!(viewer.message().contains("nothing here"));
}

#[test]
fn one_recording_alone_and_all_again() {
    let mut viewer = Viewer::new();
    viewer.press("4j<Enter>");
    assert_eq!(viewer.app.query.file, Some(FileId(1)));
    viewer.press("1");
    assert_eq!(viewer.app.query.file, Some(FileId(1)));
    viewer.press("<Backspace>");
    assert_eq!(viewer.app.query.file, None);
}

#[test]
fn rate_and_value() {
    let mut viewer = Viewer::new();
    viewer.press("2r");
    assert_eq!(viewer.app.chart, crate::inspect::app::ChartMode::Rate);
    viewer.press("r");
    assert_eq!(viewer.app.chart, crate::inspect::app::ChartMode::Value);
}

#[test]
fn ids_and_names_are_copied() {
    let mut viewer = Viewer::new();
    assert_eq!(viewer.press("Gy"), Action::Copy(crate::record::hex(&FAILED)));
    assert!(viewer.message().starts_with("copied "));
    assert_eq!(viewer.press("<Enter>jy"), Action::Copy("0000000000000002".into()));
    assert_eq!(viewer.press("3gy"), Action::Copy(crate::record::hex(&FAILED)));
    assert_eq!(viewer.press("Gy"), Action::Redraw, "an event without a trace");
    assert_eq!(viewer.press("2gy"), Action::Copy("process.memory".into()));
    assert_eq!(viewer.press("5gy"), Action::Copy("GET /users/:id".into()));
    assert!(matches!(viewer.press("4gy"), Action::Copy(path) if path.ends_with(".otlpmmap")));
}

#[test]
fn a_record_is_copied_as_json_when_it_has_come() {
    let mut viewer = Viewer::new();
    for keys in ["GY", "<Enter>Y", "3Y"] {
        let Action::Copy(text) = viewer.press(keys) else { panic!("{keys}") };
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json["type"] == "span" && json["file"].as_str().unwrap().ends_with(".otlpmmap"), "{keys}");
        assert_eq!(viewer.app.query.detail, None, "the details are wanted no longer");
    }
    let Action::Copy(text) = viewer.press("2gY") else { panic!() };
    assert!(text.contains("\"type\":\"metric\""));
    assert_eq!(viewer.press("4Y"), Action::Redraw);
    assert_eq!(viewer.message(), "there is no record to copy");
}

#[test]
fn an_overwritten_record_is_not_copied() {
    let mut viewer = Viewer::over(|query| {
        let detail = query.detail.map(|id| Arc::new(Detail { id, record: None, last: None }));
        Snapshot { detail, ..samples::traces() }
    });
    assert_eq!(viewer.press("Y"), Action::Redraw);
    assert_eq!(viewer.message(), "the record was overwritten");
}

#[test]
fn a_hostile_name_is_copied_escaped() {
    let mut viewer = Viewer::over(|_| samples::hostile());
    viewer.press("4");
    for _ in 0..8 {
        if let Action::Copy(text) = viewer.press("jy") {
            assert!(!text.contains(crate::escape::is_dangerous), "{text:?}");
        }
    }
}

#[test]
fn bookmarks_lead_back() {
    let mut viewer = Viewer::new();
    viewer.press("'");
    assert_eq!(viewer.message(), "no bookmarks: m makes one");
    viewer.press("G<Enter>jjjm");
    viewer.press("3gjjm");
    viewer.press("1gjm");
    let names: Vec<&str> = viewer.app.bookmarks.iter().map(|bookmark| &*bookmark.name).collect();
    assert_eq!(names[0], "POST /charge");
    assert_eq!(names.len(), 3);
    viewer.press("4'");
    assert_eq!(viewer.app.selected_span().unwrap().span.span_id, span_id(4));
    assert!(viewer.message().contains("1 of 3"));
    viewer.press("'");
    assert_eq!((viewer.app.query.view, viewer.selected()), (View::Events, 2));
    viewer.press("'");
    assert_eq!((viewer.app.query.view, viewer.selected()), (View::Traces, 1));
    viewer.press("'m");
    assert_eq!((viewer.app.bookmarks.len(), viewer.message()), (2, "bookmark taken away"));
}

#[test]
fn a_bookmark_brings_its_time_back() {
    let mut viewer = Viewer::new();
    viewer.press("jcm");
    let until = viewer.app.query.until;
    assert!(until.is_some());
    viewer.press(".3'");
    assert_eq!((viewer.app.query.until, viewer.app.query.view), (until, View::Traces));
}

#[test]
fn a_bookmark_of_a_row_that_went() {
    let mut viewer = Viewer::new();
    viewer.press("3gm");
    viewer.answer = Box::new(|_| samples::many_events(0));
    viewer.press("1");
    viewer.answer =
        Box::new(|_| Snapshot { events: samples::events().events[1..].into(), ..samples::shop() });
    viewer.press("'");
    assert_eq!(viewer.message(), "it is not there any more");
}

#[test]
fn help_is_searched_by_typing() {
    let mut viewer = Viewer::new();
    viewer.press("?bookmark");
    assert_eq!(viewer.app.help.as_ref().unwrap().search, "bookmark");
    viewer.press("<Backspace><C-u>");
    assert_eq!(viewer.app.help.as_ref().unwrap().search, "");
    viewer.press("<PgDn><Down>");
    assert!(viewer.app.help.as_ref().unwrap().scroll > 1);
    viewer.press(&"<PgDn>".repeat(50));
    let lines = crate::inspect::app::help::lines(&viewer.app, "").len();
    assert_eq!(viewer.app.help.as_ref().unwrap().scroll, lines - 1);
    viewer.press("<Esc>");
    assert!(viewer.app.help.is_none() && viewer.app.query.view == View::Traces);
}

#[test]
fn quitting() {
    let mut viewer = Viewer::new();
    assert_eq!(viewer.press("q"), Action::Quit { keep_screen: false });
    assert_eq!(viewer.press("Q"), Action::Quit { keep_screen: true });
    assert_eq!(viewer.press("<C-c>"), Action::Quit { keep_screen: false });
    assert_eq!(viewer.press("<C-z>"), Action::Suspend);
    assert_eq!(viewer.press("<C-l>"), Action::Clear);
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mut viewer = Viewer::new();
    assert_eq!(viewer.press("<F2>"), Action::Mouse(true));
    let mut used = |mouse| {
        update(&mut viewer.app, Event::Mouse(mouse));
        viewer.settle();
        (viewer.app.query.view, viewer.app.selected_row())
    };
    assert_eq!(used(Mouse::Row(4)), (View::Traces, Some(4)));
    assert_eq!(used(Mouse::WheelUp), (View::Traces, Some(1)));
    assert_eq!(used(Mouse::WheelDown), (View::Traces, Some(4)));
    assert_eq!(used(Mouse::Row(4)).0, View::Waterfall, "a second click opens");
    assert_eq!(used(Mouse::View(View::File)).0, View::File);
    assert_eq!(used(Mouse::Row(usize::MAX)).1, Some(2));
    assert_eq!(viewer.press("<F2>"), Action::Mouse(false));
}

#[test]
fn a_failure_is_kept() {
    let mut viewer = Viewer::new();
    update(&mut viewer.app, Event::Failure("the thread is gone".into()));
    viewer.press("j");
    assert_eq!(viewer.app.failure.as_deref(), Some("the thread is gone"));
}

#[test]
fn a_key_without_meaning_changes_nothing() {
    let mut viewer = Viewer::new();
    let asked = viewer.asked.len();
    viewer.press("~%9<Delete>");
    assert_eq!((viewer.asked.len(), viewer.selected()), (asked, 0));
}

#[test]
fn a_series_is_asked_for_by_its_references() {
    let mut viewer = Viewer::new();
    viewer.press("2gjY");
    let copied = viewer.asked.iter().rev().find_map(|query| query.detail).unwrap();
    assert_eq!(copied.kind, RecordKind::Series((2, 16)));
}
