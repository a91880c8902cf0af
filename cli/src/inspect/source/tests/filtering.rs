//! The filter, and its change: what passes is read from the records again.

use otlp_mmap_writer::Value;

use super::{NOON, Recorded, SECOND, ask, filter, open, query, spec, trace};
use crate::inspect::model::Snapshot;
use crate::inspect::query::{Query, View};

fn filtered(view: View, text: &str) -> Query {
    Query { filter: Some(filter(text)), ..query(view) }
}

fn found(snapshot: &Snapshot) -> Vec<super::TraceId> {
    let mut ids: Vec<_> = snapshot.traces.iter().map(|row| row.trace_id).collect();
    ids.sort_unstable();
    ids
}

/// Three traces of two spans each, an event in the second, a span in flight in the third.
fn recorded(path: &std::path::Path) -> Recorded {
    let recorded = Recorded::create(path, "shop");
    for number in 1..=3 {
        recorded.span(spec(number));
        let child = super::Spec { id: number + 10, parent: number, name: "SELECT", ..spec(number) };
        recorded.span(child);
    }
    recorded.event("failed", &Value::String("no money"), 5, 17, (2, 12));
    recorded.start(super::Spec { id: 23, parent: 3, name: "publish", ..spec(3) });
    let metric = recorded.counter("bytes");
    recorded.measure(metric, 3.0, 1, None);
    recorded
}

#[test]
fn traces_with_any_span_or_event_that_passes_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = recorded(&path);
    let mut model = open(&path);
    let all = ask(&mut model, &query(View::Traces));
    assert_eq!((found(&all), all.totals.hits), (vec![trace(1), trace(2), trace(3)], 6 + 1 + 1 + 1));
    for (text, expected, hits) in [
        ("n = 12", vec![trace(2)], 1),
        ("n > 11", vec![trace(2), trace(3)], 3),
        ("severity >= error", vec![trace(2)], 1),
        ("in_flight = true", vec![trace(3)], 1),
        ("name = bytes", vec![], 1),
        ("name = nobody", vec![], 0),
    ] {
        let snapshot = ask(&mut model, &filtered(View::Traces, text));
        assert_eq!((found(&snapshot), snapshot.totals.hits), (expected, hits), "{text}");
    }
    // A trace is listed with all its spans.
    let snapshot = ask(&mut model, &filtered(View::Traces, "n = 12"));
    assert_eq!((snapshot.traces[0].span_count, snapshot.traces[0].event_count), (2, 1));
    assert!(!snapshot.traces[0].root.hit);
    let again = ask(&mut model, &query(View::Traces));
    assert_eq!((found(&again).len(), again.totals.hits), (3, 9));
    drop(recorded);
}

#[test]
fn what_comes_is_tried_as_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = recorded(&path);
    let mut model = open(&path);
    let query = filtered(View::Traces, "n = 12 or n = 44");
    assert_eq!(found(&ask(&mut model, &query)), [trace(2)]);
    recorded.span(spec(43));
    recorded.span(spec(44));
    let snapshot = ask(&mut model, &query);
    assert_eq!((found(&snapshot), snapshot.totals.hits), (vec![trace(2), trace(44)], 2));
}

#[test]
fn every_list_is_filtered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let _recorded = recorded(&path);
    let mut model = open(&path);
    let snapshot = ask(&mut model, &filtered(View::Operations, "name = SELECT"));
    let rows: Vec<_> = snapshot.operations.iter().map(|row| (&*row.id.name, row.count)).collect();
    assert_eq!(rows, [("SELECT", 3)]);
    let snapshot = ask(&mut model, &filtered(View::Events, "body =~ money"));
    assert_eq!(snapshot.events.len(), 1);
    assert_eq!(ask(&mut model, &filtered(View::Events, "body =~ time")).events.len(), 0);
    assert_eq!(ask(&mut model, &filtered(View::Metrics, "name = bytes")).series.len(), 1);
    assert_eq!(ask(&mut model, &filtered(View::Metrics, "value > 3")).series.len(), 0);
    // A waterfall has all spans of its trace, and says which pass.
    let query = Query { trace: Some(trace(2)), ..filtered(View::Waterfall, "name = SELECT") };
    let tree = ask(&mut model, &query).waterfall.unwrap();
    assert_eq!(tree.spans.iter().map(|row| row.span.hit).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn only_one_file_one_operation_one_trace() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("a.otlpmm"), directory.path().join("b.otlpmm"));
    let _one = recorded(&one);
    let other = Recorded::create(&two, "other");
    other.span(super::Spec { id: 30, parent: 1, name: "consume", ..spec(1) });
    other.event("consumed", &Value::Int(1), 1, 9, (1, 30));
    let mut model = open(directory.path());
    let snapshot = ask(&mut model, &query(View::Traces));
    let row = snapshot.traces.iter().find(|row| row.trace_id == trace(1)).unwrap();
    assert_eq!((row.span_count, row.event_count), (3, 1), "a trace goes over all files");
    let second = snapshot.files[1].id;
    let of_file = Query { file: Some(second), ..query(View::Traces) };
    let snapshot = ask(&mut model, &of_file);
    assert_eq!((found(&snapshot), snapshot.traces[0].span_count), (vec![trace(1)], 1));
    let operations = ask(&mut model, &query(View::Operations)).operations;
    let consume = operations.iter().find(|row| &*row.id.name == "consume").unwrap().id.clone();
    let of_operation = Query { operation: Some(consume), ..query(View::Traces) };
    let snapshot = ask(&mut model, &of_operation);
    assert_eq!((found(&snapshot), snapshot.traces[0].span_count), (vec![trace(1)], 3));
    let of_trace = Query { events_of: Some(trace(1)), ..query(View::Events) };
    let events = ask(&mut model, &of_trace).events;
    assert_eq!(events.iter().map(|row| &*row.event_name).collect::<Vec<_>>(), ["consumed"]);
    let tree = ask(&mut model, &Query { trace: Some(trace(1)), ..query(View::Waterfall) }).waterfall.unwrap();
    assert_eq!(tree.spans.len(), 3);
}

#[test]
fn the_cursor_shows_what_was_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = recorded(&path);
    recorded.span(super::Spec { start: 1_000, end: 3_000, ..spec(9) });
    let mut model = open(&path);
    let second = |seconds: u64| Some(NOON + seconds * SECOND);
    let at = |until| Query { until, ..query(View::Traces) };
    let snapshot = ask(&mut model, &at(second(0)));
    assert_eq!((snapshot.traces.len(), snapshot.until), (0, NOON));
    let snapshot = ask(&mut model, &at(second(2)));
    let row = snapshot.traces.iter().find(|row| row.trace_id == trace(9)).unwrap();
    assert_eq!((row.end, row.in_flight_count, row.duration(snapshot.until)), (None, 1, SECOND));
    let snapshot = ask(&mut model, &at(second(3)));
    let row = snapshot.traces.iter().find(|row| row.trace_id == trace(9)).unwrap();
    assert_eq!((row.end, row.in_flight_count), (second(3), 0));
    let events = |until| Query { until, ..query(View::Events) };
    assert_eq!(ask(&mut model, &events(second(0))).events.len(), 0);
    assert_eq!(ask(&mut model, &events(second(1))).events.len(), 1);
}
