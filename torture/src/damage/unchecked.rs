//! The one list of bytes that no check guards: a bit that flips there is not noticed.
//!
//! Every other byte of a recording is guarded, and a flip in it is a fault at its place. SPEC 13.8 has this list in
//! words, for those who read the output of `verify`. Regions are named by the structures and fields of the format.

/// What a flip in a region may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: nobody looks there. All that is read is as before, faults included.
    Nothing,
    /// Of the one span in flight, series, record or counter that the bytes belong to, these facts may be others
    /// (`facts` has their names); nothing else of it, and nothing else. It may be gone only with a fault in it, or if
    /// [`PRESENCE`] is one of them.
    Own(&'static [&'static str]),
}

/// That a thing is there at all.
pub const PRESENCE: &str = "presence";

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
const UNPROVEN: &str = "in flight, or the writer was told to make no CRCs";
const SHOWN: &str = "one word that is shown and leads nowhere";

const fn nothing(region: &'static str, reason: &'static str) -> Unchecked {
    Unchecked { region, effect: Effect::Nothing, reason }
}

const fn own(region: &'static str, facts: &'static [&'static str], reason: &'static str) -> Unchecked {
    Unchecked { region, effect: Effect::Own(facts), reason }
}

/// What items of a record or of a span in flight say.
const OF_ITEMS: &[&str] = &[
    "name",
    "trace state",
    "attributes",
    "dropped attributes",
    "events",
    "dropped events",
    "links",
    "dropped links",
    "status code",
    "status message",
    "severity text",
    "body",
    "spilled",
];

/// The list.
pub const UNCHECKED: &[Unchecked] = &[
    own("HeaderState.closed_realtime_nanos", &[], SHOWN),
    own("HeaderState.backed_bytes", &[], SHOWN),
    nothing("header page, unused", UNUSED),
    own("counter", &["number"], ATOMIC),
    nothing("Counters, unused", UNUSED),
    nothing("SegmentEntry.reserved", RESERVED),
    nothing("SegmentTable, unused", UNUSED),
    nothing("segment, unpublished", UNPUBLISHED),
    nothing("RecordHeader.crc, no CRCs", NO_CRC),
    own("RecordHeader.time_unix_nano, no CRCs", &["time"], NO_CRC),
    own("ActiveBlock.next", OF_ITEMS, IN_FLIGHT),
    own("ActiveBlock.flags", &["spilled"], IN_FLIGHT),
    nothing("ActiveBlock.next, not valid", UNPUBLISHED),
    nothing("ActiveBlock.flags, no head", UNPUBLISHED),
    nothing("ActiveBlock.content, unpublished", UNPUBLISHED),
    // By its ids a span in flight is known for one that has ended.
    own("SpanBody.trace_id", &[PRESENCE, "trace id"], UNPROVEN),
    own("SpanBody.span_id", &[PRESENCE, "span id"], UNPROVEN),
    own("SpanBody.parent_span_id", &["parent span id"], UNPROVEN),
    own("SpanBody.start_time_unix_nano", &["start time"], UNPROVEN),
    own("SpanBody.scope_ref", &["scope"], UNPROVEN),
    own("SpanBody.flags", &["flags"], UNPROVEN),
    own("SpanBody.name_ref", &["name"], UNPROVEN),
    own("SpanBody.kind", &["kind"], UNPROVEN),
    own("EventBody.observed_time_unix_nano", &["observed time"], NO_CRC),
    own("EventBody.trace_id", &["trace id"], NO_CRC),
    own("EventBody.span_id", &["span id"], NO_CRC),
    own("EventBody.scope_ref", &["scope"], NO_CRC),
    own("EventBody.name_ref", &["name"], NO_CRC),
    own("EventBody.severity_number", &["severity number"], NO_CRC),
    own("EventBody.flags", &["flags"], NO_CRC),
    own("MeasurementBody.trace_id", &["trace id"], NO_CRC),
    own("MeasurementBody.span_id", &["span id"], NO_CRC),
    own("MeasurementBody.stream_ref", &["stream", "series"], NO_CRC),
    own("MeasurementBody.attributes_ref", &["series attributes", "series"], NO_CRC),
    own("MeasurementBody.value_bits", &["value"], NO_CRC),
    own("MeasurementBody.flags", &["value", "type", "raw"], NO_CRC),
    nothing("MeasurementBody.reserved, no CRCs", RESERVED),
    own("items", OF_ITEMS, UNPROVEN),
    nothing("CellsHeader.reserved", RESERVED),
    nothing("SeriesHeader.reserved", RESERVED),
    own("SumCell.int_value", &["value"], ATOMIC),
    own("SumCell.double_bits", &["value"], ATOMIC),
    own("SumCell.seen", &[PRESENCE, "type", "value"], ATOMIC),
    own("SumCell.time_unix_nano", &["time"], ATOMIC),
    nothing("SumCell.reserved", RESERVED),
    own("GaugeCopy.time_unix_nano", &["time"], COPY),
    own("GaugeCopy.value_bits", &["value"], COPY),
    own("GaugeCopy.value_type", &["type", "value"], COPY),
    nothing("GaugeCopy.reserved", RESERVED),
    own("HistogramCopy.time_unix_nano", &["time"], COPY),
    own("HistogramCopy.sum_bits", &["sum"], COPY),
    own("HistogramCopy.min_bits", &["min"], COPY),
    own("HistogramCopy.max_bits", &["max"], COPY),
    own("HistogramCopy, bucket", &["count", "buckets"], COPY),
    own("ExponentialCopy.time_unix_nano", &["time"], COPY),
    own("ExponentialCopy.sum_bits", &["sum"], COPY),
    own("ExponentialCopy.min_bits", &["min"], COPY),
    own("ExponentialCopy.max_bits", &["max"], COPY),
    own("ExponentialCopy.zero_count", &["count", "zero count"], COPY),
    own("ExponentialCopy.scale", &["scale"], COPY),
    own("ExponentialCopy.positive_offset", &["positive offset"], COPY),
    own("ExponentialCopy.negative_offset", &["negative offset"], COPY),
    own("ExponentialCopy.positive_length", &["count", "positive"], COPY),
    own("ExponentialCopy.negative_length", &["count", "negative"], COPY),
    nothing("ExponentialCopy.reserved", RESERVED),
    own("ExponentialCopy, positive bucket", &["count", "positive"], COPY),
    own("ExponentialCopy, negative bucket", &["count", "negative"], COPY),
    nothing("bucket, not in use", COPY),
    nothing("copy, not in force", "the copy that is being changed, or lags"),
    nothing("copy, padding", UNUSED),
    nothing("MetricCells, unpublished", UNPUBLISHED),
    nothing("DictionaryHeader.reserved", RESERVED),
    nothing("EntryHeader.reserved", RESERVED),
    nothing("entry, padding", UNUSED),
    nothing("Dictionary, unpublished", UNPUBLISHED),
];

/// Checked words for which zeros are a value like any other: who loses the page that they stand in is not told.
/// SPEC 13.8 has the reasons.
pub const UNSEEN_ZEROS: &[(&str, &str)] = &[(
    "ActiveBlock.committed",
    "0 is a block that was never taken; a list of those that were would be one more thing that each span changes",
)];

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
