//! A recording in parts: what an input of the targets `scan`, `dictionary`, `attributes` and `cells` is.
//!
//! An input is small: the bytes in use of each part, one part after another, with their lengths in front. What has
//! the same content in every recording is left out, and [`Parts::assemble`] adds it: header, section table, zeros. So
//! the fuzzer changes only what it is after. Any bytes are some parts.

use otlp_mmap_format::{
    ActiveBlock, BANNER, BYTE_ORDER, CellsHeader, Committed, DictionaryHeader, FileState, HEADER_SIZE,
    Header, HeaderState, MAGIC, OverflowPolicy, PAGE_SIZE, RecordHeader, SECTIONS_OFFSET, STATE_OFFSET,
    SectionEntry, SectionKind, SegmentEntry, Signal, U16, U32, U64, VERSION_MAJOR, VERSION_MINOR, unseal,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::image::{self, SAME_BOOT, get, put};
use crate::memory::{MemoryFile, WriterLock};

/// Size of every segment in bytes.
pub const SEGMENT_SIZE: usize = 4096;
/// Bytes of a segment's entry that are in an input: its six words.
const WORDS: usize = 48;
/// Most slots that are read of an input.
const MAX_SLOTS: usize = 24;
/// Most blocks of spans in flight that are read of an input.
const MAX_BLOCKS: usize = 64;
const FILE_ID: [u8; 16] = *b"a file of parts.";

/// A recording in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// How the writer left the file, in bits: [`Parts::CLOSED`] and so on.
    pub state: u8,
    /// Bytes in use of the dictionary, from its header on.
    pub dictionary: Vec<u8>,
    /// Bytes in use of the metric cells, from their header on.
    pub cells: Vec<u8>,
    /// Blocks of spans in flight.
    pub active: Vec<u8>,
    /// Slots of all pools.
    pub slots: Vec<Slot>,
}

/// A slot of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which pool: 0, 1 or 2.
    pub pool: usize,
    /// The words of its entry in the segment table.
    pub words: [u8; WORDS],
    /// Bytes in use of the segment.
    pub payload: Vec<u8>,
}

impl Parts {
    /// Bit of [`Parts::state`]: the writer closed the file.
    pub const CLOSED: u8 = 1;
    /// Bit of [`Parts::state`]: this machine was not started again since.
    pub const SAME_BOOT: u8 = 2;
    /// Bit of [`Parts::state`]: the writer lives.
    pub const ALIVE: u8 = 4;
    /// Bit of [`Parts::state`]: records carry no CRC.
    pub const NO_CRC: u8 = 8;

    /// Whether a bit of the state is set.
    pub fn is(&self, bit: u8) -> bool {
        self.state & bit != 0
    }

    /// The parts that an input is.
    pub fn decode(input: &[u8]) -> Self {
        let mut rest = input;
        let state = take(&mut rest, 1).first().copied().unwrap_or(0);
        let [dictionary, cells, active] = [(); 3].map(|()| chunk(&mut rest));
        let mut slots = Vec::new();
        while !rest.is_empty() && slots.len() < MAX_SLOTS {
            let pool = usize::from(take(&mut rest, 1)[0]) % 3;
            let mut words = [0; WORDS];
            let given = take(&mut rest, WORDS);
            words[..given.len()].copy_from_slice(given);
            slots.push(Slot { pool, words, payload: chunk(&mut rest) });
        }
        Self { state, dictionary, cells, active, slots }
    }

    /// The input that is these parts.
    pub fn encode(&self) -> Vec<u8> {
        let mut input = vec![self.state];
        for part in [&self.dictionary, &self.cells, &self.active] {
            put_chunk(&mut input, part);
        }
        for slot in &self.slots {
            input.push(slot.pool.to_le_bytes()[0]);
            input.extend_from_slice(&slot.words);
            put_chunk(&mut input, &slot.payload);
        }
        input
    }

    /// The parts of a file image. Records are given the checks that fit a file of parts.
    pub fn take_apart(image: &[u8]) -> Option<Self> {
        let header: Header = get(image, 0)?;
        let section = |kind| Some(&image[image::find(image, kind, None)?.bytes()]);
        let log = |kind| {
            let bytes = section(kind)?;
            let published = get::<U64>(bytes, 0).and_then(|word| unseal(word.get()));
            Some(used(bytes, published.unwrap_or(0), 8).to_vec())
        };
        let mut parts = Self {
            state: if header.record_crc.get() == 1 { 0 } else { Self::NO_CRC },
            dictionary: log(SectionKind::Dictionary)?,
            cells: log(SectionKind::MetricCells)?,
            active: used(section(SectionKind::ActiveSpans)?, 0, ActiveBlock::SIZE).to_vec(),
            slots: Vec::new(),
        };
        for (pool, &(signal, _)) in Signal::ALL.iter().enumerate() {
            let table = image::find(image, SectionKind::SegmentTable, Some(signal))?;
            let segments = image::find(image, SectionKind::Segments, Some(signal))?;
            for (entry, start) in table.entries().zip(segments.entries()) {
                let words: [u8; WORDS] = *image.get(entry..)?.first_chunk()?;
                let published = get::<U64>(&words, 0).and_then(|word| Committed::unpack(word.get()));
                let published = published.map_or(0, |word| word.bytes.into());
                let payload = used(image.get(start..start + segments.entry_size)?, published, 8);
                if words != [0; WORDS] {
                    parts.slots.push(Slot { pool, words, payload: payload.to_vec() });
                }
            }
        }
        parts.repair();
        Some(parts)
    }

