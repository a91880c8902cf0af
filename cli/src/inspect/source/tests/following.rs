//! Files that grow, are overwritten, come and go.

use std::fs;

use otlp_mmap_reader::{Liveness, Signal};
use otlp_mmap_writer::{Config, Value};

use super::{MILLI, NOON, Recorded, SECOND, ask, id, open, query, spec, trace};
use crate::inspect::model::{RecordId, RecordKind, Snapshot};
use crate::inspect::query::{Query, View};

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.files.iter().map(|file| file.service.to_string()).collect()
}

#[test]
fn what_is_recorded_appears_and_what_ends_is_in_flight_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let mut model = open(&path);
    let now = NOON + 60 * SECOND;
    assert!(model.poll(now));
    assert!(!model.poll(now), "nothing has changed");
    let empty = model.answer(&query(View::Traces), now);
    assert_eq!((empty.traces.len(), empty.range, empty.until), (0, None, now));
    recorded.span(spec(1));
    let open_span = recorded.start(spec(2));
    assert!(model.poll(now));
    let snapshot = model.answer(&query(View::Traces), now);
    assert_eq!((snapshot.totals.spans, snapshot.totals.in_flight, snapshot.totals.seen), (1, 1, 1));
    let ends: Vec<_> = snapshot.traces.iter().map(|row| (row.trace_id, row.end)).collect();
    assert_eq!(ends, [(trace(2), None), (trace(1), Some(NOON + 11 * MILLI))]);
    assert_eq!(snapshot.range, Some((NOON + MILLI, NOON + 11 * MILLI)));
    recorded.writer.end_span(open_span, NOON + 12 * MILLI).unwrap();
    assert!(model.poll(now));
    let snapshot = model.answer(&query(View::Traces), now);
    assert_eq!((snapshot.totals.spans, snapshot.totals.in_flight, snapshot.totals.seen), (2, 0, 2));
    assert_eq!(snapshot.traces[0].end, Some(NOON + 12 * MILLI));
    assert!(!model.poll(now));
}

#[test]
fn rows_go_with_the_records_that_are_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let mut model = open(&path);
    let mut largest = 0;
    for number in 1..=3_000 {
        recorded.span(spec(number));
        recorded.event("e", &Value::Int(1), number, 9, (number, number));
        if number % 7 == 0 {
            let snapshot = ask(&mut model, &query(View::Traces));
            largest = largest.max(snapshot.totals.spans + snapshot.totals.events);
        }
    }
    let snapshot = ask(&mut model, &query(View::Traces));
    let held = otlp_mmap_reader::Recording::open(&path).unwrap().snapshot().unwrap();
    assert_eq!((snapshot.totals.spans, snapshot.totals.events), (held.spans.len(), held.events.len()));
    // Eight segments of 4 KiB for each signal; a span with its header takes over 100 bytes.
    assert!(largest < 16 * 4096 / 64, "{largest} rows");
    let mut ids: Vec<_> = snapshot.traces.iter().map(|row| row.trace_id).collect();
    ids.sort_unstable();
    let mut expected: Vec<_> = held.spans.iter().map(|span| span.trace_id).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let missed = snapshot.files[0].missed[0];
    assert_eq!(snapshot.totals.seen + snapshot.files[0].missed.iter().sum::<u64>(), 6_000);
    assert_eq!(
        snapshot.files[0].losses.as_ref().map(|losses| losses.signal(Signal::Spans).recorded > 0),
        Some(true)
    );
    assert!(missed < 3_000);
}

#[test]
fn details_are_read_again_until_their_record_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    recorded.start(spec(2));
    let metric = recorded.counter("bytes");
    recorded.measure(metric, 3.0, 1, Some((1, 1)));
    let mut model = open(&path);
    let snapshot = ask(&mut model, &query(View::Traces));
    let root = snapshot.traces.iter().find(|row| row.trace_id == trace(1)).unwrap().root.id;
    let detail = |model: &mut super::Model, id: RecordId| {
        let query = Query { detail: Some(id), ..query(View::Traces) };
        ask(model, &query).detail.unwrap().record.clone()
    };
    let name =
        |record: Option<crate::record::OwnedRecord>| record.map(|record| record.view().name().to_owned());
    assert_eq!(name(detail(&mut model, root)).as_deref(), Some("GET /cart"));
    let in_flight = RecordId { file: root.file, kind: RecordKind::InFlight(trace(2), id(2)) };
    assert_eq!(name(detail(&mut model, in_flight)).as_deref(), Some("GET /cart"));
    let series = ask(&mut model, &query(View::Metrics)).series[0].id;
    let series = RecordId { file: series.file, kind: RecordKind::Series(series.series) };
    match detail(&mut model, series) {
        Some(crate::record::OwnedRecord::Metric(series)) => assert_eq!(series.exemplars.len(), 1),
        other => panic!("{other:?}"),
    }
    for number in 10..2_000 {
        recorded.span(spec(number));
    }
    assert_eq!(detail(&mut model, root), None);
    let nobody = RecordId { file: root.file, kind: RecordKind::InFlight(trace(7), id(7)) };
    assert_eq!(detail(&mut model, nobody), None);
}

#[test]
fn the_detail_of_a_span_in_flight_outlives_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let span = recorded.start(spec(1));
    let mut model = open(&path);
    let id = ask(&mut model, &query(View::Traces)).traces[0].root.id;
    recorded.writer.end_span(span, NOON + SECOND).unwrap();
    let snapshot = ask(&mut model, &Query { detail: Some(id), ..query(View::Traces) });
    let detail = snapshot.detail.unwrap();
    assert_eq!(detail.record.as_ref().unwrap().view().end_time_unix_nano(), Some(NOON + SECOND));
}

