//! How much fits (SPEC "Limits"; the writer's rules of fitting): whether a record must be whole, or must be cut.

use otlp_mmap_format::{DroppedBody, EventBody, ItemHeader, RecordHeader, SpanBody};

const DROPPED: usize = ItemHeader::SIZE + DroppedBody::SIZE;

/// Room in records that fill a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) segment: usize,
}

impl Room {
    /// For the items of an event.
    pub(super) fn event_items(self) -> usize {
        self.segment - RecordHeader::SIZE - EventBody::SIZE - DROPPED
    }

    /// For the content of a span.
    pub(super) fn span(self) -> usize {
        self.segment - RecordHeader::SIZE - DROPPED
    }

    /// For what a span gets before its last name and status.
    pub(super) fn span_items(self) -> usize {
        (self.span() - self.span() / 8) / 8 * 8
    }

    /// For what a span gets before its last status: half of the rest.
    pub(super) fn span_name(self) -> usize {
        usize::midpoint(self.span_items(), self.span()) / 8 * 8
    }
}

/// Whether something was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Everything must be there.
    Whole,
    /// It must say that something is not.
    Cut,
    /// Either: the dictionary has become full, so that sizes are not known.
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

    /// Adds items, up to `room` bytes of content in all; none need no room.
    pub(super) fn grow(&mut self, items: usize, room: usize, is_cut: bool, is_exact: bool) {
        self.bytes += items;
        self.fit = match self.fit {
            _ if !is_exact => Fit::Unknown,
            Fit::Whole if is_cut || (items > 0 && self.bytes > room) => Fit::Cut,
            fit => fit,
        };
    }

    /// Adds counts of what the caller left out. They are kept elsewhere if they have no room.
    pub(super) fn count(&mut self, room: Room) {
        if self.fit == Fit::Whole && self.bytes + DROPPED <= room.span_items() {
            self.bytes += DROPPED;
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
