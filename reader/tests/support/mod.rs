//! Builds images of recordings in memory from the format's types, independently of the writer.
//!
//! The layout is small: four segments of 4,096 bytes for each signal, 16 blocks, and 16 KiB each for cells and
//! dictionary. Everything a test wants to break, it breaks in `bytes`.

use std::fs::File;
use std::io::Write;

use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, BANNER, BLOCK_CONTENT_SIZE, BYTE_ORDER, CellsHeader, Committed,
    DictionaryHeader, EntryHeader, EntryKind, EventBody, FileState, HEADER_CRC_OFFSET, Header, HeaderState,
    ItemHeader, ItemTag, MAGIC, MeasurementBody, MetricStreamBody, OverflowPolicy, PAGE_SIZE, RecordHeader,
    RecordType, SECTIONS_OFFSET, STATE_OFFSET, ScopeBody, SectionEntry, SectionKind, SegmentEntry,
    SeriesHeader, SeriesKind, Signal, SpanBody, U32, U64, VERSION_MAJOR, ValueType, next_generation,
    record_check, seal, series_size, unseal,
};
use otlp_mmap_reader::Recording;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(crate) const SEGMENT_SIZE: usize = 4096;
pub(crate) const SEGMENTS: u32 = 4;
pub(crate) const BLOCKS: u32 = 16;
pub(crate) const FILE_ID: [u8; 16] = *b"0123456789abcdef";
pub(crate) const TRACE: [u8; 16] = [0xab; 16];

const PAGE: u64 = 4096;
pub(crate) const COUNTERS_AT: usize = PAGE_SIZE;
pub(crate) const TABLES_AT: usize = 2 * PAGE_SIZE;
pub(crate) const ACTIVE_AT: usize = 5 * PAGE_SIZE;
pub(crate) const CELLS_AT: usize = 6 * PAGE_SIZE;
pub(crate) const DICTIONARY_AT: usize = 10 * PAGE_SIZE;
pub(crate) const SEGMENTS_AT: usize = 14 * PAGE_SIZE;
pub(crate) const FILE_SIZE: usize = 26 * PAGE_SIZE;

/// An image of a recording.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) scope: u32,
    pub(crate) dictionary_at: usize,
}

impl Image {
    /// A recording with one resource (`service.name`) and one scope, and nothing recorded.
    pub(crate) fn new() -> Self {
        let mut image = Self { bytes: vec![0; FILE_SIZE], scope: 0, dictionary_at: DICTIONARY_AT };
        image.put(0, &header());
        for (index, section) in sections().iter().enumerate() {
            image.put(SECTIONS_OFFSET + index * SectionEntry::SIZE, section);
        }
        image.seal_header();
        image.put(STATE_OFFSET, &U64::new(FileState::Open.code()));
        image.put(CELLS_AT, &U64::new(seal(CellsHeader::SIZE as u64)));
        image.put(DICTIONARY_AT, &U64::new(seal(DictionaryHeader::SIZE as u64)));
        let key = image.string("service.name");
        let resource = image.entry(EntryKind::Resource, &text_item(ValueType::String.code(), key, "shop"));
        image.scope = image.new_scope(resource, "scope");
        image
    }

