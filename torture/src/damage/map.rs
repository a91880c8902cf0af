//! What each byte of a recording belongs to, by SPEC alone: the reader's code has no part in it.

use super::image::{Section, get, index};
use super::unchecked::{self, Effect, Unchecked};
use otlp_mmap_format::{
    ActiveBlock, ActiveCommit, BLOCK_CONTENT_SIZE, COUNTER_SLOTS, CellsHeader, Committed, Counter,
    DictionaryHeader, EntryHeader, EventBody, ExponentialCopy, Field, GaugeCopy, HEADER_SIZE, Header,
    HeaderState, HistogramCopy, MeasurementBody, RecordHeader, STATE_OFFSET, SectionKind, SegmentEntry,
    SeriesHeader, SeriesKind, Signal, SpanBody, SumCell, U64, align8, unseal,
};
use std::ops::Range;

/// Bytes of a record that its check vouches for, the check included.
const VOUCHED: usize = 20;

/// Unused ranges up to this many bytes are treated bit by bit like all others.
const BULK: usize = 256;

/// Bytes with one meaning.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) bytes: Range<usize>,
    /// What they are, by the names of the format.
    pub(super) name: String,
    /// What they are a part of: where `verify` must find a fault.
    pub(super) structure: Range<usize>,
    /// `None`: a check guards them.
    pub(super) unchecked: Option<&'static Unchecked>,
}

impl Region {
    /// Whether it holds what was recorded, and not the words that lead to it.
    pub(super) fn is_content(&self) -> bool {
        ["header", "record", "entry", "items"].contains(&self.name.as_str())
            || self.unchecked.is_some_and(|row| row.effect == Effect::Nothing)
    }

    /// Whether it is a large range that nobody looks at.
    pub(super) fn is_bulk(&self) -> bool {
        self.bytes.len() > BULK && self.unchecked.is_some_and(Unchecked::is_unused)
    }
}

/// What is read of a recording, and the bytes that it is read from.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) key: Key,
    /// Bytes that hold it.
    pub(super) bytes: Vec<Range<usize>>,
    /// The entry of its segment.
    pub(super) slot: Option<Range<usize>>,
    /// Every 32-bit word in it: its dictionary references are among them.
    pub(super) words: Vec<u32>,
}

impl Thing {
    /// Whether a place in the file is in its bytes.
    pub(super) fn holds(&self, place: usize) -> bool {
        self.bytes.iter().any(|bytes| bytes.contains(&place))
    }
}

/// What a thing is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// Number of the signal, offset in the file.
    Record(u32, u64),
    /// Block of its head.
    InFlight(u32),
    /// References of stream and attribute set.
    Series(u32, u32),
    /// Records of a signal, ever.
    Recorded(u32),
    /// Records of a signal that are overwritten.
    Overwritten(u32),
    /// Counter of a signal.
    Counter(u32, u32),
}

/// An entry of the dictionary.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) bytes: Range<usize>,
    reference: u32,
    words: Vec<u32>,
}

/// The regions of an image, without gaps, and what is in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pub(super) regions: Vec<Region>,
    pub(super) things: Vec<Thing>,
    pub(super) entries: Vec<Entry>,
}

impl Map {
    /// Takes an image apart.
    pub(super) fn of(image: &[u8]) -> Self {
        let mut map = Self::default();
        map.header(image);
        map.counters(image);
        for &(signal, _) in Signal::ALL {
            map.table(image, signal);
            map.segments(image, signal);
        }
        map.active(image);
        map.cells(image);
        map.dictionary(image);
        map.regions.sort_by_key(|region| region.bytes.start);
        map.check_gaps(image.len());
        map
    }

