//! On-disk types of an otlp-mmap recording, version 1.
//!
//! SPEC.md beside this crate is the normative text; this crate is its tables as types. It does no I/O and no
//! allocation. `tests/spec` parses the tables of SPEC.md and compares them with `FIELDS` and `ALL` here.
//!
//! Reading order for a newcomer: [`Header`] and [`SectionEntry`] (where things are), [`SegmentEntry`] and
//! [`RecordHeader`] (how records are published), [`ItemHeader`] (how attributes are encoded), [`EntryHeader`]
//! (the dictionary), [`ActiveBlock`] (spans in flight), [`SeriesHeader`] (metric cells), [`Counter`] (losses).

#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;

mod active;
mod cell;
mod checked;
mod counter;
mod dictionary;
mod header;
mod item;
mod record;
mod segment;

pub use active::{ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, BLOCK_FLAG_SPILLED, BLOCK_SIZE};
pub use cell::{
    CellsHeader, ExponentialCopy, GaugeCopy, HistogramCopy, SERIES_ALIGN, SERIES_FLAG_OVERFLOW, SeriesHeader,
    SeriesKind, SumCell, VALUE_DOUBLE, VALUE_INT, series_size,
};
pub use checked::{seal, unseal};
pub use counter::{COUNTER_SLOTS, Counter, counter_index};
pub use dictionary::{
    Aggregation, DictionaryHeader, EntryHeader, EntryKind, MetricStreamBody, ScopeBody, Temporality,
};
pub use header::{
    BANNER, BYTE_ORDER, EXPORTER_LOCK_BYTE, FileState, HEADER_CRC_OFFSET, HEADER_SIZE, Header, HeaderState,
    MAGIC, MAX_SECTIONS, OverflowPolicy, PAGE_SIZE, SECTIONS_OFFSET, STATE_OFFSET, SectionEntry, SectionKind,
    Signal, VERSION_MAJOR, VERSION_MINOR, WRITER_LOCK_BYTE,
};
pub use item::{
    DroppedBody, ITEM_TRUNCATED, ItemHeader, ItemTag, LinkBody, MAX_ITEM_SIZE, MAX_VALUE_DEPTH,
    SpanEventBody, StatusBody, ValueType,
};
pub use record::{
    EventBody, MEASUREMENT_FLAG_DOUBLE, MEASUREMENT_FLAG_RAW, MeasurementBody, RECORD_FLAG_TRUNCATED,
    RecordHeader, RecordType, SpanBody, record_check,
};
pub use segment::{
    Acknowledged, Committed, MAX_SEGMENT_COUNT, MAX_SEGMENT_SIZE, MIN_SEGMENT_SIZE, SegmentEntry,
};

/// Unsigned 16-bit little-endian integer as stored.
pub type U16 = zerocopy::little_endian::U16;
/// Unsigned 32-bit little-endian integer as stored.
pub type U32 = zerocopy::little_endian::U32;
/// Unsigned 64-bit little-endian integer as stored.
pub type U64 = zerocopy::little_endian::U64;
/// Signed 32-bit little-endian integer as stored.
pub type I32 = zerocopy::little_endian::I32;
/// Signed 64-bit little-endian integer as stored.
pub type I64 = zerocopy::little_endian::I64;

/// One field of an on-disk structure, as the SPEC.md table must give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, the same in SPEC.md and in Rust.
    pub name: &'static str,
    /// Offset in bytes from the start of its structure.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// The generation after `generation`, of a segment or a block (SPEC "Generations"). 0 means "never" and is left
/// out at the wrap; so is 1, because the parity must change with every step (`SegmentEntry::base_records`).
pub const fn next_generation(generation: u32) -> u32 {
    match generation {
        u32::MAX => 2,
        current => current + 1,
    }
}

/// Rounds a size or offset up to the next multiple of 8 (SPEC "Conventions").
pub const fn align8(bytes: usize) -> usize {
    bytes.div_ceil(8) * 8
}
