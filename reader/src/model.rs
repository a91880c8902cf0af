//! The model: spans, events and metrics as plain owned values, resolved from a recording.
//!
//! Filled by [`crate::Observer`] and [`crate::Recording`] from private copies of a file's bytes; consumed by the command line, the viewer,
//! the Python `Reader` and [`crate::otlp`]. Names are OTLP's; times are unix nanoseconds.

use std::sync::Arc;

/// Text that many items share, so that a name stored once in a file is also held once in memory.
pub type Text = Arc<str>;

/// An OTLP `AnyValue`.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Nothing set.
    #[default]
    Empty,
    /// UTF-8 text.
    String(String),
    /// Boolean.
    Bool(bool),
    /// Signed 64-bit integer.
    Int(i64),
    /// IEEE 754 double, NaN and infinities included.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order; types may differ.
    Array(Vec<Value>),
    /// Keys and values in order.
    Map(Vec<KeyValue>),
}

/// An attribute or map entry.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// The key; shared, since few keys serve many records.
    pub key: Text,
    /// The value.
    pub value: Value,
    /// The writer cut the value to fit (SPEC "Items", `ITEM_TRUNCATED`).
    pub truncated: bool,
}

/// An OTLP `Resource`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Resource {
    /// Attributes in the order they were given, and `service.instance.id` behind them if it is none of them: the id
    /// of the file as a UUID (SPEC "Resource and scope").
    pub attributes: Vec<KeyValue>,
    /// Schema URL; empty: none.
    pub schema_url: Text,
}

/// An OTLP `InstrumentationScope` with the resource it belongs to.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scope {
    /// The resource.
    pub resource: Arc<Resource>,
    /// Name.
    pub name: Text,
    /// Version; empty: none.
    pub version: Text,
    /// Schema URL; empty: none.
    pub schema_url: Text,
    /// Attributes in the order they were given.
    pub attributes: Vec<KeyValue>,
}

/// Where a record stands in its file. Unique within a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Segment number within its pool, or block index of a span in flight.
    pub segment: u32,
    /// Sequence number of the record in that segment, over all generations.
    pub sequence: u64,
    /// Offset of the record in bytes from the start of the file.
    pub offset: u64,
}

/// A span, ended or in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Where it stands.
    pub position: Position,
    /// Its instrumentation scope.
    pub scope: Arc<Scope>,
    /// Trace id.
    pub trace_id: [u8; 16],
    /// Span id.
    pub span_id: [u8; 8],
    /// Parent's span id; zero for a root.
    pub parent_span_id: [u8; 8],
    /// W3C trace state; empty: none.
    pub trace_state: Text,
    /// OTLP span flags.
    pub flags: u32,
    /// Name.
    pub name: Text,
    /// OTLP `SpanKind` number.
    pub kind: u32,
    /// Start time, unix nanoseconds.
    pub start_time_unix_nano: u64,
    /// End time, unix nanoseconds; `None`: the span is, or was at the crash, in flight.
    pub end_time_unix_nano: Option<u64>,
    /// Attributes, each key once.
    pub attributes: Vec<KeyValue>,
    /// Attributes left out.
    pub dropped_attributes_count: u32,
    /// Events in the order they were added.
    pub events: Vec<SpanEvent>,
    /// Events left out.
    pub dropped_events_count: u32,
    /// Links in the order they were added.
    pub links: Vec<SpanLink>,
    /// Links left out.
    pub dropped_links_count: u32,
    /// OTLP `StatusCode` number: 0 unset, 1 ok, 2 error.
    pub status_code: u32,
    /// Status message; empty: none.
    pub status_message: Text,
    /// The record was truncated to fit.
    pub truncated: bool,
    /// In flight only: later items were in the writer's memory alone, or their blocks cannot be found.
    pub spilled: bool,
}

/// An event of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// Time, unix nanoseconds.
    pub time_unix_nano: u64,
    /// Name.
    pub name: Text,
    /// Attributes.
    pub attributes: Vec<KeyValue>,
    /// Attributes left out.
    pub dropped_attributes_count: u32,
}

/// A link of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// Trace id of the linked span.
    pub trace_id: [u8; 16],
    /// Span id of the linked span.
    pub span_id: [u8; 8],
    /// W3C trace state; empty: none.
    pub trace_state: Text,
    /// OTLP link flags.
    pub flags: u32,
    /// Attributes.
    pub attributes: Vec<KeyValue>,
    /// Attributes left out.
    pub dropped_attributes_count: u32,
}