    pub(crate) fn put<T: IntoBytes + Immutable + ?Sized>(&mut self, at: usize, value: &T) {
        let bytes = value.as_bytes();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn get<T: FromBytes + KnownLayout + Immutable>(&self, at: usize) -> T {
        T::read_from_prefix(&self.bytes[at..]).unwrap().0
    }

    /// Puts the CRC of the header right.
    pub(crate) fn seal_header(&mut self) {
        let crc = crc32c::crc32c(&self.bytes[..HEADER_CRC_OFFSET]);
        self.put(HEADER_CRC_OFFSET, &U32::new(crc));
    }

    pub(crate) fn close(&mut self, realtime_nanos: u64) {
        let state = HeaderState {
            state: U64::new(FileState::Closed.code()),
            closed_realtime_nanos: U64::new(realtime_nanos),
            backed_bytes: U64::new(FILE_SIZE as u64),
        };
        self.put(STATE_OFFSET, &state);
    }

    /// Writes the image into an unnamed file and opens it.
    pub(crate) fn open(&self) -> Recording {
        Recording::from_file(self.file(), "image").unwrap()
    }

    pub(crate) fn file(&self) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.bytes).unwrap();
        file
    }

    // Dictionary.

    pub(crate) fn entry(&mut self, kind: EntryKind, payload: &[u8]) -> u32 {
        let used = unseal(self.get::<U64>(self.dictionary_at).get()).unwrap();
        let at = self.dictionary_at + usize::try_from(used).unwrap();
        let length = u32::try_from(EntryHeader::SIZE + payload.len()).unwrap();
        let mut header = EntryHeader {
            length: U32::new(length),
            kind: U32::new(kind.code()),
            crc: U32::ZERO,
            reserved: U32::ZERO,
        };
        let head = crc32c::crc32c(&header.as_bytes()[..8]);
        header.crc = U32::new(crc32c::crc32c_append(head, payload));
        self.put(at, &header);
        self.put(at + EntryHeader::SIZE, payload);
        self.put(self.dictionary_at, &U64::new(seal((used + u64::from(length)).next_multiple_of(8))));
        u32::try_from(used / 8).unwrap()
    }

    /// Moves the dictionary to the end of the file, where it has `pages` pages.
    pub(crate) fn enlarge_dictionary(&mut self, pages: usize) {
        self.dictionary_at = self.bytes.len();
        self.bytes.extend_from_within(DICTIONARY_AT..SEGMENTS_AT);
        self.bytes.resize(self.dictionary_at + pages * PAGE_SIZE, 0);
        self.move_section(SectionKind::Dictionary, self.dictionary_at, pages * PAGE_SIZE, 0);
    }

    /// Lets the header describe a section, the last of the file, anew.
    pub(crate) fn move_section(&mut self, kind: SectionKind, at: usize, length: usize, count: u32) {
        let entries = (0..10).map(|index| SECTIONS_OFFSET + index * SectionEntry::SIZE);
        let is_kind = |place: &usize| self.get::<SectionEntry>(*place).kind.get() == kind.code();
        let place = entries.into_iter().find(is_kind).unwrap();
        let mut section: SectionEntry = self.get(place);
        (section.offset, section.length) = (U64::new(at as u64), U64::new(length as u64));
        section.entry_count = U32::new(count);
        self.put(place, &section);
        let size_at = Header::FIELDS.iter().find(|field| field.name == "file_size").unwrap().offset;
        self.put(size_at, &U64::new((at + length) as u64));
        self.seal_header();
    }

    pub(crate) fn string(&mut self, text: &str) -> u32 {
        self.entry(EntryKind::String, text.as_bytes())
    }

    pub(crate) fn new_scope(&mut self, resource: u32, name: &str) -> u32 {
        let body = ScopeBody { resource_ref: U32::new(resource), reserved: U32::ZERO };
        let mut payload = body.as_bytes().to_vec();
        payload.extend(text_item(ItemTag::Name.code(), 0, name));
        payload.extend(text_item(ItemTag::Version.code(), 0, "1.2"));
        self.entry(EntryKind::Scope, &payload)
    }

    pub(crate) fn stream(&mut self, body: MetricStreamBody, items: &[u8]) -> u32 {
        let mut payload = MetricStreamBody { scope_ref: U32::new(self.scope), ..body }.as_bytes().to_vec();
        payload.extend(text_item(ItemTag::Name.code(), 0, "metric"));
        payload.extend_from_slice(items);
        self.entry(EntryKind::MetricStream, &payload)
    }

    // Records.

    pub(crate) fn table_at(signal: Signal, slot: u32) -> usize {
        TABLES_AT + (signal as usize - 1) * PAGE_SIZE + slot as usize * SegmentEntry::SIZE
    }

    pub(crate) fn segment_at(signal: Signal, slot: u32) -> usize {
        SEGMENTS_AT + ((signal as usize - 1) * SEGMENTS as usize + slot as usize) * SEGMENT_SIZE
    }

    /// Claims a segment anew: what it held counts as overwritten as far as it was not acknowledged.
    pub(crate) fn recycle(&mut self, signal: Signal, slot: u32) {
        let at = Self::table_at(signal, slot);
        let mut entry: SegmentEntry = self.get(at);
        let Committed { generation, .. } = Committed::unpack(entry.committed.get()).unwrap();
        let next = next_generation(generation);
        let (old, new) = ((generation & 1) as usize, (next & 1) as usize);
        let count = self.count(signal, slot);
        let acknowledged = otlp_mmap_format::Acknowledged::unpack(entry.acknowledged.get()).unwrap();
        let delivered = if acknowledged.generation == generation {
            u64::from(acknowledged.records).min(count)
        } else {
            0
        };
        let raised = |word: U64, by| U64::new(seal(unseal(word.get()).unwrap() + by));
        entry.base_records[new] = raised(entry.base_records[old], count);
        entry.base_overwritten[new] = raised(entry.base_overwritten[old], count - delivered);
        entry.committed = U64::new(Committed { generation: next, bytes: 0 }.pack());
        let open = otlp_mmap_format::Acknowledged { generation: next, closed: false, records: 0 };
        entry.acknowledged = U64::new(open.pack());
        self.put(at, &entry);
    }

    /// Records in the present generation of a segment.
    pub(crate) fn count(&self, signal: Signal, slot: u32) -> u64 {
        let entry: SegmentEntry = self.get(Self::table_at(signal, slot));
        let end = Committed::unpack(entry.committed.get()).unwrap().bytes as usize;
        let (mut at, mut count) = (0, 0);
        while at < end {
            at += self.get::<RecordHeader>(Self::segment_at(signal, slot) + at).length.get() as usize;
            count += 1;
        }
        count
    }

    /// Publishes a record; gives its offset in the file.
    pub(crate) fn append(
        &mut self,
        signal: Signal,
        slot: u32,
        kind: RecordType,
        time: u64,
        content: &[u8],
    ) -> usize {
        let entry_at = Self::table_at(signal, slot);
        if self.get::<U64>(entry_at).get() == 0 {
            self.recycle(signal, slot);
        }
        let Committed { generation, bytes } = Committed::unpack(self.get::<U64>(entry_at).get()).unwrap();
        let index = u32::try_from(self.count(signal, slot)).unwrap();
        let record = record(kind, generation, index, time, content);
        let at = Self::segment_at(signal, slot) + bytes as usize;
        self.put(at, &record[..]);
        let bytes = bytes + u32::try_from(record.len()).unwrap();
        self.put(entry_at, &U64::new(Committed { generation, bytes }.pack()));
        at
    }

    /// Publishes a span with the id `number` and an end time of `number` seconds.
    pub(crate) fn span(&mut self, slot: u32, number: u8, items: &[u8]) -> usize {
        let content = self.span_content(number, items);
        self.append(Signal::Spans, slot, RecordType::Span, u64::from(number) * 1_000_000_000, &content)
    }

    pub(crate) fn span_content(&mut self, number: u8, items: &[u8]) -> Vec<u8> {
        let body = SpanBody {
            trace_id: TRACE,
            span_id: [number; 8],
            parent_span_id: [0; 8],
            start_time_unix_nano: U64::new(5),
            scope_ref: U32::new(self.scope),
            flags: U32::new(1),
            name_ref: U32::ZERO,
            kind: U32::new(2),
        };
        [body.as_bytes(), items].concat()
    }

    pub(crate) fn event(&mut self, slot: u32, number: u8, items: &[u8]) -> usize {
        let body = EventBody {
            observed_time_unix_nano: U64::new(9),
            trace_id: TRACE,
            span_id: [number; 8],
            scope_ref: U32::new(self.scope),
            name_ref: U32::ZERO,
            severity_number: U32::new(17),
            flags: U32::new(1),
        };
        let content = [body.as_bytes(), items].concat();
        self.append(Signal::Events, slot, RecordType::Event, u64::from(number) * 1_000_000_000, &content)
    }

    pub(crate) fn measurement(&mut self, slot: u32, time: u64, body: MeasurementBody) -> usize {
        self.append(Signal::Measurements, slot, RecordType::Measurement, time, body.as_bytes())
    }

    // Spans in flight.

    pub(crate) fn block_at(index: u32) -> usize {
        ACTIVE_AT + index as usize * ActiveBlock::SIZE
    }

    /// Puts `content` into the chain `blocks` and publishes it.
    pub(crate) fn active(&mut self, blocks: &[u32], content: &[u8]) {
        let parts = content.chunks(BLOCK_CONTENT_SIZE);
        assert_eq!(parts.len(), blocks.len());
        for (position, (index, part)) in blocks.iter().zip(parts).enumerate() {
            let at = Self::block_at(*index);
            let next = blocks.get(position + 1).map_or(0, |next| next + 1);
            self.put(at + 8, &U32::new(next));
            self.put(at + 16, part);
        }
        let bytes = u32::try_from(content.len()).unwrap();
        let word = ActiveCommit { generation: 1, bytes }.pack(blocks[0]);
        self.put(Self::block_at(blocks[0]), &U64::new(word));
    }

    // Series.

    /// Appends a series; `cell` is everything behind its header. Gives its offset in the file.
    pub(crate) fn series(
        &mut self,
        kind: SeriesKind,
        stream: u32,
        set: u32,
        capacity: u32,
        cell: &[u8],
    ) -> usize {
        let used = unseal(self.get::<U64>(CELLS_AT).get()).unwrap();
        let size = series_size(kind, capacity);
        let mut header = SeriesHeader {
            size: U32::new(u32::try_from(size).unwrap()),
            kind: kind.code().into(),
            flags: 0.into(),
            stream_ref: U32::new(stream),
            attributes_ref: U32::new(set),
            start_time_unix_nano: U64::new(1),
            capacity: U32::new(capacity),
            crc: U32::ZERO,
            version: U64::new(seal(u64::from(kind != SeriesKind::Sum) * 2)),
            reserved: [U64::ZERO; 3],
        };
        header.crc = U32::new(crc32c::crc32c(&header.as_bytes()[..28]));
        let at = CELLS_AT + usize::try_from(used).unwrap();
        self.put(at, &header);
        self.put(at + SeriesHeader::SIZE, cell);
        self.put(CELLS_AT, &U64::new(seal(used + size)));
        at
    }
}

