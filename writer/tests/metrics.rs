//! Bound series: totals that are observed, exemplars, streams with a limit of their own, and all of them in a
//! forked child.

mod support;

use otlp_mmap_reader::model::{Number as Found, Point};
use otlp_mmap_reader::{Recording, Snapshot};
use otlp_mmap_writer::{
    Aggregation, Counter, Error, KeyValue, MetricRef, MetricStream, Number, SeriesRef, Signal, SpanContext,
    Temporality, Value,
};
use support::{Program, attribute, clean, text};

const SUM: Aggregation<'static> =
    Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };

impl Program {
    fn bind(&self, metric: MetricRef, user: i64) -> SeriesRef {
        self.writer.bind(metric, &[KeyValue { key: "user", value: Value::Int(user) }]).unwrap()
    }

    fn limited(&self, name: &str, limit: u32) -> MetricRef {
        let stream = MetricStream { name, description: "", unit: "1", aggregation: SUM };
        self.writer.create_limited_metric_stream(self.scope, &stream, limit).unwrap()
    }

    fn invalid(&self) -> u64 {
        self.writer.counter(Signal::Measurements, Counter::Invalid).unwrap()
    }
}

fn points(snapshot: &Snapshot) -> Vec<Point> {
    snapshot.series.iter().map(|series| series.point.clone()).collect()
}

#[test]
fn a_total_takes_the_place_of_the_one_before() {
    let program = Program::new(|_| {});
    let series = program.bind(program.sum("sum"), 1);
    let store = |time, total| program.writer.record_total(series, time, total);
    for (time, total, found) in [
        (1, Number::Int(5), Found::Int(5)),
        (2, Number::Int(3), Found::Int(3)),
        (3, Number::Double(4.5), Found::Double(4.5)),
        (4, Number::Int(7), Found::Double(7.0)),
    ] {
        store(time, total).unwrap();
        let snapshot = program.snapshot();
        assert_eq!(points(&snapshot), [Point::Sum(found)]);
        assert_eq!(snapshot.series[0].time_unix_nano, time);
    }
    assert!(matches!(store(5, Number::Int(-1)), Err(Error::Invalid { argument: "value", .. })));
    assert_eq!(program.invalid(), 1);
    let gauge = program.bind(program.stream("gauge", Aggregation::Gauge), 1);
    let refused = program.writer.record_total(gauge, 1, Number::Int(1));
    assert!(matches!(refused, Err(Error::Invalid { argument: "series", .. })));
    assert_eq!(program.invalid(), 2);
    program.writer.close();
    assert!(matches!(store(6, Number::Int(9)), Err(Error::Closed)));
}

#[test]
fn totals_over_the_limit_are_counted() {
    let program = Program::new(|config| config.cardinality_limit = 2);
    let sum = program.sum("sum");
    let (first, overflow) = (program.bind(sum, 1), program.bind(sum, 2));
    assert_eq!([first, overflow].map(|series| program.writer.is_overflow(series)), [false, true]);
    for series in [first, overflow] {
        program.writer.record_total(series, 1, Number::Int(1)).unwrap();
    }
    assert_eq!(program.writer.counter(Signal::Measurements, Counter::CardinalityOverflow).unwrap(), 1);
}

#[test]
fn a_stream_has_a_limit_of_its_own() {
    let program = Program::new(|config| config.cardinality_limit = 4);
    for (limit, series) in [(2, 1), (3, 2), (4, 3), (100, 3)] {
        let stream = program.limited(&format!("limited to {limit}"), limit);
        for user in 0..10 {
            program.writer.record_bound(program.bind(stream, user), 1, Number::Int(1)).unwrap();
        }
        let found = program.snapshot().series;
        let found: Vec<_> =
            found.iter().filter(|one| *one.stream.name == *format!("limited to {limit}")).collect();
        assert_eq!(found.iter().filter(|one| !one.overflow).count(), series, "limit {limit}");
        let overflow = found.iter().find(|one| one.overflow).map(|one| &one.point);
        let rest = 10 - i64::try_from(series).unwrap();
        assert_eq!(overflow, Some(&Point::Sum(Found::Int(rest))), "limit {limit}");
    }
    let stream = MetricStream { name: "m", description: "", unit: "", aggregation: SUM };
    for limit in [0, 1] {
        let refused = program.writer.create_limited_metric_stream(program.scope, &stream, limit);
        assert!(matches!(refused, Err(Error::Invalid { argument: "cardinality_limit", .. })));
    }
}

