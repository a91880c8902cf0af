//! Dictionary: an append-only log of strings and definitions (SPEC "Dictionary").
//!
//! A reference is an entry's offset from the start of the section divided by 8; 0 refers to nothing.

use crate::{I32, U32, U64};

on_disk! {
    /// The start of the dictionary section.
    pub struct DictionaryHeader [64] {
        /// Bytes in use from the start of the section, this header included; a multiple of 8. SYNC DICT.
        pub committed: U64,
        /// Zero.
        pub reserved: [U64; 7],
    }
}

on_disk! {
    /// The start of every dictionary entry; its payload and padding to 8 bytes follow.
    pub struct EntryHeader [16] {
        /// Length of header and payload in bytes, without padding.
        pub length: U32,
        /// `EntryKind`; an unknown one is skipped.
        pub kind: U32,
        /// CRC32C of bytes `0..8` and `16..length` of the entry.
        pub crc: U32,
        /// Zero.
        pub reserved: U32,
    }
}

on_disk! {
    /// Payload of a `Scope` entry before its items (Name, Version, `SchemaUrl`, attributes).
    pub struct ScopeBody [8] {
        /// Dictionary reference of the `Resource`.
        pub resource_ref: U32,
        /// Zero.
        pub reserved: U32,
    }
}

on_disk! {
    /// Payload of a `MetricStream` entry before its items (Name, Description, Unit, Boundaries).
    pub struct MetricStreamBody [24] {
        /// Dictionary reference of the `Scope`.
        pub scope_ref: U32,
        /// `Aggregation`.
        pub aggregation: U32,
        /// `Temporality` the stream asks for; 0 for a gauge. Cells are cumulative whatever it says.
        pub temporality: U32,
        /// 1 for a monotonic sum; 0 otherwise.
        pub is_monotonic: U32,
        /// Most buckets of each sign of an exponential histogram; 0 otherwise.
        pub max_buckets: U32,
        /// Highest scale of an exponential histogram, -10 to 20; 0 otherwise.
        pub max_scale: I32,
    }
}

codes! {
    /// Kinds of dictionary entries.
    pub enum EntryKind: u32 {
        /// UTF-8 bytes.
        String = 1,
        /// Items: attributes, `SchemaUrl`.
        Resource = 2,
        /// `ScopeBody`, then items.
        Scope = 3,
        /// `MetricStreamBody`, then items.
        MetricStream = 4,
        /// Attributes of a series, sorted by key, no key twice.
        AttributeSet = 5,
    }
}

codes! {
    /// Aggregations of a metric stream.
    pub enum Aggregation: u32 {
        /// Last value.
        Gauge = 1,
        /// Sum.
        Sum = 2,
        /// Histogram with explicit boundaries.
        Histogram = 3,
        /// Base-2 exponential histogram.
        ExponentialHistogram = 4,
    }
}

codes! {
    /// OTLP `AggregationTemporality`.
    pub enum Temporality: u32 {
        /// Since the last report.
        Delta = 1,
        /// Since the start.
        Cumulative = 2,
    }
}