#[test]
fn files_come_close_and_vanish() {
    let directory = tempfile::tempdir().unwrap();
    let mut model = open(directory.path());
    assert_eq!(ask(&mut model, &query(View::Traces)).files.len(), 0);
    let one = Recorded::create(&directory.path().join("a.otlpmm"), "one");
    one.span(spec(1));
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((names(&snapshot), snapshot.traces.len()), (vec!["one".to_owned()], 1));
    let two = Recorded::create(&directory.path().join("b.otlpmm"), "two");
    two.span(spec(2));
    one.writer.close();
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((names(&snapshot), snapshot.traces.len()), (vec!["one".to_owned(), "two".to_owned()], 2));
    assert!(matches!(snapshot.files[0].liveness, Liveness::Closed { .. }));
    assert_eq!(snapshot.files[1].liveness, Liveness::Alive);
    fs::remove_file(directory.path().join("a.otlpmm")).unwrap();
    let root = snapshot.traces.iter().find(|row| row.trace_id == trace(1)).unwrap().root.id;
    let snapshot = ask(&mut model, &Query { detail: Some(root), ..query(View::Traces) });
    assert_eq!(snapshot.files.iter().map(|file| file.vanished).collect::<Vec<_>>(), [true, false]);
    assert_eq!(snapshot.traces.len(), 2);
    assert!(snapshot.detail.unwrap().record.is_some(), "a file that is held can be read");
    // Another one of the same name is another recording.
    let three = Recorded::create(&directory.path().join("a.otlpmm"), "three");
    three.span(spec(3));
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((snapshot.files.len(), snapshot.traces.len()), (3, 3));
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
}

#[test]
fn of_files_that_are_gone_only_the_last_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut model = open(directory.path());
    for number in 0..40 {
        let path = directory.path().join(format!("{number}.otlpmm"));
        let recorded = Recorded::create(&path, "shop");
        recorded.span(spec(number + 1));
        recorded.writer.close();
        drop(recorded);
        ask(&mut model, &query(View::Traces));
        fs::remove_file(path).unwrap();
    }
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((snapshot.files.len(), snapshot.traces.len()), (16, 16));
    let mut ids: Vec<_> = snapshot.traces.iter().map(|row| row.trace_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (25..=40).map(trace).collect::<Vec<_>>());
}

#[test]
fn a_path_that_is_not_there_is_told_once_and_looked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("later.otlpmm");
    let mut model = open(&path);
    for _ in 0..3 {
        assert_eq!(ask(&mut model, &query(View::Traces)).problems.len(), 1);
    }
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((snapshot.files.len(), snapshot.traces.len(), snapshot.problems.len()), (1, 1, 1));
}

#[test]
fn a_file_that_is_named_twice_is_followed_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    let mut model = super::Model::open(&[path.clone(), directory.path().to_owned(), path]);
    assert_eq!(ask(&mut model, &query(View::Traces)).files.len(), 1);
}

#[test]
fn files_that_were_read_are_closed_and_opened_again_when_they_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    for number in 1..=6 {
        let config = Config::new(directory.path().join(format!("{number}.otlpmm")));
        let recorded = Recorded::with(config, "shop");
        recorded.span(spec(number));
        recorded.writer.close();
    }
    let mut model = open(directory.path());
    model.set_open_limit(2);
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!(snapshot.traces.len(), 6);
    assert_eq!(model.open_count(), 2);
    for row in snapshot.traces.iter() {
        let snapshot = ask(&mut model, &Query { detail: Some(row.root.id), ..query(View::Traces) });
        assert!(snapshot.detail.unwrap().record.is_some());
    }
    let filtered = Query { filter: Some(super::filter("n = 3")), ..query(View::Traces) };
    let snapshot = ask(&mut model, &filtered);
    assert_eq!((snapshot.traces.len(), snapshot.files.len()), (1, 6));
    assert_eq!(model.open_count(), 2);
}

#[test]
fn a_poll_that_is_due_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| directory.path().join(format!("{name}.otlpmm")));
    for path in &paths {
        let recorded = Recorded::with(Config::new(path), "shop");
        (1..=20_000).for_each(|number| recorded.span(spec(number)));
        recorded.writer.close();
    }
    let mut model = open(directory.path());
    let (mut before, mut polls) = (0, 0);
    loop {
        let polled = model.poll_until(NOON, &mut || true);
        let snapshot = model.answer(&query(View::Traces), NOON);
        assert!(polled.changed && snapshot.totals.spans > before, "{polled:?}");
        assert_eq!(snapshot.totals.spans < 40_000, !polled.is_complete);
        (before, polls) = (snapshot.totals.spans, polls + 1);
        if polled.is_complete {
            break;
        }
    }
    assert!(polls > 3, "{polls}");
    let held = otlp_mmap_reader::Recording::open(&paths[0]).unwrap().snapshot().unwrap();
    assert_eq!((held.spans.len(), before), (20_000, 40_000));
    assert!(!model.poll(NOON), "both were read to the end");
}

#[test]
fn recordings_that_wait_to_be_read_are_not_said_to_be_alive() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.otlpmm", "b.otlpmm", "c.otlpmm"] {
        let recorded = Recorded::create(&directory.path().join(name), "shop");
        recorded.span(spec(1));
        recorded.writer.close();
    }
    let mut model = open(directory.path());
    let polled = model.poll_until(NOON, &mut || true);
    assert!(!polled.is_complete, "one was read");
    let snapshot = model.answer(&query(View::File), NOON + 60 * SECOND);
    let alive = snapshot.files.iter().filter(|file| file.liveness == Liveness::Alive).count();
    assert_eq!((snapshot.files.len(), snapshot.totals.spans, alive), (3, 1, 0));
    assert_eq!(snapshot.until, NOON + 11 * MILLI, "nobody lives");
}