#[test]
fn an_exemplar_needs_no_span_and_keeps_what_its_series_does_not_have() {
    let program = Program::new(|_| {});
    let stream = program.sum("sum");
    let series = program.bind(stream, 7);
    let attributes =
        [("user", Value::Int(7)), ("path", Value::String("/"))].map(|(key, value)| KeyValue { key, value });
    let unsampled = SpanContext { trace_id: [1; 16], span_id: [2; 8], flags: 0 };
    for (time, context) in [(1, None), (2, Some(&unsampled))] {
        program.writer.record_bound(series, time, Number::Int(1)).unwrap();
        program.writer.record_exemplar(series, time, Number::Int(1), context, &attributes).unwrap();
    }
    let snapshot = program.snapshot();
    assert_eq!(points(&snapshot), [Point::Sum(Found::Int(2))]);
    let [none, of_span] = &snapshot.series[0].exemplars[..] else { panic!("{:?}", snapshot.series[0]) };
    assert_eq!((none.trace_id, none.span_id, none.time_unix_nano), ([0; 16], [0; 8], 1));
    assert_eq!((of_span.trace_id, of_span.span_id, of_span.time_unix_nano), ([1; 16], [2; 8], 2));
    for exemplar in [none, of_span] {
        assert_eq!((exemplar.raw, exemplar.value), (false, Found::Int(1)));
        assert_eq!(exemplar.filtered_attributes, [attribute("path", text("/"))]);
    }
    let nobody = SpanContext { trace_id: [0; 16], ..unsampled };
    let refused = program.writer.record_exemplar(series, 3, Number::Int(1), Some(&nobody), &());
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    assert_eq!(program.writer.counter(Signal::Measurements, Counter::ExemplarLost).unwrap(), 1);
}

/// Sums of a child begin at zero under the same series; a total, which is absolute, is what the child observes; a
/// stream's own limit holds in the child too.
#[test]
fn a_child_has_totals_and_limits_of_its_own() {
    let program = Program::new(|_| {});
    let (total, added) = (program.bind(program.sum("total"), 1), program.bind(program.sum("added"), 1));
    let limited = program.limited("limited", 3);
    let record = |number: i64| {
        program.writer.record_total(total, 1, Number::Int(100 + number)).unwrap();
        program.writer.record_bound(added, 1, Number::Int(number)).unwrap();
        let series = program.bind(limited, number);
        program.writer.record_bound(series, 1, Number::Int(1)).unwrap();
    };
    record(1);
    // SAFETY: the child records and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (2..5).for_each(record)));
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    let own = program.writer.path().unwrap();
    let sums = |snapshot: &Snapshot| {
        let named =
            |series: &otlp_mmap_reader::model::Series| (series.stream.name.to_string(), series.overflow);
        let mut sums: Vec<_> = snapshot.series.iter().map(|one| (named(one), one.point.clone())).collect();
        sums.sort_by_key(|(name, _)| name.clone());
        sums
    };
    let of = |name: &str, overflow, value| ((name.to_owned(), overflow), Point::Sum(Found::Int(value)));
    let parents = [of("added", false, 1), of("limited", false, 1), of("total", false, 101)];
    assert_eq!(sums(&program.snapshot()), parents);
    let paths = std::fs::read_dir(program.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let others: Vec<_> = paths.filter(|path| *path != own).collect();
    let [childs] = &others[..] else { panic!("{others:?}") };
    // Of the limit of 3 the parent's series takes one place, and user 2 the other.
    let expected =
        [of("added", false, 9), of("limited", false, 1), of("limited", true, 2), of("total", false, 104)];
    assert_eq!(sums(&clean(&Recording::open(childs).unwrap())), expected);
}
