//! A recording as bytes: its sections, the words that guard its structures, and a smaller copy of it.
//!
//! All offsets come from bytes that a fuzzer may have changed, so what does not lie within the image is passed over.

use std::ops::Range;

use crc32c::{crc32c, crc32c_append};
use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, BYTE_ORDER, CellsHeader, Committed, DictionaryHeader, EntryHeader,
    HEADER_CRC_OFFSET, HEADER_SIZE, Header, MAGIC, MAX_SECTIONS, PAGE_SIZE, RecordHeader, SECTIONS_OFFSET,
    SERIES_ALIGN, SectionEntry, SectionKind, SegmentEntry, SeriesHeader, Signal, U32, U64, VERSION_MAJOR,
    align8, record_check, seal,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A boot id that stands for this machine's: inputs mean the same on any machine.
pub const SAME_BOOT: [u8; 16] = [0xb0; 16];
/// Room for the metric cells of a compact image, in bytes.
const CELLS: usize = 3 * PAGE_SIZE;
/// Room for the dictionary of a compact image, in bytes.
const DICTIONARY: usize = 2 * PAGE_SIZE;
/// Bytes of a series header that its CRC covers.
const SERIES_CRC_LENGTH: usize = 28;

/// A section that lies within its image.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// `SectionKind` number.
    pub kind: u32,
    /// `Signal` number.
    pub signal: u32,
    /// Start in bytes.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// Size of an entry in bytes.
    pub entry_size: usize,
    /// Number of entries.
    pub entry_count: usize,
}

/// The structure at `offset`, if it lies within the image.
pub fn get<T: FromBytes + KnownLayout + Immutable>(image: &[u8], offset: usize) -> Option<T> {
    T::read_from_prefix(image.get(offset..)?).ok().map(|(found, _)| found)
}

/// Stores a structure that lies within the image.
pub fn put<T: IntoBytes + Immutable>(image: &mut [u8], offset: usize, value: &T) {
    if let Some(place) = image.get_mut(offset..).and_then(|rest| rest.get_mut(..size_of::<T>())) {
        place.copy_from_slice(value.as_bytes());
    }
}

/// The sections that lie within the image.
pub fn sections(image: &[u8]) -> Vec<Section> {
    let Some(header) = get::<Header>(image, 0) else { return Vec::new() };
    let count = number(header.section_count).min(MAX_SECTIONS);
    (0..count).filter_map(|index| section(image, index)).collect()
}

fn section(image: &[u8], index: usize) -> Option<Section> {
    let entry: SectionEntry = get(image, SECTIONS_OFFSET + index * SectionEntry::SIZE)?;
    let offset = usize::try_from(entry.offset.get()).ok()?;
    let length = usize::try_from(entry.length.get()).ok()?.min(image.len().checked_sub(offset)?);
    let (entry_size, entry_count) = (number(entry.entry_size), number(entry.entry_count));
    Some(Section {
        kind: entry.kind.get(),
        signal: entry.signal.get(),
        offset,
        length,
        entry_size,
        entry_count,
    })
}

/// The section of a kind and signal.
pub fn find(image: &[u8], kind: SectionKind, signal: Option<Signal>) -> Option<Section> {
    let is_it =
        |section: &Section| section.kind == kind.code() && section.signal == signal.map_or(0, Signal::code);
    sections(image).into_iter().find(is_it)
}

impl Section {
    /// Offsets of the entries that lie within the section.
    pub fn entries(&self) -> impl Iterator<Item = usize> + use<> {
        let (start, size) = (self.offset, self.entry_size.max(1));
        (0..self.entry_count.min(self.length / size)).map(move |index| start + index * size)
    }

    /// Where it lies in the image.
    pub fn bytes(&self) -> Range<usize> {
        self.offset..self.offset + self.length
    }
}

/// Makes the header's CRC fit. Gives whether it did before.
pub fn seal_header(image: &mut [u8]) -> bool {
    let Some(covered) = image.get(..HEADER_CRC_OFFSET) else { return false };
    let crc = U32::new(crc32c(covered));
    let fitted = get::<U32>(image, HEADER_CRC_OFFSET) == Some(crc);
    put(image, HEADER_CRC_OFFSET, &crc);
    fitted
}

