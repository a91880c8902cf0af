//! A small recording with something of everything, made by the writer once in each process.
//!
//! Every record has an id of its own: spans their span id, events the time they were observed, measurements their
//! time. So a record that is found names the one that was written.

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

use otlp_mmap_format::{FileState, STATE_OFFSET, U64};
use otlp_mmap_reader::model::{KeyValue, Record, Value};
use otlp_mmap_reader::{Observer, Recording};
use otlp_mmap_torture::model::file::{directory, path_of};
use otlp_mmap_torture::model::given::{Given, GivenBody, attribute, text};
use otlp_mmap_writer::{
    Aggregation, Config, Event, Link, MetricRef, MetricStream, Number, ScopeRef, SpanContext, SpanEvent,
    SpanKind, SpanStart, StatusCode, StringRef, Temporality, Text, Writer,
};

use crate::image::{self, compact};

/// Enough to overwrite, and no more: each record is read several times for each input.
const EVENTS: u64 = 40;
const SPANS: u64 = 36;
const MEASUREMENTS: u64 = 110;
/// Bytes of text that make records large, so that few fill a segment.
const FILLING: usize = 280;

/// The recording, and what was ever in it.
pub struct Sample {
    /// The compact image: not closed, of another boot than any machine's.
    pub image: Vec<u8>,
    /// Earlier images of the same file.
    pub earlier: Vec<Vec<u8>>,
    /// Every record that was ever published.
    pub history: Vec<Record>,
}

/// The sample of this process.
pub fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let mut maker = Maker::new();
        maker.begin();
        maker.fill();
        maker.end();
        maker.finish()
    })
}

/// An image of the sample as its writer left it: closed or killed, on this machine's boot or another one.
pub fn variant(closed: bool, same_boot: bool) -> Vec<u8> {
    let mut image = sample().image.clone();
    if closed {
        image::put(&mut image, STATE_OFFSET, &[U64::new(FileState::Closed.code()), U64::new(1_700_000_000)]);
    }
    if same_boot {
        image::change_header(&mut image, |header| header.boot_id = image::SAME_BOOT);
    }
    image
}

struct Maker {
    writer: Writer,
    file: File,
    scope: ScopeRef,
    name: StringRef,
    attributes: Vec<KeyValue>,
    filling: Vec<KeyValue>,
    streams: Vec<MetricRef>,
    observer: Observer,
    history: Vec<Record>,
    earlier: Vec<Vec<u8>>,
}

impl Maker {
    fn new() -> Self {
        let directory = directory();
        let path = directory.path().join("sample.otlpmm");
        let mut config = Config::new(&path);
        (config.segment_size, config.active_blocks) = (4096, 16);
        (config.span_segments, config.event_segments, config.measurement_segments) = (3, 2, 2);
        (config.cells_size, config.dictionary_size) = (64 << 10, 64 << 10);
        config.cardinality_limit = 3;
        let writer = Writer::create(config).expect("a recording");
        let file = File::open(&path).expect("the recording");
        drop(directory);
        let attributes = every_type();
        let resource = writer.create_resource(&Given(&attributes), Some("https://schema")).expect("room");
        let scope = writer
            .create_instrumentation_scope(resource, "scope", Some("1"), None, &Given(&attributes[..3]))
            .expect("room");
        let name = writer.record_string("a name by reference").expect("room");
        let observer = Recording::open(path_of(&file)).expect("a whole header").observe();
        let filling = vec![attribute("int", Value::Int(7)), attribute("filling", text("f".repeat(FILLING)))];
        let (streams, history, earlier) = (Vec::new(), Vec::new(), Vec::new());
        Self { writer, file, scope, name, attributes, filling, streams, observer, history, earlier }
    }

    /// The file as it is.
    fn image(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = File::open(path_of(&self.file)).expect("the recording");
        file.read_to_end(&mut bytes).expect("its bytes");
        let mut small = compact(&bytes);
        image::change_header(&mut small, |header| header.boot_id = [0x11; 16]);
        small
    }

