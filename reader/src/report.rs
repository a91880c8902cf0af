//! What is wrong inside a recording, and how much of it is readable in spite of that.

use std::fmt;

use crate::model::Record;

/// Most faults a report keeps; further ones are counted alone, so that a hostile file cannot fill memory.
pub const MAX_FAULTS: usize = 1_000;

/// The rules of the specification whose breach is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// Bytes that the header promises cannot be read: the file was cut or the disk fails.
    Unreadable,
    /// `HeaderState` holds a known state.
    FileState,
    /// A committed word lies within its section and is aligned.
    Committed,
    /// Words of a segment table entry agree with each other.
    SegmentEntry,
    /// A record header is whole and its check fits.
    RecordCheck,
    /// Records of a segment are numbered without a gap.
    RecordIndex,
    /// The CRC of a record fits.
    RecordCrc,
    /// A record is of its pool's type and has its body.
    RecordBody,
    /// Items lie within what holds them.
    ItemLength,
    /// The payload of an item fits its type.
    ItemPayload,
    /// Values nest at most 32 deep.
    ValueDepth,
    /// Text is UTF-8.
    Utf8,
    /// A reference names a whole dictionary entry of the right kind.
    Reference,
    /// A dictionary entry is whole and its CRC fits.
    DictionaryEntry,
    /// The chain of a span in flight is whole.
    ActiveChain,
    /// A series header is whole and its CRC fits.
    SeriesHeader,
    /// The state of a series fits its kind and its metric stream.
    SeriesState,
}

impl Rule {
    /// Short name, for example `record-check`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::FileState => "file-state",
            Self::Committed => "committed",
            Self::SegmentEntry => "segment-entry",
            Self::RecordCheck => "record-check",
            Self::RecordIndex => "record-index",
            Self::RecordCrc => "record-crc",
            Self::RecordBody => "record-body",
            Self::ItemLength => "item-length",
            Self::ItemPayload => "item-payload",
            Self::ValueDepth => "value-depth",
            Self::Utf8 => "utf-8",
            Self::Reference => "reference",
            Self::DictionaryEntry => "dictionary-entry",
            Self::ActiveChain => "active-chain",
            Self::SeriesHeader => "series-header",
            Self::SeriesState => "series-state",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes from the start of the file.
    pub offset: u64,
    /// Which rule.
    pub rule: Rule,
    /// What was expected and what was found.
    pub detail: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: {}: {}", self.offset, self.rule, self.detail)
    }
}

/// How many things of each kind were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readable {
    /// Ended spans.
    pub spans: u64,
    /// Events.
    pub events: u64,
    /// Exemplars and raw points.
    pub measurements: u64,
    /// Spans in flight.
    pub spans_in_flight: u64,
    /// Metric series.
    pub series: u64,
    /// Dictionary entries.
    pub dictionary_entries: u64,
}

/// The faults met on the way, and what was readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The first [`MAX_FAULTS`] faults in the order they were met.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub omitted: u64,
    /// What was readable.
    pub readable: Readable,
}

impl Report {
    /// Whether no rule was broken.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Faults in all, the omitted ones included.
    pub fn fault_count(&self) -> u64 {
        u64::try_from(self.faults.len()).unwrap_or(u64::MAX).saturating_add(self.omitted)
    }

    /// Counts `records` as readable.
    pub(crate) fn count(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Span(_) => self.readable.spans += 1,
                Record::Event(_) => self.readable.events += 1,
                Record::Measurement(_) => self.readable.measurements += 1,
            }
        }
    }

    /// Adds what `other` found after this one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.omitted = self.omitted.saturating_add(other.omitted);
        for Fault { offset, rule, detail } in other.faults {
            self.fault(offset, rule, || detail);
        }
        self.readable.spans += other.readable.spans;
        self.readable.events += other.readable.events;
        self.readable.measurements += other.readable.measurements;
        self.readable.spans_in_flight += other.readable.spans_in_flight;
        self.readable.series += other.readable.series;
        self.readable.dictionary_entries += other.readable.dictionary_entries;
    }

    /// Adds a fault; its text is only made if it is kept.
    pub(crate) fn fault(&mut self, offset: u64, rule: Rule, detail: impl FnOnce() -> String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { offset, rule, detail: detail() });
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}
