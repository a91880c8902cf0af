//! The calls of a scenario as plain data: the traced process makes them, the oracle works out what they leave.
//!
//! Attributes and values are the reader's model, so that one value is both what is recorded and what is expected.

use otlp_mmap_reader::model::{Aggregation, KeyValue, Number, Value};

/// Time of the first call, unix nanoseconds; each later one is a microsecond on.
const FIRST_TIME: u64 = 1_700_000_000_000_000_000;

/// No call records this time or a later one.
pub(crate) const LAST_TIME: u64 = FIRST_TIME + 1_000_000_000;

/// The time that the call with this number in its scenario records.
pub(crate) fn time_of(number: usize) -> u64 {
    FIRST_TIME + number as u64 * 1_000
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Outcome {
    Done,
    Invalid,
    Closed,
    Discarded,
    BlockTimeout,
    DictionaryFull,
    /// Not what any scenario expects.
    Other,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::Invalid,
        Self::Closed,
        Self::Discarded,
        Self::BlockTimeout,
        Self::DictionaryFull,
        Self::Other,
    ];

    /// The outcome with this number.
    pub(crate) fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|outcome| *outcome as u32 == number).unwrap_or(Self::Other)
    }
}

/// A name that stands in the record, or the string that an earlier `Call::Intern` put into the dictionary.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Inline(&'static str),
    /// By its number among the interned strings.
    Interned(usize),
}

/// An event's call.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventCall {
    pub(crate) name: Option<Named>,
    pub(crate) body: Option<Value>,
    pub(crate) attributes: Vec<KeyValue>,
    /// In the context of a span.
    pub(crate) in_span: bool,
    pub(crate) severity_text: &'static str,
    /// OTLP allows 0 to 24.
    pub(crate) severity_number: u32,
    pub(crate) dropped: u32,
}

/// One call on the writer. Definitions, spans and bound series are named by their numbers in the scenario.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// Creates the recording.
    Create,
    /// Forks; from here on the child makes the calls.
    Fork,
    Intern(String),
    Resource(Vec<KeyValue>),
    /// Of the resource with this number.
    Scope(usize, &'static str, Vec<KeyValue>),
    Stream(&'static str, Aggregation),
    Event(Box<EventCall>),
    /// By its handle, or (`by_ids`) by its ids.
    Start {
        span: u8,
        name: Named,
        attributes: Vec<KeyValue>,
        by_ids: bool,
    },
    SetAttributes(u8, Vec<KeyValue>),
    AddEvent(u8, Named, Vec<KeyValue>),
    AddLink(u8, Vec<KeyValue>),
    Rename(u8, &'static str),
    Status(u8, Status, String),
    AddDropped(u8, [u32; 3]),
    End {
        span: u8,
        by_ids: bool,
    },
    /// With `sampled` the measurement is kept as an exemplar, too.
    Measure {
        stream: usize,
        attributes: Vec<KeyValue>,
        value: Number,
        sampled: bool,
    },
    Bind(usize, Vec<KeyValue>),
    MeasureBound(usize, Number),
    /// Interns strings until the dictionary takes no more.
    FillStrings,
    /// Defines resources until the dictionary takes no more.
    FillDefinitions,
    /// The exporter (the tracer) acknowledges all there is; the writer does nothing.
    Acknowledge,
    Close,
    /// Changes a byte of a value in the file: the oracle says that nothing changes.
    Damage,
    /// Does nothing: the oracle says that there is an event.
    Pretend(Box<EventCall>),
}

/// Status of a span.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Status {
    Ok = 1,
    Error = 2,
}

/// A call, and what is known of its end beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
    /// Keys that stand inline because the dictionary is full.
    pub(crate) inlined: u64,
    /// The span's content goes to process memory: the span table is full.
    pub(crate) spills: bool,
    /// The measurement goes to the overflow series.
    pub(crate) overflows: bool,
    /// The exporter acknowledges in the midst of the call, after so many instructions.
    pub(crate) acknowledged_after: Option<u64>,
}

impl From<Call> for Step {
    fn from(call: Call) -> Self {
        Self {
            call,
            outcome: Outcome::Done,
            inlined: 0,
            spills: false,
            overflows: false,
            acknowledged_after: None,
        }
    }
}

impl Call {
    /// The step of a call that ends like this.
    pub(crate) fn ends(self, outcome: Outcome) -> Step {
        Step { outcome, ..self.into() }
    }

    /// The step of a call whose new keys find no room in the dictionary.
    pub(crate) fn inlines(self, inlined: u64) -> Step {
        Step { inlined, ..self.into() }
    }

    /// The step of a call that finds the span table full.
    pub(crate) fn spills(self) -> Step {
        Step { spills: true, ..self.into() }
    }

    /// The step of a measurement that finds no room for its series.
    pub(crate) fn overflows(self) -> Step {
        Step { overflows: true, ..self.into() }
    }
}

/// An attribute.
pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value, truncated: false }
}

/// An attribute whose value is cut to fit.
pub(crate) fn cut(key: &str, value: Value) -> KeyValue {
    KeyValue { truncated: true, ..attribute(key, value) }
}

/// A text.
pub(crate) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Trace id of a span or of the context of an event or exemplar.
pub(crate) fn trace_id(span: u8) -> [u8; 16] {
    [span.wrapping_add(0x10); 16]
}

/// Span id likewise.
pub(crate) fn span_id(span: u8) -> [u8; 8] {
    [span.wrapping_add(0x20); 8]
}

/// The span that events, links and exemplars with a context name.
pub(crate) const CONTEXT: u8 = 0x77;
