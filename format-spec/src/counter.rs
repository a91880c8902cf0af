//! Loss counters (SPEC "Counters"): one u64 per signal and reason.
//!
//! What was overwritten is not here: it follows from `SegmentEntry::base_overwritten`, which a kill cannot
//! tear from the overwriting itself.

use crate::Signal;

/// Counters of each signal; unused ones are zero.
pub const COUNTER_SLOTS: usize = 16;

/// Index of a signal's counter in the counters section: `(signal - 1) * 16 + counter`.
pub const fn counter_index(signal: Signal, counter: Counter) -> usize {
    (signal as usize - 1) * COUNTER_SLOTS + counter as usize
}

codes! {
    /// Why something was lost, or recorded less well than it was given. For metrics the signal is
    /// `Measurements`.
    pub enum Counter: u32 {
        /// Lost: the pool was used up and its policy keeps what is there.
        Discarded = 0,
        /// Lost: the exporter did not free a segment in time.
        BlockTimeout = 1,
        /// Lost: the file system had no room for another segment.
        NoSpace = 2,
        /// Lost: every lane or lock stayed busy for the bounded wait.
        Busy = 3,
        /// Lost: the metric cells are used up, the overflow series' too.
        CellsFull = 4,
        /// Lost: bad input was refused with an error.
        Invalid = 5,
        /// Lost: recorded after the close.
        Closed = 6,
        /// Kept: values were cut or left out so that the record fits. Counts records.
        Truncated = 7,
        /// Kept: a string stands inline because the dictionary is full. Counts strings.
        DictionaryFull = 8,
        /// Kept: a span in flight went to process memory because the table is full. Counts spans.
        Spilled = 9,
        /// Kept: a measurement went to its stream's overflow series. Counts measurements.
        CardinalityOverflow = 10,
        /// Lost: a definition (resource, scope, metric stream) did not fit into the dictionary.
        DefinitionLost = 11,
        /// Lost: an exemplar or raw point was not recorded; its measurement was aggregated.
        ExemplarLost = 12,
    }
}

impl Counter {
    /// Whether it counts things that are not in the file.
    pub const fn is_loss(self) -> bool {
        !matches!(self, Self::Truncated | Self::DictionaryFull | Self::Spilled | Self::CardinalityOverflow)
    }
}