/// A whole record.
pub(crate) fn record(kind: RecordType, generation: u32, index: u32, time: u64, content: &[u8]) -> Vec<u8> {
    let length = (RecordHeader::SIZE + content.len()).next_multiple_of(8);
    let length = u32::try_from(length).unwrap();
    let key = u64::from_le_bytes(FILE_ID[..8].try_into().unwrap());
    let mut header = RecordHeader {
        length: U32::new(length),
        record_type: kind.code().into(),
        flags: 0.into(),
        generation: U32::new(generation),
        index: U32::new(index),
        check: U32::new(record_check(key, length, kind.code(), 0, generation, index)),
        crc: U32::ZERO,
        time_unix_nano: U64::new(time),
    };
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(length as usize, 0);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..16]), &bytes[24..]);
    header.crc = U32::new(crc);
    bytes[..RecordHeader::SIZE].copy_from_slice(header.as_bytes());
    bytes
}

/// An item with its padding.
pub(crate) fn item(tag: u8, reference: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(ItemHeader::SIZE + payload.len()).unwrap();
    let mut bytes = ItemHeader::new(tag, length, reference).as_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

pub(crate) fn text_item(tag: u8, reference: u32, text: &str) -> Vec<u8> {
    item(tag, reference, text.as_bytes())
}

/// A name item, inline.
pub(crate) fn name(text: &str) -> Vec<u8> {
    text_item(ItemTag::Name.code(), 0, text)
}

/// An attribute whose key stands inline.
pub(crate) fn attribute(key: &str, kind: ValueType, value: &[u8]) -> Vec<u8> {
    let mut payload = U32::new(u32::try_from(key.len()).unwrap()).as_bytes().to_vec();
    payload.extend([0; 4]);
    payload.extend(key.as_bytes());
    payload.resize(payload.len().next_multiple_of(8), 0);
    payload.extend_from_slice(value);
    item(kind.code(), 0, &payload)
}

fn header() -> Header {
    Header {
        magic: MAGIC,
        byte_order: U32::new(BYTE_ORDER),
        version_major: VERSION_MAJOR.into(),
        version_minor: 0.into(),
        banner: BANNER,
        compat_flags: U64::ZERO,
        incompat_flags: U64::ZERO,
        file_size: U64::new(FILE_SIZE as u64),
        file_id: FILE_ID,
        boot_id: boot_id(),
        pid: U32::new(77),
        section_count: U32::new(10),
        process_start_ticks: U64::ZERO,
        pid_namespace: U64::ZERO,
        created_realtime_nanos: U64::new(1),
        created_monotonic_nanos: U64::new(2),
        segment_size: U32::new(4096),
        overflow_policy: U32::new(OverflowPolicy::OverwriteOldest.code()),
        block_timeout_millis: U32::ZERO,
        cardinality_limit: U32::new(2000),
        record_crc: U32::new(1),
        reserved: U32::ZERO,
        parent_file_id: [0; 16],
    }
}

/// The boot id of this machine: images are of this boot unless a test changes that.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap().to_be_bytes()
}

