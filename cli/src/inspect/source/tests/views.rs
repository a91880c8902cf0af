//! Orders, series and their history, charts, files, lints.

use otlp_mmap_reader::Liveness;
use otlp_mmap_reader::model::{Number, Point};
use otlp_mmap_writer::{Aggregation, Temporality, Value};

use super::{MILLI, Model, NOON, Recorded, SECOND, ask, open, query, spec, trace};
use crate::inspect::model::{LintRule, SAMPLES, Snapshot};
use crate::inspect::query::{EventKey, FileKey, Order, Orders, Query, SeriesKey, TraceKey, View};

fn traces_by(model: &mut Model, key: TraceKey, descending: bool) -> Vec<u64> {
    let order = Orders { traces: Order { key, descending }, ..Orders::default() };
    let snapshot = ask(model, &Query { order, ..query(View::Traces) });
    let number = |id: super::TraceId| u64::try_from(u128::from_be_bytes(id) & 0xffff).unwrap();
    snapshot.traces.iter().map(|row| number(row.trace_id)).collect()
}

#[test]
fn traces_are_sorted_by_value_and_ties_by_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    // Durations of 9, 10 and 100 ms: another order as text.
    for (number, end, name) in [(3, 12, "b"), (1, 101, "a"), (2, 12, "a"), (4, 14, "b")] {
        recorded.span(super::Spec { end, name, is_error: number == 4, ..spec(number) });
    }
    let mut model = open(&path);
    assert_eq!(traces_by(&mut model, TraceKey::Start, true), [4, 3, 2, 1]);
    assert_eq!(traces_by(&mut model, TraceKey::Duration, false), [3, 2, 4, 1]);
    assert_eq!(traces_by(&mut model, TraceKey::Duration, true), [1, 2, 4, 3]);
    assert_eq!(traces_by(&mut model, TraceKey::Name, false), [1, 2, 3, 4]);
    assert_eq!(traces_by(&mut model, TraceKey::Name, true), [3, 4, 1, 2]);
    assert_eq!(traces_by(&mut model, TraceKey::Spans, true), [1, 2, 3, 4]);
    assert_eq!(traces_by(&mut model, TraceKey::Errors, true), [4, 1, 2, 3]);
}

#[test]
fn events_are_sorted_and_their_bodies_are_one_harmless_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let long = "é\u{1b}[2J\n".repeat(100);
    recorded.event("late", &Value::String(&long), 9, 9, (1, 1));
    recorded.event("early", &Value::Int(-5), 1, 17, (1, 0));
    let mut model = open(&path);
    let events = ask(&mut model, &query(View::Events)).events;
    assert_eq!(events.iter().map(|row| &*row.event_name).collect::<Vec<_>>(), ["early", "late"]);
    assert_eq!(&*events[0].body, "-5");
    assert_eq!(events[0].trace_id, [0; 16]);
    assert_eq!(events[1].body.chars().count(), crate::inspect::model::BODY_LENGTH);
    assert!(events[1].body.starts_with("é\\u{1b}[2J\\n") && !events[1].body.contains(char::is_control));
    for (key, descending, expected) in [
        (EventKey::Time, true, ["late", "early"]),
        (EventKey::Severity, true, ["early", "late"]),
        (EventKey::Name, false, ["early", "late"]),
        (EventKey::Name, true, ["late", "early"]),
    ] {
        let order = Orders { events: Order { key, descending }, ..Orders::default() };
        let events = ask(&mut model, &Query { order, ..query(View::Events) }).events;
        assert_eq!(events.iter().map(|row| &*row.event_name).collect::<Vec<_>>(), expected);
    }
}

fn at(model: &mut Model, seconds: u64, until: Option<u64>) -> Snapshot {
    let now = NOON + seconds * SECOND;
    model.poll(now);
    let until = until.map(|seconds| NOON + seconds * SECOND);
    model.answer(&Query { until, ..query(View::Metrics) }, now)
}

#[test]
fn series_are_sampled_once_a_second_and_can_be_seen_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let metric = recorded.counter("bytes");
    let mut model = open(&path);
    recorded.measure(metric, 2.0, 1, None);
    let snapshot = at(&mut model, 100, None);
    assert_eq!(
        (snapshot.series.len(), snapshot.series[0].history.len(), snapshot.series[0].rate),
        (1, 1, None)
    );
    assert_eq!((&*snapshot.series[0].service, snapshot.totals.series), ("shop", 1));
    recorded.measure(metric, 3.0, 2, None);
    model.poll(NOON + 100 * SECOND + 5);
    let snapshot = at(&mut model, 102, None);
    let row = &snapshot.series[0];
    assert_eq!(row.history.iter().map(|sample| sample.value).collect::<Vec<_>>(), [2.0, 5.0]);
    assert_eq!((row.rate, &row.series.point), (Some(1.5), &Point::Sum(Number::Double(5.0))));
    let snapshot = at(&mut model, 103, Some(101));
    let row = &snapshot.series[0];
    assert_eq!((&row.series.point, row.history.len()), (&Point::Sum(Number::Double(2.0)), 1));
    // Before the viewer came, it is shown as it is now.
    let snapshot = at(&mut model, 103, Some(50));
    assert_eq!(snapshot.series[0].series.point, Point::Sum(Number::Double(5.0)));
}