/// Changes the header and makes its CRC fit.
pub fn change_header(image: &mut [u8], change: impl FnOnce(&mut Header)) {
    if let Some(mut header) = get::<Header>(image, 0) {
        change(&mut header);
        put(image, 0, &header);
        seal_header(image);
    }
}

/// Puts this machine's boot id where [`SAME_BOOT`] stands for it.
pub fn localise(image: &mut [u8]) {
    let stands_for_it = get::<Header>(image, 0).is_some_and(|header| header.boot_id == SAME_BOOT);
    let mut probe = image.get(..HEADER_SIZE).unwrap_or_default().to_vec();
    if stands_for_it && seal_header(&mut probe) {
        change_header(image, |header| header.boot_id = this_boot());
    }
}

/// This machine's boot id.
pub fn this_boot() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or(0).to_be_bytes()
}

/// Makes every check and CRC fit what it guards, so that changed bytes get past them.
pub fn repair(image: &mut [u8]) {
    let Some(mut header) = get::<Header>(image, 0) else { return };
    header.magic = MAGIC;
    header.byte_order.set(BYTE_ORDER);
    header.version_major.set(VERSION_MAJOR);
    header.incompat_flags.set(0);
    put(image, 0, &header);
    seal_header(image);
    let key = record_key(&header.file_id);
    for section in sections(image) {
        match SectionKind::from_code(section.kind) {
            Some(SectionKind::Segments) => {
                repair_segments(image, &section, key, header.record_crc.get() == 1);
            }
            Some(SectionKind::Dictionary) => repair_dictionary(&mut image[section.bytes()]),
            Some(SectionKind::MetricCells) => repair_cells(&mut image[section.bytes()]),
            Some(SectionKind::ActiveSpans) => repair_active(&mut image[section.bytes()]),
            _ => {}
        }
    }
}

/// What keys the checks of a file's records.
pub fn record_key(file_id: &[u8; 16]) -> u64 {
    u64::from_le_bytes(*file_id.first_chunk().expect("16 bytes"))
}

fn repair_segments(image: &mut [u8], segments: &Section, key: u64, crc: bool) {
    let signal = Signal::from_code(segments.signal);
    let Some(table) = find(image, SectionKind::SegmentTable, signal) else { return };
    for (entry_at, start) in table.entries().zip(segments.entries()) {
        seal_words(&mut image[entry_at..]);
        let Some(entry) = get::<SegmentEntry>(image, entry_at) else { return };
        let published = Committed::unpack(entry.committed.get()).map_or(u32::MAX, |word| word.bytes);
        let length = usize::try_from(published).unwrap_or(usize::MAX).min(segments.entry_size);
        let end = image.len().min(start.saturating_add(length));
        repair_records(&mut image[start..end], key, crc);
    }
}

/// Gives the six words of a segment's entry their checks.
pub fn seal_words(entry: &mut [u8]) {
    (0..).step_by(8).take(6).for_each(|at| seal_word(entry, at));
}

/// Gives a checked word its check.
fn seal_word(image: &mut [u8], at: usize) {
    if let Some(word) = get::<U64>(image, at) {
        put(image, at, &U64::new(seal(word.get() >> 8)));
    }
}

/// Gives the records one after another in `bytes` their checks and CRCs.
pub fn repair_records(bytes: &mut [u8], key: u64, crc: bool) {
    let mut at = 0;
    while let Some(mut header) = get::<RecordHeader>(bytes, at) {
        let length = number(header.length);
        if length < RecordHeader::SIZE || at + length > bytes.len() {
            return;
        }
        let (kind, flags) = (header.record_type.get(), header.flags.get());
        let (generation, index) = (header.generation.get(), header.index.get());
        header.check.set(record_check(key, header.length.get(), kind, flags, generation, index));
        put(bytes, at, &header);
        let whole = &bytes[at..at + length];
        header.crc.set(if crc { crc32c_append(crc32c(&whole[..16]), &whole[24..]) } else { 0 });
        put(bytes, at, &header);
        at += align8(length);
    }
}

