//! What callers hand to the writer: borrowed views of spans, events, measurements and attributes.
//!
//! Names are OpenTelemetry's. Times are unix nanoseconds. Ids are bytes as on the wire; a zero id is none.

use crate::encode::Encoder;
use crate::error::Error;

macro_rules! reference {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// The reference behind a number that [`Self::raw`] gave; the writer checks it at every use.
            pub const fn from_raw(reference: u32) -> Self {
                Self(reference)
            }

            /// The number that stands for it in the file: a dictionary reference (SPEC "Dictionary").
            pub const fn raw(self) -> u32 {
                self.0
            }
        }
    };
}

reference!(
    /// A string in the dictionary.
    StringRef
);
reference!(
    /// A resource in the dictionary.
    ResourceRef
);
reference!(
    /// An instrumentation scope in the dictionary.
    ScopeRef
);
reference!(
    /// A metric stream in the dictionary.
    MetricRef
);

/// A span in flight, as [`crate::Writer::start_span`] returns it. Valid until the span ends, in the process
/// that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanRef {
    pub(crate) index: u32,
    pub(crate) generation: u32,
    pub(crate) epoch: u32,
}

/// A bound series: a metric stream with an attribute set, as [`crate::Writer::bind`] returns it. Valid for that
/// writer, in its forked children too, and for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesRef(pub(crate) u32);

/// A text that is recorded as it is or by reference to the dictionary.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// Stands in the record itself.
    Str(&'a str),
    /// Stands in the dictionary: cheaper for texts that come again and again.
    Ref(StringRef),
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl From<StringRef> for Text<'_> {
    fn from(reference: StringRef) -> Self {
        Self::Ref(reference)
    }
}

/// An OTLP `AnyValue`.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Nothing set.
    Empty,
    /// UTF-8 text.
    String(&'a str),
    /// Boolean.
    Bool(bool),
    /// Signed 64-bit integer.
    Int(i64),
    /// IEEE 754 double, NaN and infinities included.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Values in order, of any types.
    Array(&'a [Value<'a>]),
    /// Keys and values.
    Map(&'a [KeyValue<'a>]),
}

/// An attribute, or an entry of a map.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// The key; must not be empty.
    pub key: &'a str,
    /// The value.
    pub value: Value<'a>,
}

/// The key of an encoded attribute.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// A key by name; interned in the dictionary.
    Str(&'a str),
    /// A key by reference.
    Ref(StringRef),
    /// No key: an element of an array, or the body of an event.
    None,
}

/// Something that encodes itself as attributes: a slice of [`KeyValue`], or the caller's own map.
///
/// `encode` may be called several times for one record (when values have to be cut to fit) and must encode the
/// same attributes each time.
pub trait Attributes {
    /// Encodes every attribute. An error is handed to the caller of the writer, and nothing is recorded.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error>;
}

impl Attributes for [KeyValue<'_>] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.iter().try_for_each(|attribute| encoder.value(Key::Str(attribute.key), &attribute.value))
    }
}

impl Attributes for &[KeyValue<'_>] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        (**self).encode(encoder)
    }
}

impl<const N: usize> Attributes for [KeyValue<'_>; N] {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.as_slice().encode(encoder)
    }
}

impl Attributes for Vec<KeyValue<'_>> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        self.as_slice().encode(encoder)
    }
}

/// No attributes.
impl Attributes for () {
    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Something that encodes itself as one value: the body of an event.
pub trait AnyValue {
    /// Encodes exactly one value under `key`. May be called several times, as [`Attributes::encode`].
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error>;
}

impl AnyValue for Value<'_> {
    fn encode_value(&self, key: Key<'_>, encoder: &mut Encoder<'_>) -> Result<(), Error> {
        encoder.value(key, self)
    }
}

/// The span that an event, link or exemplar belongs to (OTel "SpanContext").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// Trace id, not zero.
    pub trace_id: [u8; 16],
    /// Span id, not zero.
    pub span_id: [u8; 8],
    /// OTLP flags: W3C trace flags in bits 0-7 (bit 0: sampled).
    pub flags: u32,
}

/// OTLP `SpanKind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum SpanKind {
    /// Not said.
    Unspecified = 0,
    /// An operation inside an application.
    #[default]
    Internal = 1,
    /// Handling of a remote request.
    Server = 2,
    /// A request to a remote service.
    Client = 3,
    /// Sending of a message.
    Producer = 4,
    /// Receiving of a message.
    Consumer = 5,
}