    fn keep(&mut self) {
        let batch = self.observer.poll().expect("records");
        assert_eq!((batch.missed, batch.report.fault_count()), ([0; 3], 0));
        self.history.extend(batch.records);
    }

    fn begin(&mut self) {
        self.streams = aggregations().iter().map(|aggregation| self.stream(*aggregation)).collect();
        self.event(1);
        self.span(1);
        self.measurement(1);
        self.keep();
        self.earlier.push(self.image());
    }

    fn fill(&mut self) {
        for number in 2..MEASUREMENTS {
            if number < EVENTS {
                self.event(number);
            }
            if number < SPANS {
                self.span(number);
            }
            self.measurement(number);
            self.keep();
            if number % 16 == 0 {
                self.earlier.push(self.image());
            }
        }
    }

    /// Spans in flight, a span that was cut, calls that are refused.
    fn end(&mut self) {
        let long = "long ".repeat(2_000);
        let span = self.start(SPANS);
        self.writer.set_status(span, StatusCode::Error, &long).expect("a span in flight");
        self.writer.end_span(span, 10_000 + SPANS).expect("a span in flight");
        assert!(self.writer.end_span(span, 1).is_err());
        self.start(SPANS + 1);
        let several = self.start(SPANS + 2);
        let attributes = [attribute("several blocks", text("b".repeat(700)))];
        self.writer.set_attributes(several, &Given(&attributes)).expect("a span in flight");
        let spilled = self.start(SPANS + 3);
        for _ in 0..4 {
            self.add_event(spilled, &[attribute("spilled", text("s".repeat(600)))]);
        }
        self.keep();
    }

    fn finish(self) -> Sample {
        Sample { image: self.image(), earlier: self.earlier, history: self.history }
    }

    fn stream(&self, aggregation: Aggregation<'_>) -> MetricRef {
        let stream = MetricStream { name: "metric", description: "what it is", unit: "ms", aggregation };
        self.writer.create_metric_stream(self.scope, &stream).expect("room")
    }

    fn event(&self, number: u64) {
        let everything = number.is_multiple_of(30) || number == 1;
        let context = SpanContext { trace_id: [1; 16], span_id: number.to_be_bytes(), flags: 1 };
        let body = Value::Map(self.attributes.clone());
        let event = Event {
            scope: self.scope,
            context: everything.then_some(context),
            name: Some(if number.is_multiple_of(2) { Text::Ref(self.name) } else { Text::Str("inline") }),
            time_unix_nano: 1_000 + number,
            observed_time_unix_nano: number,
            severity_number: u32::try_from(number % 25).expect("a small number"),
            severity_text: if everything { "text" } else { "" },
            body: if everything { Some(&GivenBody(&body)) } else { None },
            attributes: &Given(if everything { &self.attributes } else { &self.filling }),
            dropped_attributes_count: u32::from(everything),
        };
        self.writer.record_event(&event).expect("room");
    }

    fn start(&self, number: u64) -> otlp_mmap_writer::SpanRef {
        let start = SpanStart {
            scope: self.scope,
            trace_id: [2; 16],
            span_id: number.to_be_bytes(),
            parent_span_id: (number / 2).to_be_bytes(),
            trace_state: if number.is_multiple_of(7) { "a=1" } else { "" },
            flags: 0x101,
            name: if number.is_multiple_of(3) { Text::Ref(self.name) } else { Text::Str("inline") },
            kind: SpanKind::Server,
            start_time_unix_nano: 5_000 + number,
            attributes: &Given(&self.filling),
        };
        self.writer.start_span(&start).expect("room")
    }

