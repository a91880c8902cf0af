//! Records: the fixed header and the fixed body of each type (SPEC "Records").
//!
//! A record is `RecordHeader`, the body of its type, then items (see [`crate::ItemHeader`]) up to its length.

use crate::{U16, U32, U64};

/// Set in `RecordHeader::flags`: the record did not fit and values were cut or left out.
pub const RECORD_FLAG_TRUNCATED: u16 = 1;
/// Set in `MeasurementBody::flags`: `value_bits` is an IEEE 754 double; otherwise a signed 64-bit integer.
pub const MEASUREMENT_FLAG_DOUBLE: u32 = 1;
/// Set in `MeasurementBody::flags`: a raw point of a streaming writer; otherwise an exemplar.
pub const MEASUREMENT_FLAG_RAW: u32 = 2;

on_disk! {
    /// The start of every record (SPEC "Record header").
    pub struct RecordHeader [32] {
        /// Length of the whole record in bytes, a multiple of 8, at least the header and the body of its type.
        pub length: U32,
        /// `RecordType`; an unknown one is skipped by its length.
        pub record_type: U16,
        /// `RECORD_FLAG_TRUNCATED` or 0.
        pub flags: U16,
        /// Generation of the segment the record belongs to.
        pub generation: U32,
        /// Number of the record within its generation, from 0.
        pub index: U32,
        /// `record_check` of the four fields above.
        pub check: U32,
        /// CRC32C of bytes `0..16` and `24..length` of the record; 0 if the file carries none.
        pub crc: U32,
        /// The item's own time in unix nanoseconds: end of a span, time of an event or measurement; 0: unknown.
        pub time_unix_nano: U64,
    }
}

on_disk! {
    /// Body of a span, in a SPAN record and at the start of an active span (SPEC "SPAN").
    pub struct SpanBody [56] {
        /// Trace id, never zero.
        pub trace_id: [u8; 16],
        /// Span id, never zero.
        pub span_id: [u8; 8],
        /// Parent's span id; zero for a root span.
        pub parent_span_id: [u8; 8],
        /// Start time, unix nanoseconds.
        pub start_time_unix_nano: U64,
        /// Dictionary reference of the `Scope`.
        pub scope_ref: U32,
        /// OTLP span flags: W3C trace flags in bits 0-7, `has_is_remote` in bit 8, `is_remote` in bit 9.
        pub flags: U32,
        /// Dictionary reference of the name, unless there is a `Name` item: the last of those wins. 0: none.
        pub name_ref: U32,
        /// OTLP `SpanKind` number, 0 to 5.
        pub kind: U32,
    }
}

on_disk! {
    /// Body of an EVENT record: an OTLP log record (SPEC "EVENT").
    pub struct EventBody [48] {
        /// When the event was seen, unix nanoseconds; 0: unknown.
        pub observed_time_unix_nano: U64,
        /// Trace id; zero: none.
        pub trace_id: [u8; 16],
        /// Span id; zero: none.
        pub span_id: [u8; 8],
        /// Dictionary reference of the `Scope`.
        pub scope_ref: U32,
        /// Dictionary reference of the event name, unless there is a `Name` item: the last wins. 0: none.
        pub name_ref: U32,
        /// OTLP `SeverityNumber`, 0 to 24.
        pub severity_number: U32,
        /// OTLP log record flags: W3C trace flags in bits 0-7.
        pub flags: U32,
    }
}

on_disk! {
    /// Body of a MEASUREMENT record: an exemplar or a raw point (SPEC "MEASUREMENT"). Its items are the
    /// attributes that the series does not have.
    pub struct MeasurementBody [48] {
        /// Trace id; zero: none.
        pub trace_id: [u8; 16],
        /// Span id; zero: none.
        pub span_id: [u8; 8],
        /// Dictionary reference of the `MetricStream`.
        pub stream_ref: U32,
        /// Dictionary reference of the series' `AttributeSet`; 0: the empty set.
        pub attributes_ref: U32,
        /// The value: bits of a double or a signed integer, see `flags`.
        pub value_bits: U64,
        /// `MEASUREMENT_FLAG_DOUBLE`, `MEASUREMENT_FLAG_RAW`.
        pub flags: U32,
        /// Zero.
        pub reserved: U32,
    }
}

codes! {
    /// Types of records (SPEC "Records").
    pub enum RecordType: u16 {
        /// An ended span.
        Span = 1,
        /// A log record.
        Event = 2,
        /// An exemplar or raw point.
        Measurement = 3,
    }
}

/// The check word of a record header: it ties length, type, flags, generation and index to each other and to
/// this one file, so that neither stale bytes nor bytes of another file or of a value pass for a record
/// (SPEC "Record check"). `key` is the first 8 bytes of `file_id` as a little-endian integer.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the high half of a u64
pub const fn record_check(
    key: u64,
    length: u32,
    record_type: u16,
    flags: u16,
    generation: u32,
    index: u32,
) -> u32 {
    let first = length as u64 | (record_type as u64) << 32 | (flags as u64) << 48;
    let second = generation as u64 | (index as u64) << 32;
    let mut hash = (first ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 32;
    hash = (hash ^ second).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    (hash >> 32) as u32
}
