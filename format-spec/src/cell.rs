//! Metric cells: one series per metric stream and attribute set, aggregated in place (SPEC "Metric cells").
//!
//! A sum is two words that are added to atomically. The other kinds hold two copies of their state and a
//! version: the writer changes the copy that is not current and then flips the version, so that a reader, or a
//! kill, meets either the state before a measurement or the state after it.

use crate::{I32, U16, U32, U64};

/// Alignment and granularity of a series in bytes: one cache line.
pub const SERIES_ALIGN: usize = 64;
/// Set in `SeriesHeader::flags`: the series that takes what is over the cardinality limit.
pub const SERIES_FLAG_OVERFLOW: u16 = 1;
/// `GaugeCopy::value_type`, `SumCell::seen`: a signed 64-bit integer.
pub const VALUE_INT: u64 = 1;
/// `GaugeCopy::value_type`, `SumCell::seen`: an IEEE 754 double.
pub const VALUE_DOUBLE: u64 = 2;

on_disk! {
    /// The start of the metric cells section.
    pub struct CellsHeader [64] {
        /// Bytes in use from the start of the section, this header included; a multiple of 64. SYNC CELL.
        pub committed: U64,
        /// Zero.
        pub reserved: [U64; 7],
    }
}

on_disk! {
    /// The start of a series; its cell or its two copies follow at byte 64.
    pub struct SeriesHeader [64] {
        /// Size of the whole series in bytes, a multiple of 64: `series_size(kind, capacity)`.
        pub size: U32,
        /// `SeriesKind`.
        pub kind: U16,
        /// `SERIES_FLAG_OVERFLOW` or 0.
        pub flags: U16,
        /// Dictionary reference of the `MetricStream`.
        pub stream_ref: U32,
        /// Dictionary reference of the `AttributeSet`; 0: the empty set.
        pub attributes_ref: U32,
        /// From when on the series counts, unix nanoseconds: when its stream was created, or its first measurement before that.
        pub start_time_unix_nano: U64,
        /// Buckets of each copy: boundaries + 1 of a histogram, `max_buckets` of an exponential one, else 0.
        pub capacity: U32,
        /// CRC32C of bytes `0..28` of this header.
        pub crc: U32,
        /// Number of flips; the current copy is `version & 1`; 0: no measurement yet; a sum leaves it 0. SYNC FLIP.
        pub version: U64,
        /// Zero.
        pub reserved: [U64; 3],
    }
}

on_disk! {
    /// State of a sum, at byte 64 of its series. Its value is `int_value` if only integers were added, else the
    /// double `int_value + double_bits`.
    pub struct SumCell [64] {
        /// Sum of the integers added, signed 64-bit. SYNC CELL.
        pub int_value: U64,
        /// Sum of the doubles added, bits of a double. SYNC CELL.
        pub double_bits: U64,
        /// `VALUE_INT` and `VALUE_DOUBLE`, whichever were added; bits are only ever set; 0: no measurement yet.
        pub seen: U64,
        /// Time of the latest measurement, unix nanoseconds.
        pub time_unix_nano: U64,
        /// Zero.
        pub reserved: [U64; 4],
    }
}

on_disk! {
    /// One copy of a gauge.
    pub struct GaugeCopy [32] {
        /// Time of the latest measurement, unix nanoseconds.
        pub time_unix_nano: U64,
        /// The value: bits of a double or a signed integer.
        pub value_bits: U64,
        /// `VALUE_INT` or `VALUE_DOUBLE`.
        pub value_type: U64,
        /// Zero.
        pub reserved: U64,
    }
}

on_disk! {
    /// One copy of an explicit histogram; `capacity` bucket counts (u64) follow, padded to 64 bytes. Its count
    /// is the sum of its bucket counts.
    pub struct HistogramCopy [32] {
        /// Time of the latest measurement, unix nanoseconds.
        pub time_unix_nano: U64,
        /// Sum, bits of a double.
        pub sum_bits: U64,
        /// Minimum, bits of a double; valid if the count is not 0.
        pub min_bits: U64,
        /// Maximum, bits of a double; valid if the count is not 0.
        pub max_bits: U64,
    }
}

on_disk! {
    /// One copy of an exponential histogram; `capacity` positive and then `capacity` negative bucket counts
    /// (u64) follow, padded to 64 bytes. Its count is the sum of all bucket counts and the zero count.
    pub struct ExponentialCopy [64] {
        /// Time of the latest measurement, unix nanoseconds.
        pub time_unix_nano: U64,
        /// Sum, bits of a double.
        pub sum_bits: U64,
        /// Minimum, bits of a double; valid if the count is not 0.
        pub min_bits: U64,
        /// Maximum, bits of a double; valid if the count is not 0.
        pub max_bits: U64,
        /// Measurements of exactly zero.
        pub zero_count: U64,
        /// Scale of the buckets.
        pub scale: I32,
        /// Index of the first positive bucket.
        pub positive_offset: I32,
        /// Index of the first negative bucket.
        pub negative_offset: I32,
        /// Positive buckets in use, at most `capacity`.
        pub positive_length: U32,
        /// Negative buckets in use, at most `capacity`.
        pub negative_length: U32,
        /// Zero.
        pub reserved: U32,
    }
}

codes! {
    /// Kinds of series.
    pub enum SeriesKind: u16 {
        /// Last value: two `GaugeCopy`.
        Gauge = 1,
        /// Sum: one `SumCell`.
        Sum = 2,
        /// Explicit histogram: two `HistogramCopy` with buckets.
        Histogram = 3,
        /// Exponential histogram: two `ExponentialCopy` with buckets.
        ExponentialHistogram = 4,
    }
}

impl SeriesKind {
    /// Size of one copy with its buckets in bytes, a multiple of 32: what lies between the two copies.
    pub const fn copy_size(self, capacity: u32) -> u64 {
        let buckets = capacity as u64 * 8;
        match self {
            Self::Gauge => GaugeCopy::SIZE as u64,
            Self::Sum => SumCell::SIZE as u64,
            Self::Histogram => (HistogramCopy::SIZE as u64 + buckets).next_multiple_of(64),
            Self::ExponentialHistogram => (ExponentialCopy::SIZE as u64 + 2 * buckets).next_multiple_of(64),
        }
    }
}

/// Size of a whole series in bytes: its header and its cell or two copies; a multiple of 64.
pub const fn series_size(kind: SeriesKind, capacity: u32) -> u64 {
    let copies = match kind {
        SeriesKind::Sum => 1,
        _ => 2,
    };
    SeriesHeader::SIZE as u64 + copies * kind.copy_size(capacity)
}
