//! A whole recording in memory, and where its structures lie: by the format crate's `FIELDS`, without the reader.
//!
//! Serves the tool, which changes single fields of what it recorded, and the test, which looks for what the vectors
//! hold. The files are the tool's own, so that what is not as expected is a panic.

use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use otlp_mmap_format::{
    Committed, EntryHeader, Field, HEADER_CRC_OFFSET, Header, ItemHeader, ItemTag, LinkBody, RecordHeader,
    RecordType, SECTIONS_OFFSET, SectionEntry, SectionKind, SegmentEntry, SeriesHeader, Signal,
    SpanEventBody, ValueType, align8, unseal,
};

/// The bytes of a recording.
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
}

/// A section, and where its entry of the section table lies.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// Offset of the `SectionEntry`.
    pub(crate) entry: usize,
    pub(crate) offset: usize,
    pub(crate) entry_size: usize,
    pub(crate) entry_count: usize,
}

/// An item of a list, as offsets from the start of the file.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) at: usize,
    /// Without padding.
    pub(crate) end: usize,
    /// Without `ITEM_TRUNCATED`.
    pub(crate) tag: u8,
    pub(crate) truncated: bool,
    pub(crate) reference: usize,
}

impl Image {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { bytes })
    }

    /// A number of up to 8 bytes.
    pub(crate) fn word(&self, range: Range<usize>) -> u64 {
        self.bytes[range].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The number in a field of the structure at `at`.
    pub(crate) fn number(&self, at: usize, fields: &[Field], name: &str) -> u64 {
        self.word(range(at, fields, name))
    }

    /// The same as a size, an offset or a count.
    pub(crate) fn size(&self, at: usize, fields: &[Field], name: &str) -> usize {
        size(self.number(at, fields, name))
    }

    /// Stores a number in a field of the structure at `at`.
    pub(crate) fn set(&mut self, at: usize, fields: &[Field], name: &str, number: u64) {
        let range = range(at, fields, name);
        let length = range.len();
        self.bytes[range].copy_from_slice(&number.to_le_bytes()[..length]);
    }

    /// Stores another boot id, and the header's CRC that goes with it.
    pub(crate) fn set_boot_id(&mut self, boot_id: [u8; 16]) {
        let range = range(0, Header::FIELDS, "boot_id");
        self.bytes[range].copy_from_slice(&boot_id);
        self.seal();
    }

    /// Makes the header's CRC fit.
    pub(crate) fn seal(&mut self) {
        let crc = crc32c::crc32c(&self.bytes[..HEADER_CRC_OFFSET]);
        self.bytes[HEADER_CRC_OFFSET..HEADER_CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
    }

    /// The section of a kind, and of a signal if there is one for each.
    pub(crate) fn section(&self, kind: SectionKind, signal: Option<Signal>) -> Section {
        let wanted = (u64::from(kind.code()), signal.map_or(0, |signal| u64::from(signal.code())));
        let fields = SectionEntry::FIELDS;
        let entry = (0..self.size(0, Header::FIELDS, "section_count"))
            .map(|index| SECTIONS_OFFSET + index * SectionEntry::SIZE)
            .find(|&at| (self.number(at, fields, "kind"), self.number(at, fields, "signal")) == wanted)
            .expect("a recording has every section");
        Section {
            entry,
            offset: self.size(entry, fields, "offset"),
            entry_size: self.size(entry, fields, "entry_size"),
            entry_count: self.size(entry, fields, "entry_count"),
        }
    }

    /// Offset of the entry of a reference.
    pub(crate) fn entry(&self, reference: usize) -> usize {
        self.section(SectionKind::Dictionary, None).offset + reference * 8
    }

    /// The text of a `String` entry, or "" for another one.
    pub(crate) fn string(&self, reference: usize) -> &str {
        let payload = self.payload(self.entry(reference));
        std::str::from_utf8(&self.bytes[payload]).unwrap_or_default()
    }

    /// The payload of the entry at an offset.
    pub(crate) fn payload(&self, entry: usize) -> Range<usize> {
        entry + EntryHeader::SIZE..entry + self.size(entry, EntryHeader::FIELDS, "length")
    }

    /// Offsets of all entries of the dictionary.
    pub(crate) fn entries(&self) -> Vec<usize> {
        let length = |at| align8(self.size(at, EntryHeader::FIELDS, "length"));
        self.log(SectionKind::Dictionary, length)
    }

    /// Offsets of all series.
    pub(crate) fn series(&self) -> Vec<usize> {
        self.log(SectionKind::MetricCells, |at| self.size(at, SeriesHeader::FIELDS, "size"))
    }

    /// Offsets of what stands in a section behind its header of 64 bytes, which begins with `committed`.
    fn log(&self, kind: SectionKind, length: impl Fn(usize) -> usize) -> Vec<usize> {
        let start = self.section(kind, None).offset;
        let end = start + size(unseal(self.word(start..start + 8)).expect("a whole word"));
        let next = |at: &usize| Some(at + length(*at)).filter(|at| *at < end);
        std::iter::successors(Some(start + 64).filter(|at| *at < end), next).collect()
    }

    /// Offsets of the published records of a slot.
    pub(crate) fn slot_records(&self, signal: Signal, slot: usize) -> Vec<usize> {
        let table = self.section(SectionKind::SegmentTable, Some(signal));
        let entry = table.offset + slot * table.entry_size;
        let segments = self.section(SectionKind::Segments, Some(signal));
        let start = segments.offset + slot * segments.entry_size;
        let published = Committed::unpack(self.number(entry, SegmentEntry::FIELDS, "committed"));
        let published = published.expect("a whole word");
        let end = start + size(published.bytes.into());
        let next = |at: &usize| Some(at + self.size(*at, RecordHeader::FIELDS, "length"));
        let within = |at: &usize| *at < end;
        std::iter::successors(Some(start).filter(within), |at| next(at).filter(within)).collect()
    }

    /// Offsets of all published records of a signal.
    pub(crate) fn records(&self, signal: Signal) -> Vec<usize> {
        let slots = self.section(SectionKind::SegmentTable, Some(signal)).entry_count;
        (0..slots).flat_map(|slot| self.slot_records(signal, slot)).collect()
    }

    /// The items of the record at an offset.
    pub(crate) fn record_items(&self, record: usize) -> Vec<Item> {
        let end = record + self.size(record, RecordHeader::FIELDS, "length");
        let record_type = self.number(record, RecordHeader::FIELDS, "record_type");
        let body = match u16::try_from(record_type).ok().and_then(RecordType::from_code) {
            Some(RecordType::Span) => otlp_mmap_format::SpanBody::SIZE,
            Some(RecordType::Event) => otlp_mmap_format::EventBody::SIZE,
            Some(RecordType::Measurement) => otlp_mmap_format::MeasurementBody::SIZE,
            None => panic!("record type {record_type}"),
        };
        self.items(record + RecordHeader::SIZE + body..end)
    }

    /// The items of a list.
    pub(crate) fn items(&self, list: Range<usize>) -> Vec<Item> {
        let first = Some(list.start).filter(|at| *at < list.end);
        let next = |item: &Item| Some(item.at + align8(item.end - item.at)).filter(|at| *at < list.end);
        std::iter::successors(first.map(|at| self.item(at)), |item| next(item).map(|at| self.item(at)))
            .collect()
    }

    fn item(&self, at: usize) -> Item {
        let word = self.number(at, ItemHeader::FIELDS, "tag_and_length");
        let tag = self.bytes[at];
        Item {
            at,
            end: at + size(word >> 8),
            tag: tag & !otlp_mmap_format::ITEM_TRUNCATED,
            truncated: tag & otlp_mmap_format::ITEM_TRUNCATED != 0,
            reference: self.size(at, ItemHeader::FIELDS, "reference"),
        }
    }

    /// The list of items inside of an item, if it has one; `keyed`: it stands in a list whose values have keys.
    pub(crate) fn inner(&self, item: Item, keyed: bool) -> Option<(Vec<Item>, bool)> {
        let payload = item.at + ItemHeader::SIZE;
        let text = |fields, name| align8(self.size(payload, fields, name));
        let (start, keyed) = if item.tag == ItemTag::SpanEvent.code() {
            (payload + SpanEventBody::SIZE + text(SpanEventBody::FIELDS, "name_length"), true)
        } else if item.tag == ItemTag::Link.code() {
            (payload + LinkBody::SIZE + text(LinkBody::FIELDS, "trace_state_length"), true)
        } else if item.tag == ItemTag::Body.code() {
            (payload, false)
        } else if item.tag == ValueType::Array.code() {
            (self.value(item, keyed), false)
        } else if item.tag == ValueType::Map.code() {
            (self.value(item, keyed), true)
        } else {
            return None;
        };
        Some((self.items(start..item.end), keyed))
    }

    /// Where the value of an item starts, behind its key if that stands inline.
    pub(crate) fn value(&self, item: Item, keyed: bool) -> usize {
        let payload = item.at + ItemHeader::SIZE;
        if keyed && item.reference == 0 {
            payload + 8 + align8(size(self.word(payload..payload + 4)))
        } else {
            payload
        }
    }
}

/// Where a field of the structure at `at` lies.
pub(crate) fn range(at: usize, fields: &[Field], name: &str) -> Range<usize> {
    let field = fields.iter().find(|field| field.name == name);
    let field = field.unwrap_or_else(|| panic!("no field {name}"));
    at + field.offset..at + field.offset + field.size
}

pub(crate) fn size(number: u64) -> usize {
    usize::try_from(number).expect("a size")
}