/// An event: an OTLP `LogRecord`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// Its instrumentation scope.
    pub scope: Arc<Scope>,
    /// Time, unix nanoseconds; 0: unknown.
    pub time_unix_nano: u64,
    /// When it was seen, unix nanoseconds; 0: unknown.
    pub observed_time_unix_nano: u64,
    /// OTLP `SeverityNumber`, 0 to 24.
    pub severity_number: u32,
    /// Severity text; empty: none.
    pub severity_text: Text,
    /// Event name; empty: none.
    pub event_name: Text,
    /// Body; `None`: none.
    pub body: Option<Value>,
    /// Attributes.
    pub attributes: Vec<KeyValue>,
    /// Attributes left out.
    pub dropped_attributes_count: u32,
    /// OTLP log record flags.
    pub flags: u32,
    /// Trace id; zero: none.
    pub trace_id: [u8; 16],
    /// Span id; zero: none.
    pub span_id: [u8; 8],
    /// The record was truncated to fit.
    pub truncated: bool,
}

/// A value that keeps whether it is an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Signed 64-bit integer.
    Int(i64),
    /// IEEE 754 double.
    Double(f64),
}

/// A MEASUREMENT record: an exemplar, or a raw point of a streaming writer.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Where it stands.
    pub position: Position,
    /// Its metric stream.
    pub stream: Arc<MetricStream>,
    /// The series' attributes.
    pub series_attributes: Arc<Vec<KeyValue>>,
    /// Dictionary references of stream and attribute set: what ties it to its series.
    pub series: (u32, u32),
    /// Time, unix nanoseconds.
    pub time_unix_nano: u64,
    /// The value.
    pub value: Number,
    /// Trace id; zero: none.
    pub trace_id: [u8; 16],
    /// Span id; zero: none.
    pub span_id: [u8; 8],
    /// Attributes that the series does not have.
    pub filtered_attributes: Vec<KeyValue>,
    /// A raw point, not an exemplar.
    pub raw: bool,
}

/// A metric stream's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricStream {
    /// Its instrumentation scope.
    pub scope: Arc<Scope>,
    /// Name.
    pub name: Text,
    /// Description; empty: none.
    pub description: Text,
    /// Unit; empty: none.
    pub unit: Text,
    /// How measurements are aggregated.
    pub aggregation: Aggregation,
}

/// The aggregation of a metric stream, with OTLP's temporality numbers (1 delta, 2 cumulative).
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// Last value.
    Gauge,
    /// Sum.
    Sum {
        /// OTLP `AggregationTemporality` number.
        temporality: u32,
        /// Whether it only grows.
        is_monotonic: bool,
    },
    /// Histogram with explicit boundaries.
    Histogram {
        /// OTLP `AggregationTemporality` number.
        temporality: u32,
        /// Upper boundaries of all buckets but the last.
        boundaries: Vec<f64>,
    },
    /// Base-2 exponential histogram.
    ExponentialHistogram {
        /// OTLP `AggregationTemporality` number.
        temporality: u32,
        /// Most buckets of each sign.
        max_buckets: u32,
        /// Highest scale.
        max_scale: i32,
    },
}

/// One series with its value now: an OTLP data point and the stream it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its metric stream.
    pub stream: Arc<MetricStream>,
    /// Its attributes, sorted by key.
    pub attributes: Arc<Vec<KeyValue>>,
    /// Dictionary references of stream and attribute set.
    pub series: (u32, u32),
    /// Takes what is over the cardinality limit.
    pub overflow: bool,
    /// From when on it counts, unix nanoseconds: when its stream was created, or its first measurement before that.
    pub start_time_unix_nano: u64,
    /// Time of the latest measurement, unix nanoseconds.
    pub time_unix_nano: u64,
    /// The value.
    pub point: Point,
    /// The latest exemplars that are still in the file, oldest first.
    pub exemplars: Vec<Measurement>,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// Last value.
    Gauge(Number),
    /// Sum.
    Sum(Number),
    /// Explicit histogram.
    Histogram {
        /// Number of measurements: the sum of the bucket counts.
        count: u64,
        /// Sum of the measurements.
        sum: f64,
        /// Smallest; `None` while `count` is 0.
        min: Option<f64>,
        /// Largest; `None` while `count` is 0.
        max: Option<f64>,
        /// One count more than there are boundaries.
        bucket_counts: Vec<u64>,
    },
    /// Base-2 exponential histogram.
    ExponentialHistogram {
        /// Number of measurements.
        count: u64,
        /// Sum of the measurements.
        sum: f64,
        /// Smallest; `None` while `count` is 0.
        min: Option<f64>,
        /// Largest; `None` while `count` is 0.
        max: Option<f64>,
        /// Scale.
        scale: i32,
        /// Measurements of exactly zero.
        zero_count: u64,
        /// Positive buckets.
        positive: Buckets,
        /// Negative buckets, of absolute values.
        negative: Buckets,
    },
}

/// A run of exponential buckets.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Buckets {
    /// Index of the first.
    pub offset: i32,
    /// Counts.
    pub counts: Vec<u64>,
}

/// Any record of a segment.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An ended span.
    Span(Box<Span>),
    /// A log record.
    Event(Box<Event>),
    /// An exemplar or raw point.
    Measurement(Box<Measurement>),
}
