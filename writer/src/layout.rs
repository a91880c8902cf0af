//! Layout: where the sections of a new file lie (SPEC "Section table"), computed once from the configuration.

use crate::config::{Config, Overflow};
use otlp_mmap_format::{
    BLOCK_SIZE, COUNTER_SLOTS, HEADER_SIZE, OverflowPolicy, PAGE_SIZE, SectionEntry, SectionKind,
    SegmentEntry, Signal,
};
use std::ops::Range;
use zerocopy::FromZeros;

/// One section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    pub(crate) kind: SectionKind,
    pub(crate) signal: Option<Signal>,
    /// In bytes from the start of the file.
    pub(crate) offset: usize,
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) entry_size: u32,
    pub(crate) entry_count: u32,
}

/// Every section of a file, in the order of their offsets.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) sections: Vec<Section>,
    pub(crate) file_size: usize,
}

impl Layout {
    /// The layout for a checked configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let mut layout = Self { sections: Vec::new(), file_size: HEADER_SIZE };
        let pools = [
            (Signal::Spans, config.span_segments),
            (Signal::Events, config.event_segments),
            (Signal::Measurements, config.measurement_segments),
        ];
        layout.add(SectionKind::Counters, None, 8, 3 * count(COUNTER_SLOTS));
        for (signal, segments) in pools {
            layout.add(SectionKind::SegmentTable, Some(signal), count(SegmentEntry::SIZE), segments);
        }
        layout.add(SectionKind::ActiveSpans, None, count(BLOCK_SIZE), config.active_blocks);
        layout.add_bytes(SectionKind::MetricCells, config.cells_size);
        layout.add_bytes(SectionKind::Dictionary, config.dictionary_size);
        for (signal, segments) in pools {
            layout.add(SectionKind::Segments, Some(signal), config.segment_size, segments);
        }
        layout
    }

    fn add(&mut self, kind: SectionKind, signal: Option<Signal>, entry_size: u32, entry_count: u32) {
        let length = entry_size as usize * entry_count as usize;
        self.sections.push(Section { kind, signal, offset: self.file_size, length, entry_size, entry_count });
        self.file_size += length.next_multiple_of(PAGE_SIZE);
    }

    fn add_bytes(&mut self, kind: SectionKind, length: u64) {
        // At most 1 GiB by `Config::check`.
        let length = usize::try_from(length).unwrap_or(0).next_multiple_of(PAGE_SIZE);
        let section =
            Section { kind, signal: None, offset: self.file_size, length, entry_size: 0, entry_count: 0 };
        self.sections.push(section);
        self.file_size += length;
    }

    /// The section of a kind and signal; every layout has all of them.
    pub(crate) fn section(&self, kind: SectionKind, signal: Option<Signal>) -> Section {
        let found = self.sections.iter().find(|section| section.kind == kind && section.signal == signal);
        *found.expect("every layout has every section")
    }

    /// Where the part ends that must be backed by storage from the start: header, counters, segment tables.
    pub(crate) fn control_end(&self) -> usize {
        self.section(SectionKind::ActiveSpans, None).offset
    }

    /// The section table as stored.
    pub(crate) fn table(&self) -> Vec<SectionEntry> {
        self.sections.iter().map(Section::entry).collect()
    }
}

impl Section {
    /// Its bytes, from the start of the file.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.length
    }

    fn entry(&self) -> SectionEntry {
        let mut entry = SectionEntry::new_zeroed();
        entry.kind.set(self.kind.code());
        entry.signal.set(self.signal.map_or(0, Signal::code));
        entry.offset.set(self.offset as u64);
        entry.length.set(self.length as u64);
        entry.entry_size.set(self.entry_size);
        entry.entry_count.set(self.entry_count);
        entry
    }
}

impl Overflow {
    pub(crate) fn policy(self) -> OverflowPolicy {
        match self {
            Self::OverwriteOldest => OverflowPolicy::OverwriteOldest,
            Self::DiscardNewest => OverflowPolicy::DiscardNewest,
            Self::Block { .. } => OverflowPolicy::Block,
        }
    }
}

/// Sizes of structures and numbers of counters: far below 2^32.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
