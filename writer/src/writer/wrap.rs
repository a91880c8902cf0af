//! Recordings that are as old as their numbers allow: generations, versions and counts near their last values, and
//! past them. Records keep coming, none is lost or found twice, and observers count right.

use super::Writer;
use crate::config::{Config, Overflow};
use crate::telemetry::{
    Aggregation, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanKind, SpanRef, SpanStart,
    Temporality, Text, Value,
};
use otlp_mmap_format::{Counter, Signal, counter_index};
use otlp_mmap_reader::model::Point;
use otlp_mmap_reader::{Exporter, Observer, Recording};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The largest value of a checked word.
const LAST: u64 = (1 << 56) - 1;

/// A writer whose recording can be made old.
struct Aged {
    writer: Writer,
    scope: ScopeRef,
    _directory: tempfile::TempDir,
}

impl Aged {
    fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path().join("old.otlpmm"));
        config.segment_size = 4096;
        (config.span_segments, config.event_segments, config.measurement_segments) = (3, 4, 2);
        config.active_blocks = 16;
        configure(&mut config);
        let writer = Writer::create(config).unwrap();
        let resource = writer.create_resource(&(), None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "old", None, None, &()).unwrap();
        Self { writer, scope, _directory: directory }
    }

    fn recording(&self) -> Recording {
        Recording::open(self.writer.path().unwrap()).unwrap()
    }

    fn event(&self, time: u64) -> Result<(), crate::Error> {
        let attributes = [KeyValue { key: "number", value: Value::Int(time.cast_signed()) }];
        self.writer.record_event(&Event {
            scope: self.scope,
            context: None,
            name: Some(Text::Str("event")),
            time_unix_nano: time,
            observed_time_unix_nano: 0,
            severity_number: 9,
            severity_text: "",
            body: None,
            attributes: &attributes,
            dropped_attributes_count: 0,
        })
    }

    fn start(&self, number: u64) -> SpanRef {
        let start = SpanStart {
            scope: self.scope,
            trace_id: [1; 16],
            span_id: number.to_be_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano: number,
            attributes: &(),
        };
        self.writer.start_span(&start).unwrap()
    }

    fn stream(&self, aggregation: Aggregation<'_>) -> MetricRef {
        let name = format!("{aggregation:?}");
        let stream = MetricStream { name: &name, description: "", unit: "", aggregation };
        self.writer.create_metric_stream(self.scope, &stream).unwrap()
    }

    /// The generation that the newest event stands in.
    fn newest_generation(&self) -> u32 {
        let recording = self.recording();
        let batch = recording.observe().poll().unwrap();
        let newest = batch.records.last().unwrap().time_unix_nano();
        let of = |record: &otlp_mmap_reader::model::Record| match record {
            otlp_mmap_reader::model::Record::Event(event) => (event.time_unix_nano, event.position.segment),
            other => panic!("{other:?}"),
        };
        let (_, segment) = batch.records.iter().map(of).find(|(time, _)| *time == newest).unwrap();
        batch.progress.iter().find(|progress| progress.segment == segment).unwrap().generation
    }
}

/// An observer that counts.
struct Counting {
    observer: Observer,
    times: Vec<u64>,
    missed: u64,
}

impl Counting {
    /// As an observer of the recording from now on.
    fn new(observer: Observer) -> Self {
        let mut counting = Self { observer, times: Vec::new(), missed: 0 };
        counting.poll();
        assert_eq!((counting.times.len(), counting.missed), (0, 0));
        counting
    }

    fn poll(&mut self) -> Vec<otlp_mmap_reader::Progress> {
        let batch = self.observer.poll().unwrap();
        assert_eq!(batch.report.faults, []);
        self.missed += batch.missed(Signal::Events);
        self.times.extend(batch.records.iter().map(otlp_mmap_reader::model::Record::time_unix_nano));
        batch.progress
    }
}