    /// The dictionary entries that a thing with these words may refer to, directly or through others.
    pub(super) fn names<'a>(&'a self, words: &[u32]) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let mut wanted: Vec<u32> = words.to_vec();
        // Entries refer to earlier ones alone.
        let mut found = Vec::new();
        for entry in self.entries.iter().rev() {
            if wanted.contains(&entry.reference) {
                wanted.extend(&entry.words);
                found.push(entry);
            }
        }
        found.into_iter()
    }

    /// The regions that overlap some bytes.
    pub(super) fn hit(&self, bytes: &Range<usize>) -> impl Iterator<Item = &Region> + use<'_> {
        let first = self.regions.partition_point(|region| region.bytes.end <= bytes.start);
        let end = bytes.end;
        self.regions[first..].iter().take_while(move |region| region.bytes.start < end)
    }

    fn add(&mut self, bytes: Range<usize>, name: impl Into<String>, structure: &Range<usize>) {
        if !bytes.is_empty() {
            let name = name.into();
            let unchecked = unchecked::find(&name);
            self.regions.push(Region { bytes, name, structure: structure.clone(), unchecked });
        }
    }

    /// A region for each field of a structure.
    fn fields(&mut self, at: usize, name: &str, fields: &[Field], structure: &Range<usize>) {
        for field in fields {
            let start = at + field.offset;
            self.add(start..start + field.size, format!("{name}.{}", field.name), structure);
        }
    }

    /// Every byte has one region.
    fn check_gaps(&mut self, length: usize) {
        let ends = self.regions.iter().map(|region| region.bytes.end);
        let starts = self.regions.iter().map(|region| region.bytes.start).skip(1).chain([length]);
        let gaps: Vec<_> = ends.zip(starts).map(|(end, start)| end..start).collect();
        assert!(gaps.iter().all(|gap| gap.start == gap.end), "bytes without a region, or with two: {gaps:?}");
    }

    fn header(&mut self, image: &[u8]) {
        let whole = 0..HEADER_SIZE;
        self.add(0..STATE_OFFSET, "header", &(0..STATE_OFFSET));
        let state = STATE_OFFSET..STATE_OFFSET + HeaderState::SIZE;
        self.fields(STATE_OFFSET, "HeaderState", HeaderState::FIELDS, &state);
        self.add(state.end..HEADER_SIZE, "header page, unused", &whole);
        assert!(get::<Header>(image, 0).section_count.get() == 10, "ten sections");
    }

    fn counters(&mut self, image: &[u8]) {
        let section = Section::find(image, SectionKind::Counters, None);
        let start = section.bytes.start;
        for at in (start..section.bytes.end).step_by(8) {
            let number = (at - start) / 8;
            let signal = u32::try_from(number / COUNTER_SLOTS + 1).expect("few");
            let counter = u32::try_from(number % COUNTER_SLOTS).expect("few");
            if Signal::from_code(signal).is_some() && Counter::from_code(counter).is_some() {
                self.add(at..at + 8, "counter", &(at..at + 8));
                let key = Key::Counter(signal, counter);
                let bytes = std::iter::once(at..at + 8).collect();
                self.things.push(Thing { key, bytes, slot: None, words: Vec::new() });
            } else {
                self.add(at..at + 8, "Counters, unused", &section.bytes);
            }
        }
        self.rest(section.bytes.end, "Counters, unused");
    }

    fn table(&mut self, image: &[u8], signal: Signal) {
        let section = Section::find(image, SectionKind::SegmentTable, Some(signal));
        let mut end = section.bytes.start;
        for entry in section.entries() {
            self.fields(entry.start, "SegmentEntry", SegmentEntry::FIELDS, &entry);
            end = entry.end;
        }
        self.add(end..section.bytes.end, "SegmentTable, unused", &section.bytes);
        self.rest(section.bytes.end, "SegmentTable, unused");
    }

    /// From the end of a section to the next page.
    fn rest(&mut self, end: usize, name: &str) {
        let page = end.next_multiple_of(HEADER_SIZE);
        self.add(end..page, name, &(end..page));
    }

    fn thing(&mut self, key: Key, bytes: Vec<Range<usize>>, words: Vec<u32>) {
        self.things.push(Thing { key, bytes, slot: None, words });
    }

    fn segments(&mut self, image: &[u8], signal: Signal) {
        let section = Section::find(image, SectionKind::Segments, Some(signal));
        let table = Section::find(image, SectionKind::SegmentTable, Some(signal));
        let has_crc = get::<Header>(image, 0).record_crc.get() == 1;
        let mut whole: Vec<_> = table.entries().collect();
        for (slot, segment) in table.entries().zip(section.entries()) {
            let word = get::<SegmentEntry>(image, slot.start).committed.get();
            let bytes = index(Committed::unpack(word).expect("a whole word").bytes);
            let end = segment.start + bytes;
            whole.push(segment.start..end);
            let mut at = segment.start;
            while at < end {
                let length = index(get::<RecordHeader>(image, at).length.get());
                self.record(image, signal, at..at + length, &slot, has_crc);
                at += length;
            }
            self.add(end..segment.end, "segment, unpublished", &segment);
        }
        self.thing(Key::Recorded(signal.code()), whole.clone(), Vec::new());
        self.thing(Key::Overwritten(signal.code()), whole, Vec::new());
    }

    fn record(
        &mut self,
        image: &[u8],
        signal: Signal,
        bytes: Range<usize>,
        slot: &Range<usize>,
        has_crc: bool,
    ) {
        if has_crc {
            self.add(bytes.clone(), "record", &bytes);
        } else {
            let crc = bytes.start + VOUCHED;
            self.add(bytes.start..crc, "record", &bytes);
            self.add(crc..crc + 4, "RecordHeader.crc, no CRCs", &bytes);
            let time = crc + 4..bytes.start + RecordHeader::SIZE;
            self.add(time.clone(), "RecordHeader.time_unix_nano, no CRCs", &bytes);
            let end = self.body(time.end, signal, &bytes);
            self.add(end..bytes.end, "items", &bytes);
        }
        let key = Key::Record(signal.code(), bytes.start as u64);
        let words = words(&image[bytes.start + RecordHeader::SIZE..bytes.end]);
        self.things.push(Thing { key, bytes: vec![bytes], slot: Some(slot.clone()), words });
    }

    /// The fixed part of a record without a CRC; gives its end.
    fn body(&mut self, at: usize, signal: Signal, record: &Range<usize>) -> usize {
        match signal {
            Signal::Spans => self.fields(at, "SpanBody", SpanBody::FIELDS, record),
            Signal::Events => self.fields(at, "EventBody", EventBody::FIELDS, record),
            Signal::Measurements => {
                let (reserved, fields) = MeasurementBody::FIELDS.split_last().expect("fields");
                self.fields(at, "MeasurementBody", fields, record);
                let start = at + reserved.offset;
                self.add(start..start + reserved.size, "MeasurementBody.reserved, no CRCs", record);
            }
        }
        at + match signal {
            Signal::Spans => SpanBody::SIZE,
            Signal::Events => EventBody::SIZE,
            Signal::Measurements => MeasurementBody::SIZE,
        }
    }

    fn active(&mut self, image: &[u8]) {
        let section = Section::find(image, SectionKind::ActiveSpans, None);
        let blocks: Vec<_> = section.entries().collect();
        // For each block: published bytes of its content, whether `next` counts, whether it is a head.
        let mut used = vec![(0, false, false); blocks.len()];
        for head in 0..blocks.len() {
            let number = u32::try_from(head).expect("few blocks");
            let word = get::<ActiveBlock>(image, blocks[head].start).committed.get();
            let mut rest = index(ActiveCommit::unpack(word, number).expect("a whole word").bytes);
            if rest == 0 {
                continue;
            }
            let (mut at, mut bytes, mut content) = (head, Vec::new(), Vec::new());
            loop {
                let block: ActiveBlock = get(image, blocks[at].start);
                let take = rest.min(BLOCK_CONTENT_SIZE);
                rest -= take;
                used[at] = (take, rest > 0, at == head);
                bytes.push(blocks[at].clone());
                content.extend_from_slice(&block.content[..take]);
                if rest == 0 {
                    break;
                }
                at = index(block.next.get()) - 1;
            }
            self.thing(Key::InFlight(number), bytes, words(&content));
        }
        for (block, used) in blocks.iter().zip(used) {
            self.block(block, used);
        }
    }

    fn block(&mut self, block: &Range<usize>, (published, has_next, is_head): (usize, bool, bool)) {
        for field in ActiveBlock::FIELDS {
            let start = block.start + field.offset;
            let bytes = start..start + field.size;
            match field.name {
                "next" if !has_next => self.add(bytes, "ActiveBlock.next, not valid", block),
                "flags" if !is_head => self.add(bytes, "ActiveBlock.flags, no head", block),
                "content" => {
                    let mut items = start;
                    if is_head {
                        self.fields(start, "SpanBody", SpanBody::FIELDS, block);
                        items += SpanBody::SIZE;
                    }
                    self.add(items..start + published, "items", block);
                    self.add(start + published..bytes.end, "ActiveBlock.content, unpublished", block);
                }
                name => self.add(bytes, format!("ActiveBlock.{name}"), block),
            }
        }
    }

    fn cells(&mut self, image: &[u8]) {
        let section = Section::find(image, SectionKind::MetricCells, None);
        let start = section.bytes.start;
        let header = start..start + CellsHeader::SIZE;
        self.fields(start, "CellsHeader", CellsHeader::FIELDS, &header);
        let used = unseal(get::<U64>(image, start).get()).expect("a whole word");
        let (mut at, end) = (header.end, start + index(used));
        while at < end {
            let series: SeriesHeader = get(image, at);
            let bytes = at..at + index(series.size.get());
            at = bytes.end;
            self.series(image, &series, bytes);
        }
        self.add(end..section.bytes.end, "MetricCells, unpublished", &section.bytes);
        self.rest(section.bytes.end, "MetricCells, unpublished");
    }

    fn series(&mut self, image: &[u8], series: &SeriesHeader, bytes: Range<usize>) {
        let kind = SeriesKind::from_code(series.kind.get()).expect("a known kind");
        let references = (series.stream_ref.get(), series.attributes_ref.get());
        let (key, words) = (Key::Series(references.0, references.1), vec![references.0, references.1]);
        self.thing(key, vec![bytes.clone()], words);
        self.fields(bytes.start, "SeriesHeader", SeriesHeader::FIELDS, &bytes);
        let first = bytes.start + SeriesHeader::SIZE;
        if kind == SeriesKind::Sum {
            self.fields(first, "SumCell", SumCell::FIELDS, &bytes);
            return;
        }
        let capacity = index(series.capacity.get());
        let size = index(kind.copy_size(series.capacity.get()));
        let version = unseal(series.version.get()).expect("a whole word");
        for number in 0..2 {
            let copy = first + number * size..first + (number + 1) * size;
            if version != 0 && index(version & 1) == number {
                self.copy(image, kind, capacity, &copy, &bytes);
            } else {
                self.add(copy, "copy, not in force", &bytes);
            }
        }
        self.add(first + 2 * size..bytes.end, "copy, padding", &bytes);
    }

    fn copy(
        &mut self,
        image: &[u8],
        kind: SeriesKind,
        capacity: usize,
        copy: &Range<usize>,
        series: &Range<usize>,
    ) {
        let at = copy.start;
        let buckets = match kind {
            SeriesKind::Histogram => {
                self.fields(at, "HistogramCopy", HistogramCopy::FIELDS, series);
                vec![("HistogramCopy, bucket", at + HistogramCopy::SIZE, capacity, capacity)]
            }
            SeriesKind::ExponentialHistogram => {
                self.fields(at, "ExponentialCopy", ExponentialCopy::FIELDS, series);
                let fields: ExponentialCopy = get(image, at);
                let positive = at + ExponentialCopy::SIZE;
                vec![
                    (
                        "ExponentialCopy, positive bucket",
                        positive,
                        index(fields.positive_length.get()),
                        capacity,
                    ),
                    (
                        "ExponentialCopy, negative bucket",
                        positive + 8 * capacity,
                        index(fields.negative_length.get()),
                        capacity,
                    ),
                ]
            }
            SeriesKind::Gauge | SeriesKind::Sum => {
                self.fields(at, "GaugeCopy", GaugeCopy::FIELDS, series);
                vec![("", copy.end, 0, 0)]
            }
        };
        let mut end = at;
        for (name, start, used, room) in buckets {
            self.add(start..start + 8 * used, name, series);
            self.add(start + 8 * used..start + 8 * room, "bucket, not in use", series);
            end = start + 8 * room;
        }
        self.add(end..copy.end, "copy, padding", series);
    }

    fn dictionary(&mut self, image: &[u8]) {
        let section = Section::find(image, SectionKind::Dictionary, None);
        let start = section.bytes.start;
        let header = start..start + DictionaryHeader::SIZE;
        self.fields(start, "DictionaryHeader", DictionaryHeader::FIELDS, &header);
        let used = unseal(get::<U64>(image, start).get()).expect("a whole word");
        let (mut at, end) = (header.end, start + index(used));
        while at < end {
            let length = index(get::<EntryHeader>(image, at).length.get());
            let bytes = at..at + length;
            self.fields(at, "EntryHeader", EntryHeader::FIELDS, &bytes);
            self.add(at + EntryHeader::SIZE..bytes.end, "entry", &bytes);
            let next = at + align8(length);
            self.add(bytes.end..next, "entry, padding", &bytes);
            let reference = u32::try_from((at - start) / 8).expect("a small dictionary");
            let words = words(&image[at + EntryHeader::SIZE..bytes.end]);
            self.entries.push(Entry { bytes, reference, words });
            at = next;
        }
        self.add(end..section.bytes.end, "Dictionary, unpublished", &section.bytes);
        self.rest(section.bytes.end, "Dictionary, unpublished");
    }
}

/// The aligned 32-bit words of some bytes.
fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
