//! Items: how everything of variable length is encoded (SPEC "Items").
//!
//! An item is `ItemHeader`, payload, zero padding to 8 bytes. Items follow one another; each can be skipped by
//! its length without knowing its tag. The same encoding serves records, active spans and dictionary entries.

use crate::{U32, U64};

/// Bit of a tag: the value was cut to fit, or parts of it were left out.
pub const ITEM_TRUNCATED: u8 = 0x80;
/// Largest length an item can have (24 bits), in bytes.
pub const MAX_ITEM_SIZE: usize = (1 << 24) - 1;
/// How deep arrays and maps nest: a value in an attribute has depth 1. Deeper ones are not written and not read.
pub const MAX_VALUE_DEPTH: usize = 32;

on_disk! {
    /// The start of every item (SPEC "Items").
    pub struct ItemHeader [8] {
        /// Bits 0-7: tag (`ValueType` or `ItemTag`, and `ITEM_TRUNCATED`). Bits 8-31: length of header and
        /// payload in bytes without padding, at least 8.
        pub tag_and_length: U32,
        /// Dictionary reference of the attribute's key or the thing's name; 0: inline or none.
        pub reference: U32,
    }
}

impl ItemHeader {
    /// Builds the header of an item whose header and payload take `length` bytes (at most `MAX_ITEM_SIZE`;
    /// higher bits are lost).
    #[inline]
    pub fn new(tag: u8, length: u32, reference: u32) -> Self {
        Self { tag_and_length: U32::new(u32::from(tag) | (length << 8)), reference: U32::new(reference) }
    }

    /// The tag without `ITEM_TRUNCATED`.
    #[inline]
    pub fn tag(&self) -> u8 {
        self.tag_and_length.get().to_le_bytes()[0] & !ITEM_TRUNCATED
    }

    /// Whether the value was cut.
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.tag_and_length.get().to_le_bytes()[0] & ITEM_TRUNCATED != 0
    }

    /// Length of header and payload in bytes, without padding.
    #[inline]
    pub fn length(&self) -> u32 {
        self.tag_and_length.get() >> 8
    }
}

codes! {
    /// Types of values; as a tag of an item: an attribute, an array element or a map entry with a value of
    /// this type (SPEC "Values").
    pub enum ValueType: u8 {
        /// An OTLP `AnyValue` with nothing set; no payload.
        Empty = 0,
        /// UTF-8 bytes.
        String = 1,
        /// One byte, 0 or 1.
        Bool = 2,
        /// Signed 64-bit integer.
        Int = 3,
        /// IEEE 754 double.
        Double = 4,
        /// Bytes.
        Bytes = 5,
        /// Items without keys, in order.
        Array = 6,
        /// Items with keys.
        Map = 7,
    }
}

codes! {
    /// Tags of items that are not attributes (SPEC "Items").
    pub enum ItemTag: u8 {
        /// Name of a span, event, scope or metric stream: UTF-8, inline or by reference.
        Name = 32,
        /// W3C trace state of a span: UTF-8.
        TraceState = 33,
        /// Status of a span: `StatusBody`, then the message in UTF-8.
        Status = 34,
        /// Event of a span: `SpanEventBody`, the name if inline, padding, attributes.
        SpanEvent = 35,
        /// Link of a span: `LinkBody`, the trace state, padding, attributes.
        Link = 36,
        /// What was left out of a span or event: `DroppedBody`. Several add up.
        Dropped = 37,
        /// Body of an event: one item without a key.
        Body = 38,
        /// Severity text of an event: UTF-8.
        SeverityText = 39,
        /// Version of a scope: UTF-8.
        Version = 40,
        /// Schema URL of a resource or scope: UTF-8.
        SchemaUrl = 41,
        /// Description of a metric stream: UTF-8.
        Description = 42,
        /// Unit of a metric stream: UTF-8.
        Unit = 43,
        /// Bucket boundaries of an explicit histogram: doubles.
        Boundaries = 44,
        /// Cardinality limit of a metric stream, if it has one of its own: `u32`.
        CardinalityLimit = 45,
    }
}

on_disk! {
    /// Payload of a `Status` item before its message.
    pub struct StatusBody [8] {
        /// OTLP `StatusCode` number: 0 unset, 1 ok, 2 error.
        pub code: U32,
        /// Zero.
        pub reserved: U32,
    }
}

on_disk! {
    /// Payload of a `SpanEvent` item before its name and attributes; the item's reference is the name's.
    pub struct SpanEventBody [16] {
        /// Time of the event, unix nanoseconds.
        pub time_unix_nano: U64,
        /// Attributes left out.
        pub dropped_attributes_count: U32,
        /// Length in bytes of the name that follows; 0 if the item's reference names it.
        pub name_length: U32,
    }
}

on_disk! {
    /// Payload of a `Link` item before its trace state and attributes.
    pub struct LinkBody [40] {
        /// Trace id of the linked span.
        pub trace_id: [u8; 16],
        /// Span id of the linked span.
        pub span_id: [u8; 8],
        /// OTLP link flags, as `SpanBody::flags`.
        pub flags: U32,
        /// Attributes left out.
        pub dropped_attributes_count: U32,
        /// Length in bytes of the trace state that follows.
        pub trace_state_length: U32,
        /// Zero.
        pub reserved: U32,
    }
}

on_disk! {
    /// Payload of a `Dropped` item.
    pub struct DroppedBody [16] {
        /// Attributes left out.
        pub attributes: U32,
        /// Span events left out.
        pub events: U32,
        /// Links left out.
        pub links: U32,
        /// Zero.
        pub reserved: U32,
    }
}