#[test]
fn segments_go_through_the_last_generation() {
    const EVENTS: u64 = 4_000;
    // Both parities, and both sides of the step.
    for generation in u32::MAX - 5..=u32::MAX {
        let aged = Aged::new(|_| {});
        let before = LAST - EVENTS;
        aged.writer.recorder().unwrap().events.age(generation, before);
        let mut often = Counting::new(aged.recording().observe());
        let mut seldom = Counting::new(aged.recording().observe());
        for time in 1..=EVENTS {
            aged.event(time).unwrap();
            if time % 7 == 0 {
                often.poll();
            }
            if time % 500 == 0 {
                seldom.poll();
            }
        }
        often.poll();
        seldom.poll();
        assert!((often.times.iter().copied()).eq(1..=EVENTS) && often.missed == 0);
        assert!(seldom.times.is_sorted() && seldom.missed > 0);
        assert_eq!(seldom.times.len() as u64 + seldom.missed, EVENTS);
        assert!((2..100).contains(&aged.newest_generation()), "{}", aged.newest_generation());
        let snapshot = aged.recording().snapshot().unwrap();
        assert_eq!(snapshot.report.faults, []);
        assert_eq!(aged.recording().verify().unwrap().faults, []);
        let losses = snapshot.losses.signal(Signal::Events);
        assert_eq!(losses.recorded, 4 * before + EVENTS);
        assert_eq!(losses.overwritten, losses.recorded - snapshot.events.len() as u64);
        let times: Vec<u64> = snapshot.events.iter().map(|event| event.time_unix_nano).collect();
        assert!(times.iter().copied().eq(EVENTS + 1 - times.len() as u64..=EVENTS));
    }
}

#[test]
fn acknowledgements_go_through_the_last_generation() {
    for overflow in [Overflow::DiscardNewest, Overflow::Block { timeout: Duration::from_mins(1) }] {
        for generation in u32::MAX - 2..=u32::MAX {
            let aged = Aged::new(|config| config.overflow = overflow);
            aged.writer.recorder().unwrap().events.age(generation, 0);
            let exporter = Exporter::attach(aged.writer.path().unwrap()).unwrap();
            let mut delivered = Counting::new(exporter.recording().observe_unacknowledged());
            for time in 1..=2_000 {
                aged.event(time).unwrap();
                if time % 20 != 0 {
                    continue;
                }
                for progress in delivered.poll() {
                    let (segment, generation) = (progress.segment, progress.generation);
                    let done =
                        exporter.acknowledge(progress.signal, segment, generation, progress.records).unwrap();
                    assert!(done, "generation {generation}");
                }
            }
            assert!(delivered.times.iter().copied().eq(1..=2_000) && delivered.missed == 0);
            assert!((2..100).contains(&aged.newest_generation()));
            let losses = aged.recording().losses().unwrap();
            assert_eq!(
                (losses.signal(Signal::Events).recorded, losses.signal(Signal::Events).lost()),
                (2_000, 0)
            );
        }
    }
}

#[test]
fn blocks_go_through_the_last_generation() {
    for generation in u32::MAX - 3..=u32::MAX {
        let aged = Aged::new(|_| {});
        aged.writer.recorder().unwrap().active.age(generation);
        let mut old: Vec<SpanRef> = Vec::new();
        for number in 1..200_u64 {
            let span = aged.start(number);
            let recording = aged.recording();
            let in_flight = recording.snapshot().unwrap().spans_in_flight;
            let ids: Vec<_> = in_flight.iter().map(|span| span.span_id).collect();
            assert_eq!(ids, [number.to_be_bytes()]);
            assert_eq!(recording.verify().unwrap().faults, []);
            aged.writer.end_span(span, number).unwrap();
            assert!(
                old.iter().all(|old| aged.writer.end_span(*old, 1).is_err()),
                "an old reference is alive"
            );
            old.push(span);
        }
        assert!(old.iter().any(|span| span.generation < 20), "no block came so far");
        let snapshot = aged.recording().snapshot().unwrap();
        let last = snapshot.spans.last().unwrap();
        assert_eq!((last.span_id, snapshot.spans_in_flight.len()), (199_u64.to_be_bytes(), 0));
        assert_eq!(snapshot.losses.signal(Signal::Spans).recorded, 199);
    }
}