#[test]
fn what_a_dead_recording_says_it_said_when_it_was_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let metric = recorded.counter("bytes");
    recorded.measure(metric, 2.0, 7, None);
    let mut watched = open(&path);
    at(&mut watched, 100, None);
    drop(recorded);
    let times = |snapshot: &Snapshot| {
        snapshot.series[0].history.iter().map(|sample| sample.time - NOON).collect::<Vec<_>>()
    };
    assert_eq!(times(&at(&mut open(&path), 200, None)), [7 * MILLI]);
    assert_eq!(times(&at(&mut watched, 200, None)), [100 * SECOND, 200 * SECOND]);
}

#[test]
fn histories_have_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let metric = recorded.counter("bytes");
    recorded.measure(metric, 1.0, 1, None);
    let mut model = open(&path);
    let count = u64::try_from(SAMPLES).unwrap();
    for second in 0..count + 10 {
        model.poll(NOON + second * SECOND);
    }
    let snapshot = at(&mut model, count + 9, None);
    let history = &snapshot.series[0].history;
    assert_eq!((history.len(), history[0].time), (SAMPLES, NOON + 10 * SECOND));
    let snapshot = at(&mut model, count + 9, Some(count));
    assert_eq!(snapshot.series[0].history.last().unwrap().time, NOON + count * SECOND);
}

#[test]
fn charts_have_buckets_percentiles_and_exemplars() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let temporality = Temporality::Cumulative;
    let boundaries = &[10.0, 20.0];
    let explicit = recorded.stream("explicit", Aggregation::Histogram { temporality, boundaries });
    let exponential = recorded.stream(
        "exponential",
        Aggregation::ExponentialHistogram { temporality, max_buckets: 160, max_scale: 20 },
    );
    for (millis, value) in [(1, 5.0), (2, 15.0), (3, 15.5), (4, 40.0)] {
        recorded.measure(explicit, value, millis, Some((millis, 1)));
        recorded.measure(exponential, value, millis, None);
    }
    recorded.measure(recorded.stream("gauge", Aggregation::Gauge), 1.0, 1, None);
    let mut model = open(&path);
    let list = ask(&mut model, &query(View::Metrics)).series;
    assert_eq!(
        list.iter().map(|row| &*row.stream().name).collect::<Vec<_>>(),
        ["explicit", "exponential", "gauge"]
    );
    let mut chart = |index: usize, until| {
        let query = Query { series: Some(list[index].id), until, ..query(View::Metrics) };
        ask(&mut model, &query).chart.unwrap()
    };
    let explicit = chart(0, None);
    assert_eq!(explicit.buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 2, 1]);
    let [p50, _, _, p99] = explicit.percentiles.unwrap();
    assert!((10.0..=20.0).contains(&p50) && (20.0..=40.0).contains(&p99), "{p50} {p99}");
    let times: Vec<_> = explicit.exemplars.iter().map(|exemplar| exemplar.time_unix_nano).collect();
    assert_eq!(times, [1, 2, 3, 4].map(|millis| NOON + millis * MILLI));
    assert_eq!(explicit.exemplars[3].trace_id, trace(4));
    assert_eq!(explicit.row.series.exemplars.len(), 4);
    assert_eq!(chart(0, Some(NOON + 2 * MILLI)).exemplars.len(), 2);
    let exponential = chart(1, None);
    assert_eq!(exponential.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 4);
    assert!(exponential.exemplars.is_empty());
    assert_eq!((chart(2, None).buckets.len(), chart(2, None).percentiles), (0, None));
    for key in [SeriesKey::Value, SeriesKey::Rate, SeriesKey::Time, SeriesKey::Service] {
        let order = Orders { metrics: Order { key, descending: true }, ..Orders::default() };
        assert_eq!(ask(&mut model, &Query { order, ..query(View::Metrics) }).series.len(), 3);
    }
}

