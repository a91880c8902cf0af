//! The one list of bytes that no check guards: a bit that flips there is not noticed.
//!
//! Every other byte of a recording is guarded, and a flip in it is a fault at its place. SPEC 13.8 has this list in
//! words, for those who read the output of `verify`. Regions are named by the structures and fields of the format.

/// What a flip in a region may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: nobody looks there. All that is read is as before, faults included.
    Nothing,
    /// What the bytes belong to, one span in flight, series, record or counter, may be another or gone; nothing else.
    Own,
}

/// A region without a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// Its name.
    pub region: &'static str,
    /// What a flip in it may do.
    pub effect: Effect,
    /// Why it has no check.
    pub reason: &'static str,
}

const RESERVED: &str = "reserved: zero, and ignored so that later versions may use it";
const UNUSED: &str = "no structure lies there";
const UNPUBLISHED: &str = "not published: of no meaning until a committed word says so";
const ATOMIC: &str = "added to by many threads at once: a check beside it would be torn from it";
const COPY: &str =
    "rewritten with each measurement: a CRC over its buckets would cost more than the measurement";
const IN_FLIGHT: &str =
    "appended to while the span runs: a CRC over it all would be made anew with each append";
const NO_CRC: &str = "the writer was told to make no CRCs";

const fn nothing(region: &'static str, reason: &'static str) -> Unchecked {
    Unchecked { region, effect: Effect::Nothing, reason }
}

const fn own(region: &'static str, reason: &'static str) -> Unchecked {
    Unchecked { region, effect: Effect::Own, reason }
}

/// The list.
pub const UNCHECKED: &[Unchecked] = &[
    own("HeaderState.closed_realtime_nanos", "one word that is shown and leads nowhere"),
    own("HeaderState.backed_bytes", "one word that is shown and leads nowhere"),
    nothing("header page, unused", UNUSED),
    own("counter", ATOMIC),
    nothing("Counters, unused", UNUSED),
    nothing("SegmentEntry.reserved", RESERVED),
    nothing("SegmentTable, unused", UNUSED),
    nothing("segment, unpublished", UNPUBLISHED),
    nothing("RecordHeader.crc, no CRCs", NO_CRC),
    own("record behind its check, no CRCs", NO_CRC),
    own("ActiveBlock.next", IN_FLIGHT),
    own("ActiveBlock.flags", IN_FLIGHT),
    own("ActiveBlock.content", IN_FLIGHT),
    nothing("ActiveBlock.next, not valid", UNPUBLISHED),
    nothing("ActiveBlock.flags, no head", UNPUBLISHED),
    nothing("ActiveBlock.content, unpublished", UNPUBLISHED),
    nothing("CellsHeader.reserved", RESERVED),
    nothing("SeriesHeader.reserved", RESERVED),
    own("SumCell.int_value", ATOMIC),
    own("SumCell.double_bits", ATOMIC),
    own("SumCell.seen", ATOMIC),
    own("SumCell.time_unix_nano", ATOMIC),
    nothing("SumCell.reserved", RESERVED),
    own("GaugeCopy.time_unix_nano", COPY),
    own("GaugeCopy.value_bits", COPY),
    own("GaugeCopy.value_type", COPY),
    nothing("GaugeCopy.reserved", RESERVED),
    own("HistogramCopy.time_unix_nano", COPY),
    own("HistogramCopy.sum_bits", COPY),
    own("HistogramCopy.min_bits", COPY),
    own("HistogramCopy.max_bits", COPY),
    own("ExponentialCopy.time_unix_nano", COPY),
    own("ExponentialCopy.sum_bits", COPY),
    own("ExponentialCopy.min_bits", COPY),
    own("ExponentialCopy.max_bits", COPY),
    own("ExponentialCopy.zero_count", COPY),
    own("ExponentialCopy.scale", COPY),
    own("ExponentialCopy.positive_offset", COPY),
    own("ExponentialCopy.negative_offset", COPY),
    own("ExponentialCopy.positive_length", COPY),
    own("ExponentialCopy.negative_length", COPY),
    nothing("ExponentialCopy.reserved", RESERVED),
    own("bucket", COPY),
    nothing("bucket, not in use", COPY),
    nothing("copy, not in force", "the copy that is being changed, or lags"),
    nothing("copy, padding", UNUSED),
    nothing("MetricCells, unpublished", UNPUBLISHED),
    nothing("DictionaryHeader.reserved", RESERVED),
    nothing("EntryHeader.reserved", RESERVED),
    nothing("entry, padding", UNUSED),
    nothing("Dictionary, unpublished", UNPUBLISHED),
];

impl Unchecked {
    /// Whether nothing lies there at all.
    pub(super) fn is_unused(&self) -> bool {
        [UNUSED, UNPUBLISHED].contains(&self.reason)
    }
}

/// The row of a region; `None`: its bytes are checked.
pub(super) fn find(region: &str) -> Option<&'static Unchecked> {
    UNCHECKED.iter().find(|row| row.region == region)
}
