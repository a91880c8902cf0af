//! A recording at several moments of its life, so that pages of different age can be mixed.
//!
//! Everything in it has an id of its own: spans their span id, events the time they were observed, measurements their
//! time. Its segments are of two pages and few, so that they are recycled; its series and its spans in flight stand in
//! one page each, so that none is of two ages.

use super::image::{Reading, Section, put};
use otlp_mmap_format::{FileState, STATE_OFFSET, SectionKind, U64};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Observer, Recording};
use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanContext, SpanKind,
    SpanStart, Temporality, Text, Value, Writer,
};
use std::path::PathBuf;

/// Size of a segment: two pages.
pub(super) const SEGMENT_SIZE: usize = 8192;
/// Rounds of recording; each makes a version.
const ROUNDS: u64 = 24;
/// Records of each signal in a round.
const RECORDS: u64 = 11;

/// A recording while it grew.
pub(super) struct Recorded {
    /// Its bytes after each round, oldest first; the last is closed.
    pub(super) versions: Vec<Vec<u8>>,
    /// Every record that was ever published.
    pub(super) history: Vec<Record>,
}

/// Makes the recording.
pub(super) fn record() -> Recorded {
    let directory = tempfile::tempdir().expect("a directory");
    let mut maker = Maker::new(directory.path().join("stale.otlpmm"));
    (0..ROUNDS).for_each(|round| maker.round(round));
    maker.writer.close();
    maker.keep();
    maker.recorded
}

struct Maker {
    writer: Writer,
    path: PathBuf,
    scope: ScopeRef,
    streams: Vec<MetricRef>,
    observer: Observer,
    recorded: Recorded,
}

impl Maker {
    fn new(path: PathBuf) -> Self {
        let mut config = Config::new(&path);
        config.segment_size = u32::try_from(SEGMENT_SIZE).expect("two pages");
        config.active_blocks = 16;
        (config.span_segments, config.event_segments, config.measurement_segments) = (3, 2, 2);
        (config.cells_size, config.dictionary_size) = (64 << 10, 64 << 10);
        let writer = Writer::create(config).expect("a recording");
        let attributes = [KeyValue { key: "service.name", value: Value::String("stale") }];
        let resource = writer.create_resource(&attributes, None).expect("room");
        let scope = writer.create_instrumentation_scope(resource, "scope", None, None, &()).expect("room");
        let (temporality, boundaries) = (Temporality::Cumulative, &[10.0, 100.0][..]);
        let aggregations = [
            Aggregation::Gauge,
            Aggregation::Sum { temporality, is_monotonic: true },
            Aggregation::Histogram { temporality, boundaries },
            Aggregation::ExponentialHistogram { temporality, max_buckets: 8, max_scale: 20 },
        ];
        let stream = |aggregation| MetricStream { name: "metric", description: "", unit: "", aggregation };
        let streams = aggregations.map(stream).map(|stream| writer.create_metric_stream(scope, &stream));
        let streams = streams.map(|stream| stream.expect("room")).to_vec();
        let observer = Recording::open(&path).expect("a recording").observe();
        let recorded = Recorded { versions: Vec::new(), history: Vec::new() };
        Self { writer, path, scope, streams, observer, recorded }
    }

    /// Records something of everything, with names that only this round has.
    fn round(&mut self, round: u64) {
        let name = format!("the name that only round {round} has");
        for number in round * RECORDS + 1..=(round + 1) * RECORDS {
            self.span(number, &name);
            self.event(number, &name);
            self.measurement(number);
            self.observe();
        }
        self.keep();
    }

    fn span(&self, number: u64, name: &str) {
        let start = SpanStart {
            scope: self.scope,
            trace_id: [7; 16],
            span_id: number.to_be_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str(name),
            kind: SpanKind::Internal,
            start_time_unix_nano: 1_000 + number,
            attributes: &[KeyValue { key: "filling", value: Value::String(&"f".repeat(300)) }],
        };
        let span = self.writer.start_span(&start).expect("room");
        // The last of each round stays in flight, for a while.
        if number.is_multiple_of(RECORDS) && (number / RECORDS).is_multiple_of(3) {
            return;
        }
        self.writer.end_span(span, 2_000 + number).expect("a span in flight");
    }

    fn event(&self, number: u64, name: &str) {
        let name = self.writer.record_string(name).expect("room");
        let event = Event {
            scope: self.scope,
            context: None,
            name: Some(Text::Ref(name)),
            time_unix_nano: 3_000 + number,
            observed_time_unix_nano: number,
            severity_number: 9,
            severity_text: "",
            body: Some(&Value::String(&"b".repeat(400))),
            attributes: &[KeyValue { key: "number", value: Value::Int(7) }],
            dropped_attributes_count: 0,
        };
        self.writer.record_event(&event).expect("room");
    }

    fn measurement(&self, number: u64) {
        let stream = self.streams[usize::try_from(number).expect("few") % self.streams.len()];
        let context = SpanContext { trace_id: [5; 16], span_id: [6; 8], flags: 1 };
        let value = Number::Int(i64::try_from(number).expect("few"));
        let attributes = [KeyValue { key: "of", value: Value::String("all") }];
        let recorded =
            self.writer.record_measurement(stream, &attributes, 4_000 + number, value, Some(&context));
        recorded.expect("room");
    }

    fn observe(&mut self) {
        let batch = self.observer.poll().expect("records");
        assert_eq!((batch.missed, batch.report.fault_count()), ([0; 3], 0));
        self.recorded.history.extend(batch.records);
    }

    /// Keeps the file as it is now, as one of another boot.
    fn keep(&mut self) {
        let snapshot = Recording::open(&self.path).expect("a recording").snapshot().expect("a snapshot");
        assert_eq!(snapshot.report.faults, []);
        let mut image = std::fs::read(&self.path).expect("its bytes");
        Reading::DeadBefore.prepare(&mut image);
        if self.recorded.versions.len() as u64 == ROUNDS {
            put(&mut image, STATE_OFFSET, &U64::new(FileState::Closed.code()));
        }
        assert_eq!(Section::find(&image, SectionKind::ActiveSpans, None).bytes.len(), 4096);
        self.recorded.versions.push(image);
    }
}