    fn span(&self, number: u64) {
        let span = self.start(number);
        if number.is_multiple_of(5) {
            self.add_event(span, &self.attributes);
            let context = SpanContext { trace_id: [3; 16], span_id: [4; 8], flags: 0x100 };
            let attributes = Given(&self.attributes[4..]);
            let link =
                Link { context, trace_state: "c=3", attributes: &attributes, dropped_attributes_count: 2 };
            self.writer.add_link(span, &link).expect("a span in flight");
            self.writer.add_dropped(span, 1, 2, 3).expect("a span in flight");
            self.writer.update_name(span, "renamed").expect("a span in flight");
        }
        self.writer.set_status(span, StatusCode::Ok, "message").expect("a span in flight");
        self.writer.end_span(span, 10_000 + number).expect("a span in flight");
    }

    fn add_event(&self, span: otlp_mmap_writer::SpanRef, attributes: &[KeyValue]) {
        let event = SpanEvent {
            name: Text::Ref(self.name),
            time_unix_nano: 6_000,
            attributes: &Given(attributes),
            dropped_attributes_count: 1,
        };
        self.writer.add_event(span, &event).expect("a span in flight");
    }

    /// A measurement of each kind in turn; the third set of attributes overflows.
    fn measurement(&self, number: u64) {
        let small = i32::try_from(number).expect("a small number");
        let stream = self.streams[usize::try_from(number).expect("a small number") % self.streams.len()];
        let value = if number.is_multiple_of(4) {
            Number::Int(small.into())
        } else {
            Number::Double(f64::from(small) / 4.0)
        };
        let attributes = [attribute("user", Value::Int(i64::from(small) % 3))];
        let context = SpanContext { trace_id: [5; 16], span_id: [6; 8], flags: 1 };
        let attributes = Given(&attributes);
        self.writer
            .record_measurement(stream, &attributes, 20_000 + number, value, Some(&context))
            .expect("room");
    }
}

fn aggregations() -> [Aggregation<'static>; 5] {
    let (delta, cumulative) = (Temporality::Delta, Temporality::Cumulative);
    [
        Aggregation::Gauge,
        Aggregation::Sum { temporality: delta, is_monotonic: true },
        Aggregation::Sum { temporality: cumulative, is_monotonic: false },
        Aggregation::Histogram { temporality: cumulative, boundaries: &[0.5, 5.0, 50.0] },
        Aggregation::ExponentialHistogram { temporality: delta, max_buckets: 8, max_scale: 20 },
    ]
}

/// An attribute of each type of value.
pub fn every_type() -> Vec<KeyValue> {
    let array = Value::Array(vec![Value::Empty, text("deep"), Value::Int(-1)]);
    let map = Value::Map(vec![attribute("array", array.clone()), attribute("map", Value::Map(vec![]))]);
    vec![
        attribute("service.name", text("sample")),
        attribute("bool", Value::Bool(true)),
        attribute("array", array),
        attribute("double", Value::Double(-0.5)),
        attribute("int", Value::Int(7)),
        attribute("text", text("grüße, 世界 🎉")),
        attribute("bytes", Value::Bytes(vec![0, 255, 7])),
        attribute("map", map),
        attribute("infinity", Value::Double(f64::INFINITY)),
        attribute("empty", Value::Empty),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryFile;

    #[test]
    fn the_sample_is_whole_and_has_everything() {
        let file = MemoryFile::new();
        file.put(&sample().image);
        let snapshot = file.recording().expect("a recording").snapshot().expect("a snapshot");
        assert_eq!(snapshot.report.faults, []);
        assert!(!snapshot.events.is_empty() && !snapshot.measurements.is_empty());
        assert!(snapshot.spans.iter().any(|span| span.truncated));
        assert_eq!(snapshot.spans_in_flight.len(), 3);
        assert!(snapshot.spans_in_flight.iter().any(|span| span.spilled));
        assert_eq!(snapshot.series.len(), 15);
        assert!(snapshot.losses.signals.iter().all(|signal| signal.overwritten > 0));
        assert_eq!(u64::try_from(sample().history.len()).expect("few"), EVENTS + SPANS + MEASUREMENTS - 2);
    }
}