    /// Makes every check and CRC fit what it guards.
    pub fn repair(&mut self) {
        let crc = !self.is(Self::NO_CRC);
        image::repair_dictionary(&mut self.dictionary);
        image::repair_cells(&mut self.cells);
        image::repair_active(&mut self.active);
        for slot in &mut self.slots {
            image::seal_words(&mut slot.words);
            image::repair_records(&mut slot.payload, image::record_key(&FILE_ID), crc);
        }
    }

    /// Adds records to a pool, in slots of their own and with headers that fit. A record's own header is left blank
    /// but for its type and time.
    pub fn add_records(&mut self, pool: usize, records: &[Vec<u8>]) {
        let per_slot = records.iter().map(Vec::len).max().map_or(1, |longest| SEGMENT_SIZE / longest.max(1));
        for records in records.chunks(per_slot.max(1)) {
            let mut payload = Vec::new();
            for (index, record) in (0..).zip(records) {
                let start = payload.len();
                payload.extend_from_slice(record);
                let mut header: RecordHeader = get(&payload, start).expect("a record has a header");
                header.length.set(u32::try_from(record.len()).expect("a small number"));
                (header.generation, header.index) = (U32::new(1), U32::new(index));
                put(&mut payload, start, &header);
            }
            image::repair_records(&mut payload, image::record_key(&FILE_ID), !self.is(Self::NO_CRC));
            let mut words = [0; WORDS];
            let bytes = u32::try_from(payload.len()).expect("a small number");
            put(&mut words, 0, &U64::new(Committed { generation: 1, bytes }.pack()));
            self.slots.push(Slot { pool, words, payload });
        }
    }

    /// The image of a file with these parts.
    pub fn assemble(&self) -> Vec<u8> {
        let mut image = vec![0; HEADER_SIZE];
        let mut sections = Vec::new();
        let mut add = |image: &mut Vec<u8>, kind, signal, entry_size: usize, entries: &[&[u8]]| {
            let section = append(image, kind, signal, entry_size, entries);
            sections.push(section);
        };
        add(&mut image, SectionKind::Counters, 0, 8, &[&[0_u8; 8][..]; 48]);
        let pools =
            Signal::ALL.iter().map(|(signal, _)| signal.code()).zip([0, 1, 2].map(|pool| self.pool(pool)));
        let pools: Vec<(u32, Vec<&Slot>)> = pools.collect();
        for (signal, slots) in &pools {
            let words: Vec<&[u8]> = slots.iter().map(|slot| &slot.words[..]).collect();
            add(&mut image, SectionKind::SegmentTable, *signal, SegmentEntry::SIZE, at_least_one(&words));
        }
        let blocks: Vec<&[u8]> = self.active.chunks(ActiveBlock::SIZE).take(MAX_BLOCKS).collect();
        add(&mut image, SectionKind::ActiveSpans, 0, ActiveBlock::SIZE, at_least_one(&blocks));
        add(&mut image, SectionKind::MetricCells, 0, 0, &[at_least(&self.cells, CellsHeader::SIZE)]);
        add(&mut image, SectionKind::Dictionary, 0, 0, &[at_least(&self.dictionary, DictionaryHeader::SIZE)]);
        for (signal, slots) in &pools {
            let payloads: Vec<&[u8]> = slots.iter().map(|slot| &slot.payload[..]).collect();
            add(&mut image, SectionKind::Segments, *signal, SEGMENT_SIZE, at_least_one(&payloads));
        }
        self.put_header(&mut image, &sections);
        image
    }

    /// The file, and the lock of its writer if that lives.
    pub fn file(&self) -> (MemoryFile, Option<WriterLock>) {
        let mut image = self.assemble();
        image::localise(&mut image);
        let file = MemoryFile::new();
        file.put(&image);
        let lock = self.is(Self::ALIVE).then(|| file.lock());
        (file, lock)
    }

    fn pool(&self, pool: usize) -> Vec<&Slot> {
        self.slots.iter().filter(|slot| slot.pool == pool).collect()
    }

