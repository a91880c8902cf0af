//! How much fits (SPEC "Limits"; the writer's rules of fitting): whether a record must be whole, or must be cut.

use otlp_mmap_format::{DroppedBody, EventBody, ItemHeader, RecordHeader, SpanBody};

/// Size of every segment.
pub(super) const SEGMENT: usize = 4096;
const DROPPED: usize = ItemHeader::SIZE + DroppedBody::SIZE;
/// Room for the items of an event.
pub(super) const EVENT_ITEMS: usize = SEGMENT - RecordHeader::SIZE - EventBody::SIZE - DROPPED;
/// Room for the content of a span.
pub(super) const SPAN: usize = SEGMENT - RecordHeader::SIZE - DROPPED;
/// Room for what a span gets before its last name and status.
pub(super) const SPAN_ITEMS: usize = (SPAN - SPAN / 8) / 8 * 8;

/// Room for what a span gets before its last status: half of the rest.
pub(super) const SPAN_NAME: usize = (SPAN_ITEMS + SPAN) / 16 * 8;

/// Whether something was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Everything must be there.
    Whole,
    /// It must say that something is not.
    Cut,
    /// Either: the dictionary was full, so that sizes are not known, or only counts had no room.
    Unknown,
}

/// The content of a span as it grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    bytes: usize,
    fit: Fit,
}

impl Content {
    pub(super) fn new() -> Self {
        Self { bytes: SpanBody::SIZE, fit: Fit::Whole }
    }

    pub(super) fn fit(&self) -> Fit {
        self.fit
    }

    /// Adds items, up to `room` bytes of content in all.
    pub(super) fn grow(&mut self, items: usize, room: usize, is_cut: bool, is_exact: bool) {
        self.bytes += items;
        self.fit = match self.fit {
            _ if !is_exact => Fit::Unknown,
            Fit::Whole if is_cut || self.bytes > room => Fit::Cut,
            fit => fit,
        };
    }

    /// Adds counts of what the caller left out. They are kept elsewhere if they have no room.
    pub(super) fn count(&mut self) {
        if self.fit == Fit::Whole && self.bytes + DROPPED <= SPAN_ITEMS {
            self.bytes += DROPPED;
        } else if self.fit == Fit::Whole {
            self.fit = Fit::Unknown;
        }
    }
}

impl Fit {
    /// Of a record that says it was cut or not.
    pub(super) fn allows(self, truncated: bool) -> bool {
        match self {
            Self::Whole => !truncated,
            Self::Cut => truncated,
            Self::Unknown => true,
        }
    }
}