/// Gives the header of a dictionary and its entries their checks and CRCs.
pub fn repair_dictionary(section: &mut [u8]) {
    seal_word(section, 0);
    let mut at = DictionaryHeader::SIZE;
    while let Some(length) = repair_entry(section, at) {
        at += align8(length);
    }
}

/// Gives the dictionary entry at `at` its CRC; gives its length, unless it does not lie within the section.
pub fn repair_entry(section: &mut [u8], at: usize) -> Option<usize> {
    let mut header: EntryHeader = get(section, at)?;
    let length = number(header.length);
    if length < EntryHeader::SIZE {
        return None;
    }
    let whole = section.get(at..at.checked_add(length)?)?;
    header.crc.set(crc32c_append(crc32c(&whole[..8]), &whole[EntryHeader::SIZE..]));
    put(section, at, &header);
    Some(length)
}

/// Gives the header of the metric cells and the series behind it their checks and CRCs.
pub fn repair_cells(section: &mut [u8]) {
    seal_word(section, 0);
    let mut at = CellsHeader::SIZE;
    while let Some(mut header) = get::<SeriesHeader>(section, at) {
        let size = number(header.size);
        if size < SERIES_ALIGN {
            return;
        }
        header.version.set(seal(header.version.get() >> 8));
        header.crc.set(crc32c(&header.as_bytes()[..SERIES_CRC_LENGTH]));
        put(section, at, &header);
        at = at.saturating_add(size);
    }
}

/// Gives the committed words of blocks of spans in flight their checks.
pub fn repair_active(section: &mut [u8]) {
    for (index, at) in (0..).zip((0..section.len()).step_by(ActiveBlock::SIZE)) {
        let Some(mut block) = get::<ActiveBlock>(section, at) else { return };
        let word = block.committed.get();
        if ActiveCommit::unpack(word, index).is_none() {
            let generation = u32::try_from(word >> 32).unwrap_or(u32::MAX);
            let bytes = u32::try_from(word >> 8 & 0xff_ffff).unwrap_or(u32::MAX);
            let commit = ActiveCommit { generation: generation.max(1), bytes };
            block.committed.set(commit.pack(index));
            put(section, at, &block);
        }
    }
}

/// The same recording in fewer bytes: what is not used of dictionary and cells is left out. Equal layouts give equal
/// layouts, whatever is in them.
pub fn compact(image: &[u8]) -> Vec<u8> {
    let mut small = image[..HEADER_SIZE].to_vec();
    for (index, section) in sections(image).iter().enumerate() {
        let length = match SectionKind::from_code(section.kind) {
            Some(SectionKind::MetricCells) => CELLS,
            Some(SectionKind::Dictionary) => DICTIONARY,
            _ => section.length,
        };
        let rest = &image[section.offset + length..section.bytes().end];
        assert!(rest.iter().all(|byte| *byte == 0), "a section does not fit into {length} bytes");
        let at = SECTIONS_OFFSET + index * SectionEntry::SIZE;
        let mut entry: SectionEntry = get(image, at).expect("a section");
        entry.offset = U64::new(small.len() as u64);
        entry.length = U64::new(length as u64);
        put(&mut small, at, &entry);
        small.extend_from_slice(&image[section.offset..section.offset + length]);
        small.resize(small.len().next_multiple_of(PAGE_SIZE), 0);
    }
    let size = small.len() as u64;
    change_header(&mut small, |header| header.file_size = U64::new(size));
    small
}

fn number(field: U32) -> usize {
    usize::try_from(field.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn a_whole_image_needs_no_repair() {
        let image = &sample().image;
        let mut repaired = image.clone();
        repair(&mut repaired);
        assert!(repaired == *image);
    }

    #[test]
    fn a_compact_image_is_compact_and_stays_so() {
        let image = &sample().image;
        assert!(image.len() <= 18 * PAGE_SIZE, "{} bytes", image.len());
        assert!(compact(image) == *image);
    }
}