#[test]
fn files_tell_their_state_fill_and_losses() {
    let directory = tempfile::tempdir().unwrap();
    let one = Recorded::create(&directory.path().join("a.otlpmm"), "one");
    let two = Recorded::create(&directory.path().join("b.otlpmm"), "two");
    for number in 1..2_000 {
        two.span(spec(number));
    }
    one.writer.close();
    let mut model = open(directory.path());
    let order = |key, descending| Orders { files: Order { key, descending }, ..Orders::default() };
    let snapshot = ask(&mut model, &Query { order: order(FileKey::Fill, true), ..query(View::File) });
    let names: Vec<_> = snapshot.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["b.otlpmm", "a.otlpmm"]);
    let full = &snapshot.files[0];
    assert!(full.lost() > 0 && full.fill.is_some() && full.faults.is_empty(), "{full:?}");
    assert_eq!(full.losses, otlp_mmap_reader::Recording::open(&full.path).unwrap().losses().ok());
    assert_eq!((full.pid, full.liveness), (std::process::id(), Liveness::Alive));
    assert!(full.header.iter().any(|(name, value)| *name == "when full" && value == "overwrite-oldest"));
    // One resource, one scope, and the keys of attributes.
    let counts = full.entries.map(|kind| kind.count);
    assert!(counts[0] >= 2 && counts[1..] == [1, 1, 0, 0], "{counts:?}");
    assert!(full.entries[..3].iter().all(|kind| kind.bytes > 0));
    let rules: Vec<_> = snapshot.lints.iter().map(|lint| lint.rule).collect();
    assert_eq!(rules, [LintRule::Losses]);
    for key in [FileKey::Name, FileKey::Process, FileKey::Losses, FileKey::State] {
        let snapshot = ask(&mut model, &Query { order: order(key, false), ..query(View::File) });
        assert_eq!(&*snapshot.files[0].name, if key == FileKey::State { "b.otlpmm" } else { "a.otlpmm" });
    }
}

#[test]
fn lints_of_spans_and_clocks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(super::Spec { start: 60_000, end: 60_010, ..spec(1) });
    recorded.span(super::Spec { start: 50_000, end: 49_000, ..spec(2) });
    recorded.span(super::Spec {
        start: 48_999,
        end: 48_999,
        kind: otlp_mmap_writer::SpanKind::Client,
        parent: 77,
        ..spec(3)
    });
    let mut model = open(&path);
    let lints = ask(&mut model, &query(View::File)).lints;
    let found: Vec<_> = lints.iter().map(|lint| (lint.rule, lint.count)).collect();
    let expected = [(LintRule::OrphanParent, 1), (LintRule::EndBeforeStart, 1), (LintRule::ClockStep, 1)];
    assert_eq!(found, expected);
    assert_eq!(lints[1].trace, Some(trace(2)));
}

#[test]
fn a_dead_recording_is_shown_as_of_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    recorded.start(super::Spec { start: 100, ..spec(2) });
    recorded.writer.close();
    let mut model = open(&path);
    let snapshot = ask(&mut model, &query(View::Traces));
    assert_eq!((snapshot.until, snapshot.totals.in_flight), (NOON + 100 * MILLI, 1));
    assert!(!model.poll(NOON + 90 * SECOND), "nothing more will come");
}

/// Neither those that live nor those that died later make the spans of a dead process older.
#[test]
fn what_a_dead_process_had_in_flight_is_as_old_as_its_own_recording_tells() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let dead = Recorded::create(&path("dead.otlpmm"), "old");
    dead.start(super::Spec { start: 100, ..spec(1) });
    dead.span(super::Spec { trace: 1, parent: 1, start: 110, end: 150, ..spec(2) });
    let later = Recorded::create(&path("later.otlpmm"), "young");
    later.span(super::Spec { start: 20_000, end: 30_000, ..spec(3) });
    let mut model = open(directory.path());
    let age = |snapshot: &Snapshot| {
        let row = snapshot.traces.iter().find(|row| row.trace_id == trace(1)).unwrap();
        assert_eq!((row.end, row.in_flight_count), (None, 1));
        (row.duration(snapshot.until), row.root.duration(snapshot.until))
    };
    let living = ask(&mut model, &query(View::Traces));
    assert_eq!(age(&living), (60 * SECOND - 100 * MILLI, 60 * SECOND - 100 * MILLI));
    dead.writer.close();
    let dead_only = ask(&mut model, &query(View::Traces));
    assert_eq!(age(&dead_only), (50 * MILLI, 50 * MILLI), "the other lives");
    later.writer.close();
    let both = ask(&mut model, &query(View::Traces));
    assert_eq!(
        (both.until, age(&both)),
        (NOON + 30 * SECOND, (50 * MILLI, 50 * MILLI)),
        "the other ended later"
    );
    let rewound = Query { until: Some(NOON + 120 * MILLI), ..query(View::Traces) };
    assert_eq!(age_at(&mut model, &rewound), 20 * MILLI, "not yet dead at the cursor");
    let root = both.traces.iter().find(|row| row.trace_id == trace(1)).unwrap().root.id;
    let waterfall = Query { trace: Some(trace(1)), detail: Some(root), ..query(View::Waterfall) };
    let snapshot = ask(&mut model, &waterfall);
    let tree = snapshot.waterfall.unwrap();
    assert_eq!((tree.end, tree.spans[0].self_time), (NOON + 150 * MILLI, 10 * MILLI));
    assert_eq!(snapshot.detail.unwrap().last, Some(NOON + 150 * MILLI));
}

fn age_at(model: &mut super::Model, query: &Query) -> u64 {
    let snapshot = ask(model, query);
    let row = snapshot.traces.iter().find(|row| row.trace_id == trace(1)).unwrap();
    row.root.duration(snapshot.until)
}