/// OTLP `StatusCode` of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum StatusCode {
    /// Not set.
    #[default]
    Unset = 0,
    /// Completed, and said so by the application.
    Ok = 1,
    /// Failed.
    Error = 2,
}

/// What is known of a span when it starts.
#[derive(Clone, Copy)]
pub struct SpanStart<'a> {
    /// Its instrumentation scope.
    pub scope: ScopeRef,
    /// Trace id, not zero.
    pub trace_id: [u8; 16],
    /// Span id, not zero.
    pub span_id: [u8; 8],
    /// Parent's span id; zero for a root span.
    pub parent_span_id: [u8; 8],
    /// W3C trace state; empty: none.
    pub trace_state: &'a str,
    /// OTLP span flags: W3C trace flags in bits 0-7, `has_is_remote` and `is_remote` in bits 8 and 9.
    pub flags: u32,
    /// Name.
    pub name: Text<'a>,
    /// Kind.
    pub kind: SpanKind,
    /// Start time, unix nanoseconds.
    pub start_time_unix_nano: u64,
    /// Attributes.
    pub attributes: &'a dyn Attributes,
}

/// An event within a span.
#[derive(Clone, Copy)]
pub struct SpanEvent<'a> {
    /// Name.
    pub name: Text<'a>,
    /// Time, unix nanoseconds.
    pub time_unix_nano: u64,
    /// Attributes.
    pub attributes: &'a dyn Attributes,
    /// Attributes that the caller left out, to its own limits.
    pub dropped_attributes_count: u32,
}

/// A link from a span to another.
#[derive(Clone, Copy)]
pub struct Link<'a> {
    /// The linked span.
    pub context: SpanContext,
    /// Its W3C trace state; empty: none.
    pub trace_state: &'a str,
    /// Attributes.
    pub attributes: &'a dyn Attributes,
    /// Attributes that the caller left out, to its own limits.
    pub dropped_attributes_count: u32,
}

/// An event: an OTLP log record.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// Its instrumentation scope.
    pub scope: ScopeRef,
    /// The span it happened in.
    pub context: Option<SpanContext>,
    /// Event name.
    pub name: Option<Text<'a>>,
    /// Time, unix nanoseconds; 0: unknown.
    pub time_unix_nano: u64,
    /// When it was seen, unix nanoseconds; 0: unknown.
    pub observed_time_unix_nano: u64,
    /// OTLP `SeverityNumber`, 0 (not said) to 24.
    pub severity_number: u32,
    /// Severity text; empty: none.
    pub severity_text: &'a str,
    /// Body.
    pub body: Option<&'a dyn AnyValue>,
    /// Attributes.
    pub attributes: &'a dyn Attributes,
    /// Attributes that the caller left out, to its own limits.
    pub dropped_attributes_count: u32,
}

/// The value of a measurement; integers stay integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Signed 64-bit integer.
    Int(i64),
    /// IEEE 754 double.
    Double(f64),
}

/// OTLP `AggregationTemporality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Temporality {
    /// Since the last report.
    Delta = 1,
    /// Since the start.
    Cumulative = 2,
}

/// How a metric stream aggregates its measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation<'a> {
    /// Last value.
    Gauge,
    /// Sum.
    Sum {
        /// What the stream asks its exporter for.
        temporality: Temporality,
        /// Only grows: a negative measurement is refused.
        is_monotonic: bool,
    },
    /// Histogram with explicit bucket boundaries.
    Histogram {
        /// What the stream asks its exporter for.
        temporality: Temporality,
        /// Upper boundaries (inclusive) of all buckets but the last; finite and strictly increasing.
        boundaries: &'a [f64],
    },
    /// Base-2 exponential histogram.
    ExponentialHistogram {
        /// What the stream asks its exporter for.
        temporality: Temporality,
        /// Most buckets of each sign, 2 to 16,384.
        max_buckets: u32,
        /// Highest scale, -10 to 20.
        max_scale: i32,
    },
}

/// The definition of a metric stream.
#[derive(Clone, Copy, Debug)]
pub struct MetricStream<'a> {
    /// Name; must not be empty.
    pub name: &'a str,
    /// Description; empty: none.
    pub description: &'a str,
    /// Unit (UCUM); empty: none.
    pub unit: &'a str,
    /// Aggregation.
    pub aggregation: Aggregation<'a>,
}
