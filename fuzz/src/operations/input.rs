//! What the fuzzer chooses. Numbers that name something are taken modulo what there is.

use arbitrary::Arbitrary;

use super::values::{Generated, GeneratedText};

/// Attributes: a number for the key, and a value.
pub(super) type Attributes = Vec<(u8, Generated)>;
/// Attributes of a series: few keys, few values.
pub(super) type SeriesAttributes = Vec<(u8, u8)>;

/// Settings and calls.
#[derive(Arbitrary, Clone, Debug)]
pub struct Program {
    pub(super) settings: Settings,
    pub(super) operations: Vec<Operation>,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) segments: [u8; 3],
    pub(super) blocks: u8,
    pub(super) cardinality: u8,
    pub(super) crc: bool,
    pub(super) stream_measurements: bool,
    pub(super) exporter: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Overwrite,
    Discard,
    Block,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Operation {
    Start(Start),
    SetAttributes {
        span: u8,
        attributes: Attributes,
    },
    AddEvent {
        span: u8,
        name: Name,
        dropped: u8,
        attributes: Attributes,
    },
    AddLink {
        span: u8,
        flags: u16,
        trace_state: GeneratedText,
        dropped: u8,
        attributes: Attributes,
    },
    SetStatus {
        span: u8,
        code: u8,
        message: GeneratedText,
    },
    UpdateName {
        span: u8,
        name: GeneratedText,
    },
    AddDropped {
        span: u8,
        dropped: [u8; 3],
    },
    End {
        span: u8,
        by_ids: bool,
        other_scope: bool,
    },
    EndAgain {
        span: u8,
    },
    Event(Event),
    /// The same small event many times.
    Events {
        times: u8,
        event: Event,
    },
    Intern {
        text: GeneratedText,
    },
    DefineScope {
        attributes: SeriesAttributes,
    },
    DefineStream {
        scope: u8,
        kind: u8,
    },
    Measure {
        stream: u8,
        attributes: SeriesAttributes,
        value: Measured,
        context: Context,
    },
    Bind {
        stream: u8,
        attributes: SeriesAttributes,
    },
    MeasureBound {
        bound: u8,
        value: Measured,
    },
    Observe,
    Deliver,
    Check,
    Close,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) struct Start {
    pub(super) scope: u8,
    pub(super) by_ids: Option<bool>,
    pub(super) zero_id: u8,
    pub(super) parent: bool,
    pub(super) trace_state: GeneratedText,
    pub(super) flags: u16,
    pub(super) name: Name,
    pub(super) kind: u8,
    pub(super) attributes: Attributes,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) struct Event {
    pub(super) scope: u8,
    pub(super) context: Context,
    pub(super) name: Option<Name>,
    pub(super) time: u8,
    pub(super) severity: u8,
    pub(super) severity_text: GeneratedText,
    pub(super) body: Option<Generated>,
    pub(super) dropped: u8,
    pub(super) attributes: Attributes,
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Name {
    Inline(GeneratedText),
    Interned(u8),
    Unknown(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Context {
    None,
    Unsampled,
    Sampled,
    Zero,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Measured {
    Small(i8),
    Int(i64),
    Eighths(i32),
    Bits(u64),
}
