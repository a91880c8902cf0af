//! What a fuzzer or a property test chooses. Numbers that name something are taken modulo what there is.

use arbitrary::{Arbitrary, Unstructured};

use super::dictionary::DEFINITIONS;
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

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) policy: Policy,
    pub(super) segment_size: u32,
    /// Segments for spans, events, measurements.
    pub(super) segments: [u32; 3],
    pub(super) blocks: u32,
    pub(super) cardinality_limit: u32,
    pub(super) crc: bool,
    pub(super) stream_measurements: bool,
    pub(super) exporter: bool,
    /// Bytes that the dictionary has left for definitions, a multiple of 8, and none for strings; `None`: it is empty.
    pub(super) dictionary_left: Option<u32>,
}

/// From nine bytes.
impl Arbitrary<'_> for Settings {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let policy = Policy::arbitrary(input)?;
        let segments = <[u8; 3]>::arbitrary(input)?;
        let segment_size = match segments[0] / 3 {
            0..64 => 4096,
            64..75 => 8192,
            _ => 12_288,
        };
        let dictionary_left = match segments[1] / 3 {
            0..64 => None,
            64 => Some(DEFINITIONS),
            spare => Some((u32::from(spare) - 65) * 16),
        };
        Ok(Self {
            policy,
            segment_size,
            segments: segments.map(|count| 2 + u32::from(count) % 3),
            blocks: 16 + u32::from(u8::arbitrary(input)?) % 32,
            cardinality_limit: 2 + u32::from(u8::arbitrary(input)?) % 6,
            crc: bool::arbitrary(input)?,
            stream_measurements: bool::arbitrary(input)?,
            exporter: bool::arbitrary(input)?,
            dictionary_left,
        })
    }
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
    /// The same calls many times. Not of a fuzzer: it would change the meaning of inputs it has found.
    #[arbitrary(skip)]
    #[cfg_attr(not(test), expect(dead_code, reason = "only property tests make it"))]
    Repeat {
        times: u8,
        operations: Vec<Operation>,
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
