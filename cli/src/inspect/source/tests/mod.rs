//! Tests of the source, over recordings that a writer makes, and over rows made by hand.

mod derive;
mod filtering;
mod following;
mod hostile;
mod speed;
mod thread;
mod views;

use std::path::Path;
use std::sync::Arc;

use otlp_mmap_reader::Signal;
use otlp_mmap_reader::model::{Position, Scope};
use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanContext, SpanKind,
    SpanRef, SpanStart, StatusCode, Temporality, Text, Value, Writer,
};

use super::Model;
use crate::filter::Filter;
use crate::inspect::model::{EventRow, FileId, RecordId, RecordKind, Snapshot, SpanId, SpanRow, TraceId};
use crate::inspect::query::{NamedFilter, Query, View};
use crate::samples::NOON;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// A trace id from a number.
fn trace(number: u64) -> TraceId {
    (u128::from(number) | 1 << 100).to_be_bytes()
}

/// A span id from a number.
fn id(number: u64) -> SpanId {
    number.to_be_bytes()
}

/// A span to be recorded. Times are in milliseconds after noon.
#[derive(Clone, Copy)]
struct Spec<'a> {
    trace: u64,
    id: u64,
    parent: u64,
    name: &'a str,
    start: u64,
    end: u64,
    kind: SpanKind,
    is_error: bool,
}

/// A root span of an own trace that took ten milliseconds.
fn spec(number: u64) -> Spec<'static> {
    Spec {
        trace: number,
        id: number,
        parent: 0,
        name: "GET /cart",
        start: number,
        end: number + 10,
        kind: SpanKind::Server,
        is_error: false,
    }
}

/// A writer with a resource (`service.name`) and a scope.
struct Recorded {
    writer: Writer,
    scope: ScopeRef,
}

impl Recorded {
    /// Small: eight segments of 4 KiB for each signal.
    fn create(path: &Path, service: &str) -> Self {
        let mut config = Config::new(path);
        config.segment_size = 4096;
        (config.span_segments, config.event_segments, config.measurement_segments) = (8, 8, 8);
        Self::with(config, service)
    }

    fn with(mut config: Config, service: &str) -> Self {
        config.service_name = Some(service.to_owned());
        let writer = Writer::create(config).unwrap();
        let attributes = [KeyValue { key: "service.name", value: Value::String(service) }];
        let resource = writer.create_resource(&attributes, None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "test", Some("1.0"), None, &()).unwrap();
        Self { writer, scope }
    }

    fn start(&self, spec: Spec<'_>) -> SpanRef {
        let number = i64::try_from(spec.id).unwrap();
        self.writer
            .start_span(&SpanStart {
                scope: self.scope,
                trace_id: trace(spec.trace),
                span_id: id(spec.id),
                parent_span_id: id(spec.parent),
                trace_state: "",
                flags: 1,
                name: Text::Str(spec.name),
                kind: spec.kind,
                start_time_unix_nano: NOON + spec.start * MILLI,
                attributes: &[KeyValue { key: "n", value: Value::Int(number) }],
            })
            .unwrap()
    }

    fn span(&self, spec: Spec<'_>) {
        let span = self.start(spec);
        if spec.is_error {
            self.writer.set_status(span, StatusCode::Error, "no money").unwrap();
        }
        self.writer.end_span(span, NOON + spec.end * MILLI).unwrap();
    }

    /// An event; in a span unless its number is 0.
    fn event(&self, name: &str, body: &Value<'_>, millis: u64, severity: u32, span: (u64, u64)) {
        let context = SpanContext { trace_id: trace(span.0), span_id: id(span.1), flags: 1 };
        self.writer
            .record_event(&Event {
                scope: self.scope,
                context: Some(context).filter(|_| span.1 != 0),
                name: Some(Text::Str(name)),
                time_unix_nano: NOON + millis * MILLI,
                observed_time_unix_nano: 0,
                severity_number: severity,
                severity_text: "",
                body: Some(body),
                attributes: &(),
                dropped_attributes_count: 0,
            })
            .unwrap();
    }

    fn stream(&self, name: &str, aggregation: Aggregation<'_>) -> MetricRef {
        let stream = MetricStream { name, description: "", unit: "By", aggregation };
        self.writer.create_metric_stream(self.scope, &stream).unwrap()
    }

    fn counter(&self, name: &str) -> MetricRef {
        self.stream(name, Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true })
    }

    fn measure(&self, metric: MetricRef, value: f64, millis: u64, span: Option<(u64, u64)>) {
        let context = span.map(|span| SpanContext { trace_id: trace(span.0), span_id: id(span.1), flags: 1 });
        let time = NOON + millis * MILLI;
        self.writer.record_measurement(metric, &(), time, Number::Double(value), context.as_ref()).unwrap();
    }
}

/// A query for a view.
fn query(view: View) -> Query {
    Query { number: 1, view, ..Query::default() }
}

fn filter(text: &str) -> Arc<NamedFilter> {
    let filter = Filter::parse(text).unwrap();
    Arc::new(NamedFilter { text: text.to_owned(), filter })
}

fn open(path: &Path) -> Model {
    Model::open(&[path.to_owned()])
}

/// Polls and answers, a minute after noon.
fn ask(model: &mut Model, query: &Query) -> Snapshot {
    model.poll(NOON + 60 * SECOND);
    model.answer(query, NOON + 60 * SECOND)
}

/// A row as if it was the record of a number in one file.
fn row(number: u64, parent: u64, start: u64, end: Option<u64>) -> SpanRow {
    let position = Position { segment: 0, sequence: number, offset: 0 };
    SpanRow {
        id: RecordId { file: FileId(0), kind: RecordKind::Record(Signal::Spans, position) },
        trace_id: trace(1),
        span_id: id(number),
        parent_span_id: id(parent),
        name: "op".into(),
        scope: Arc::new(Scope::default()),
        service: "shop".into(),
        kind: 1,
        start,
        end,
        last: None,
        status_code: 0,
        hit: true,
    }
}

/// An event of a span of trace 1.
fn event_row(number: u64, span: u64, time: u64) -> EventRow {
    let position = Position { segment: 0, sequence: number, offset: 0 };
    EventRow {
        id: RecordId { file: FileId(0), kind: RecordKind::Record(Signal::Events, position) },
        time,
        severity_number: 9,
        severity_text: "".into(),
        event_name: "e".into(),
        body: "".into(),
        scope: Arc::new(Scope::default()),
        service: "shop".into(),
        trace_id: trace(1),
        span_id: id(span),
    }
}