#[test]
fn spans_without_a_block_go_through_the_last_number() {
    let aged = Aged::new(|_| {});
    let in_blocks: Vec<SpanRef> = (1..=16).map(|number| aged.start(number)).collect();
    let early: Vec<SpanRef> = (17..=20).map(|number| aged.start(number)).collect();
    aged.writer.recorder().unwrap().active.age_spilled(u32::MAX - 2);
    let late: Vec<SpanRef> = (21..=40).map(|number| aged.start(number)).collect();
    for (number, span) in (1..).zip(in_blocks.iter().chain(&early).chain(&late)) {
        let attributes = [KeyValue { key: "number", value: Value::Int(number) }];
        aged.writer.set_attributes(*span, &attributes).unwrap();
        aged.writer.end_span(*span, 100 + number.unsigned_abs()).unwrap();
    }
    let spans = aged.recording().snapshot().unwrap().spans;
    assert_eq!(spans.len(), 40);
    for (number, span) in (1_i64..).zip(&spans) {
        assert_eq!(span.span_id, number.to_be_bytes());
        assert_eq!(span.attributes[0].value, otlp_mmap_reader::model::Value::Int(number));
    }
}

#[test]
fn series_go_through_the_last_version() {
    let cumulative = Temporality::Cumulative;
    let exponential =
        Aggregation::ExponentialHistogram { temporality: cumulative, max_buckets: 20, max_scale: 3 };
    for aggregation in [
        Aggregation::Gauge,
        Aggregation::Histogram { temporality: cumulative, boundaries: &[0.0, 10.0] },
        exponential,
    ] {
        let aged = Aged::new(|_| {});
        let stream = aged.stream(aggregation);
        let measure = |time| {
            aged.writer.record_measurement(stream, &(), time, Number::Int(time.cast_signed()), None).unwrap();
        };
        // As many as make the parity that of the version.
        (1..=4).for_each(measure);
        aged.writer.recorder().unwrap().metrics.age(LAST - 5);
        for time in 5..=20_u64 {
            measure(time);
            let snapshot = aged.recording().snapshot().unwrap();
            assert_eq!(snapshot.report.faults, []);
            let [series] = &snapshot.series[..] else { panic!("{time}: {:?}", snapshot.series) };
            assert_eq!(series.time_unix_nano, time);
            match &series.point {
                Point::Gauge(value) => {
                    assert_eq!(*value, otlp_mmap_reader::model::Number::Int(time.cast_signed()));
                }
                Point::Histogram { count, min, .. } | Point::ExponentialHistogram { count, min, .. } => {
                    assert_eq!((*count, *min), (time, Some(1.0)));
                }
                other @ Point::Sum(_) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn counters_are_read_up_to_the_last_value() {
    let aged = Aged::new(|_| {});
    let refused = || assert!(aged.writer.end_span(SpanRef { index: 0, generation: 9, epoch: 0 }, 1).is_err());
    refused();
    let recorder = aged.writer.recorder().unwrap();
    let counters = recorder.layout.section(otlp_mmap_format::SectionKind::Counters, None).offset;
    let word = counters + counter_index(Signal::Spans, Counter::Invalid) * 8;
    recorder.storage.mapping().word(word).store(u64::MAX - 3, Ordering::Relaxed);
    recorder.events.age(1, LAST);
    (0..3).for_each(|_| refused());
    let losses = aged.recording().losses().unwrap();
    let spans = losses.signal(Signal::Spans);
    assert_eq!((spans.counter(Counter::Invalid), spans.lost()), (u64::MAX, u64::MAX));
    assert_eq!(aged.writer.counter(Signal::Spans, Counter::Invalid).unwrap(), u64::MAX);
    assert_eq!(losses.signal(Signal::Events).overwritten, 4 * LAST);
}