    fn put_header(&self, image: &mut [u8], sections: &[SectionEntry]) {
        let mut header = Header::new_zeroed();
        (header.magic, header.banner, header.file_id) = (MAGIC, BANNER, FILE_ID);
        header.byte_order.set(BYTE_ORDER);
        (header.version_major, header.version_minor) = (U16::new(VERSION_MAJOR), U16::new(VERSION_MINOR));
        header.file_size.set(image.len() as u64);
        header.boot_id = if self.is(Self::SAME_BOOT) { SAME_BOOT } else { [0x11; 16] };
        header.section_count.set(u32::try_from(sections.len()).expect("ten sections"));
        header.segment_size.set(u32::try_from(SEGMENT_SIZE).expect("a small number"));
        header.overflow_policy.set(OverflowPolicy::OverwriteOldest.code());
        header.cardinality_limit.set(2000);
        header.record_crc.set(u32::from(!self.is(Self::NO_CRC)));
        put(image, 0, &header);
        for (index, section) in sections.iter().enumerate() {
            put(image, SECTIONS_OFFSET + index * SectionEntry::SIZE, section);
        }
        let state = if self.is(Self::CLOSED) { FileState::Closed } else { FileState::Open };
        let mut words = HeaderState::new_zeroed();
        words.state.set(state.code());
        put(image, STATE_OFFSET, &words);
        image::seal_header(image);
    }
}

/// Appends a section with its entries, each filled up with zeros to its size; without a size they are the section.
fn append(
    image: &mut Vec<u8>,
    kind: SectionKind,
    signal: u32,
    size: usize,
    entries: &[&[u8]],
) -> SectionEntry {
    let start = image.len();
    for entry in entries {
        let end = image.len() + size;
        image.extend_from_slice(if size == 0 { entry } else { &entry[..entry.len().min(size)] });
        image.resize(end.max(image.len()), 0);
    }
    // Room behind what is in use, as in every recording.
    let spare = if size == 0 { PAGE_SIZE / 2 } else { 0 };
    image.resize((image.len() + spare).next_multiple_of(PAGE_SIZE), 0);
    let length = if size == 0 { image.len() - start } else { size * entries.len() };
    let mut section = SectionEntry::new_zeroed();
    section.kind.set(kind.code());
    section.signal.set(signal);
    (section.offset, section.length) = (U64::new(start as u64), U64::new(length as u64));
    let number = |number: usize| U32::new(u32::try_from(number).expect("a small number"));
    (section.entry_size, section.entry_count) =
        (number(size), number(if size == 0 { 0 } else { entries.len() }));
    section
}

/// Entries of a section that has to have one.
fn at_least_one<'a>(entries: &'a [&'a [u8]]) -> &'a [&'a [u8]] {
    if entries.is_empty() { &[&[]] } else { entries }
}

/// A section's bytes, or those of an unused one: a header that says that it alone is in use.
fn at_least(bytes: &[u8], header: usize) -> &[u8] {
    static UNUSED: std::sync::OnceLock<[u8; 64]> = std::sync::OnceLock::new();
    if bytes.len() >= header {
        return bytes;
    }
    UNUSED.get_or_init(|| {
        let mut unused = [0; 64];
        unused[..8].copy_from_slice(U64::new(otlp_mmap_format::seal(64)).as_bytes());
        unused
    })
}

/// All but the zeros at the end, in whole pieces of this size; but what is published as well.
fn used(bytes: &[u8], published: u64, piece: usize) -> &[u8] {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let used = used.max(usize::try_from(published).unwrap_or(usize::MAX).min(bytes.len()));
    &bytes[..used.next_multiple_of(piece).min(bytes.len())]
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, behind) = rest.split_at(length.min(rest.len()));
    *rest = behind;
    taken
}

/// Bytes with their length in front.
fn chunk(rest: &mut &[u8]) -> Vec<u8> {
    let length = take(rest, 2).iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    take(rest, length).to_vec()
}

fn put_chunk(input: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    input.extend_from_slice(&length.to_le_bytes());
    input.extend_from_slice(&bytes[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::{seeds, whole};

    #[test]
    fn parts_are_what_they_were_encoded_from() {
        for (name, parts) in seeds() {
            assert_eq!(Parts::decode(&parts.encode()), parts, "{name}");
        }
        assert_eq!(Parts::decode(&[]), Parts::default());
    }

    #[test]
    fn an_assembled_recording_has_what_was_taken_apart() {
        let mut records = 0;
        for (name, parts) in whole() {
            let (file, _) = parts.file();
            let snapshot = file.recording().expect("a whole header").snapshot().expect("a snapshot");
            assert_eq!(snapshot.report.faults, [], "{name}");
            assert_eq!(
                Parts::take_apart(&parts.assemble()).map(|again| again.slots),
                Some(parts.slots),
                "{name}"
            );
            records += snapshot.events.len() + snapshot.spans.len() + snapshot.series.len();
        }
        assert!(records > 100, "{records}");
    }
}