fn sections() -> [SectionEntry; 10] {
    let section =
        |kind: SectionKind, signal: u32, page: u64, pages: u64, size: u32, count: u32| SectionEntry {
            kind: U32::new(kind.code()),
            signal: U32::new(signal),
            offset: U64::new(page * PAGE),
            length: U64::new(pages * PAGE),
            entry_size: U32::new(size),
            entry_count: U32::new(count),
        };
    [
        section(SectionKind::Counters, 0, 1, 1, 8, 48),
        section(SectionKind::SegmentTable, 1, 2, 1, 64, SEGMENTS),
        section(SectionKind::SegmentTable, 2, 3, 1, 64, SEGMENTS),
        section(SectionKind::SegmentTable, 3, 4, 1, 64, SEGMENTS),
        section(SectionKind::ActiveSpans, 0, 5, 1, 256, BLOCKS),
        section(SectionKind::MetricCells, 0, 6, 4, 0, 0),
        section(SectionKind::Dictionary, 0, 10, 4, 0, 0),
        section(SectionKind::Segments, 1, 14, 4, 4096, SEGMENTS),
        section(SectionKind::Segments, 2, 18, 4, 4096, SEGMENTS),
        section(SectionKind::Segments, 3, 22, 4, 4096, SEGMENTS),
    ]
}
