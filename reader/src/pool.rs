//! New records of one segment (SPEC "Observer", "Post-mortem").
//!
//! Live: read the entry, copy the payload, read the entry again; the copy counts only if the generation is still
//! the same. All numbers of an entry are untrusted. A file whose committed words never reached the disk is read
//! by check and CRC alone.

use otlp_mmap_format::{Acknowledged, Committed, RecordHeader, SegmentEntry, U64, unseal};

use crate::bytes::{len, size};
use crate::header::Pool;
use crate::segment::{Expect, Frame, Place, RecordRules, Walk, is_newer};
use crate::source::{Source, or_fault};
use crate::{Report, Rule};

/// How often a segment that is recycled while it is read is tried before it is left for the next poll.
const MAX_TRIES: usize = 8;

/// How the committed words of a file are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The writer lives: words change while they are read.
    Live,
    /// Nothing changes any more, and every store of the writer is there.
    Still,
    /// Closed before the machine went down: records may stand behind what is published.
    Adjoining,
    /// Not closed before the machine went down: records are what a check and a CRC say.
    Remnants,
}

impl Mode {
    /// Whether published lengths count.
    pub(crate) fn is_trusted(self) -> bool {
        matches!(self, Self::Live | Self::Still)
    }
}

/// How far a segment was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    /// Whether the segment was looked at before; only then can records of it be missed.
    started: bool,
    place: Place,
    /// Bytes of the generation that were read.
    consumed: u32,
    /// Records of the segment, over all generations, that were read or counted as missed.
    accounted: u64,
    /// Records of the generation that an exporter had acknowledged when reading began.
    acknowledged: u32,
    /// What there was was found without the committed word, which will not change any more.
    finished: bool,
}

/// Records that were read from a segment.
#[derive(Debug)]
pub(crate) struct Chunk {
    copy: Vec<u8>,
    /// Offset of the copy in the file.
    origin: u64,
    /// Sequence number of the generation's first record.
    base: u64,
    frames: Vec<Frame>,
}

/// A segment and what its records are checked against.
#[derive(Clone, Copy)]
pub(crate) struct SegmentReader<'a> {
    pub(crate) source: &'a Source,
    pub(crate) pool: &'a Pool,
    pub(crate) slot: u32,
    pub(crate) rules: RecordRules,
}

/// What one attempt to read a segment came to.
struct Attempt {
    cursor: Cursor,
    missed: u64,
    report: Report,
    chunk: Option<Chunk>,
}

impl Chunk {
    /// The records: header and bytes, sequence number, offset in the file.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&Frame, &[u8], u64, u64)> + '_ {
        self.frames.iter().map(|frame| {
            let sequence = self.base.saturating_add(u64::from(frame.header.index.get()));
            (frame, frame.bytes(&self.copy), sequence, self.origin + size(frame.at))
        })
    }

    /// Bytes of the copy.
    pub(crate) fn size(&self) -> u64 {
        size(self.copy.len())
    }

    /// Number of records.
    pub(crate) fn len(&self) -> u64 {
        size(self.frames.len())
    }
}

impl Cursor {
    /// Generation and number of records read of it.
    pub(crate) fn progress(&self) -> (u32, u32) {
        (self.place.generation, u32::try_from(self.place.next_index).unwrap_or(u32::MAX))
    }

    /// Records of the segment over all generations, up to the last one read.
    pub(crate) fn accounted(&self) -> u64 {
        self.accounted
    }

    /// Whether a committed word says something that was not read yet; a damaged one may.
    pub(crate) fn is_behind(&self, committed: Option<Committed>) -> bool {
        let is_known = |committed: Committed| {
            self.started && committed.generation == self.place.generation && committed.bytes == self.consumed
        };
        !self.finished && !committed.is_some_and(is_known)
    }
}

impl SegmentReader<'_> {
    /// Everything of a segment once, without the memory of an earlier look.
    pub(crate) fn all(&self, mode: Mode, report: &mut Report) -> Option<Chunk> {
        self.read_new(&mut Cursor::default(), mode, false, &mut 0, report)
    }

    /// What is new since `cursor`; adds to `missed` what was overwritten unread.
    pub(crate) fn read_new(
        &self,
        cursor: &mut Cursor,
        mode: Mode,
        skip_acknowledged: bool,
        missed: &mut u64,
        report: &mut Report,
    ) -> Option<Chunk> {
        if mode == Mode::Remnants {
            return self.salvage(cursor, skip_acknowledged, report);
        }
        let mut attempt = self.attempt(*cursor, mode, skip_acknowledged);
        if !attempt.report.is_clean() {
            if mode == Mode::Live {
                // A torn word looks like damage, but not twice.
                attempt = self.attempt(*cursor, mode, skip_acknowledged);
            } else if !cursor.started {
                self.salvage_more(&mut attempt, skip_acknowledged);
            }
        }
        *cursor = attempt.cursor;
        *missed = missed.saturating_add(attempt.missed);
        report.merge(attempt.report);
        attempt.chunk
    }

    fn attempt(&self, mut cursor: Cursor, mode: Mode, skip_acknowledged: bool) -> Attempt {
        let (mut missed, mut report) = (0, Report::default());
        let chunk = self.round(&mut cursor, mode, skip_acknowledged, &mut missed, &mut report);
        Attempt { cursor, missed, report, chunk }
    }

    /// One reading: entry, payload, entry again.
    fn round(
        &self,
        cursor: &mut Cursor,
        mode: Mode,
        skip_acknowledged: bool,
        missed: &mut u64,
        report: &mut Report,
    ) -> Option<Chunk> {
        for is_last in (0..MAX_TRIES).map(|attempt| attempt + 1 == MAX_TRIES) {
            let entry = self.stable_entry(report)?;
            let Some(committed) = Committed::unpack(entry.committed.get()) else {
                damaged_word("committed", entry.committed, self.entry_offset(), Rule::Committed, report);
                if !cursor.started {
                    cursor.accounted = records_before(&entry);
                }
                return None;
            };
            self.follow(&entry, committed.generation, cursor, skip_acknowledged, missed, report);
            if committed.generation == 0 {
                self.check_unused(committed, mode, report);
                return None;
            }
            // Fewer bytes than were there before: a word that was read while it was written.
            if committed.bytes < cursor.consumed && !is_last {
                continue;
            }
            let bytes = self.check_committed(committed, cursor.consumed, report);
            let end = if mode == Mode::Adjoining { self.pool.segments.entry_size } else { bytes };
            let origin = self.payload_offset(cursor.consumed);
            let wanted = len(u64::from(end - cursor.consumed));
            let published = len(u64::from(bytes - cursor.consumed));
            let mut copy = self.copy(origin, wanted, published, report)?;
            let again = Committed::unpack(self.entry(report)?.committed.get());
            let Some(again) = again.filter(|again| again.generation == committed.generation) else {
                continue;
            };
            // A word read while it was written may have been too large.
            let bytes = bytes.min(again.bytes.max(cursor.consumed));
            if mode != Mode::Adjoining {
                copy.truncate(len(u64::from(bytes - cursor.consumed)));
            }
            let base = of_generation(entry.base_records, committed.generation).unwrap_or(0);
            return Some(self.walk(copy, origin, bytes, base, cursor, report));
        }
        None
    }

    /// Checks the committed word of an entry that was read without it.
    pub(crate) fn check_unheeded(&self, entry: &SegmentEntry, report: &mut Report) {
        match Committed::unpack(entry.committed.get()) {
            None => damaged_word("committed", entry.committed, self.entry_offset(), Rule::Committed, report),
            Some(committed) if committed.generation == 0 => {
                self.check_unused(committed, Mode::Remnants, report);
            }
            Some(committed) => {
                self.check_committed(committed, 0, report);
            }
        }
    }

    /// Nothing is stored into a segment that was never claimed. If a record stands there all the same, the entry was
    /// lost: zeros have a check that fits.
    fn check_unused(&self, committed: Committed, mode: Mode, report: &mut Report) {
        let found = committed.bytes;
        if found != 0 {
            let detail = || format!("{found} bytes of a segment that was never claimed");
            report.fault(self.entry_offset(), Rule::SegmentEntry, detail);
        } else if mode != Mode::Live && self.holds_record() {
            let detail = || "a record stands in a segment that was never claimed".to_owned();
            report.fault(self.entry_offset(), Rule::SegmentEntry, detail);
        }
    }

    /// Moves the cursor to the generation of `entry`, and counts what was missed of those before.
    fn follow(
        &self,
        entry: &SegmentEntry,
        generation: u32,
        cursor: &mut Cursor,
        skip_acknowledged: bool,
        missed: &mut u64,
        report: &mut Report,
    ) {
        if cursor.started && generation == cursor.place.generation {
            return;
        }
        let base = of_generation(entry.base_records, generation).unwrap_or_else(|| {
            let word = word_of_generation(entry.base_records, generation);
            damaged_word("base_records", word, self.entry_offset(), Rule::SegmentEntry, report);
            0
        });
        let mut next = Cursor { started: true, accounted: base, ..Cursor::default() };
        next.place.generation = generation;
        if cursor.started {
            *missed = missed.saturating_add(self.count_missed(base, cursor.accounted, report));
        } else if skip_acknowledged {
            next.acknowledged = acknowledged(entry, generation);
            // They are delivered already: recycled before the first reading succeeds, they are not missed.
            next.accounted = base.saturating_add(next.acknowledged.into());
        }
        *cursor = next;
    }

    fn count_missed(&self, base: u64, accounted: u64, report: &mut Report) -> u64 {
        base.checked_sub(accounted).unwrap_or_else(|| {
            report.fault(self.entry_offset(), Rule::SegmentEntry, || {
                format!("{base} records before this generation, but {accounted} were read")
            });
            0
        })
    }

    /// Published bytes as far as they make sense, from `consumed` to the size of the segment.
    fn check_committed(&self, committed: Committed, consumed: u32, report: &mut Report) -> u32 {
        let size = self.pool.segments.entry_size;
        let found = committed.bytes;
        if found < consumed || found > size || !found.is_multiple_of(8) {
            report.fault(self.entry_offset(), Rule::Committed, || {
                format!("{found} bytes are published, expected a multiple of 8 from {consumed} to {size}")
            });
        }
        (found / 8 * 8).clamp(consumed, size)
    }

    fn walk(
        &self,
        copy: Vec<u8>,
        origin: u64,
        end: u32,
        base: u64,
        cursor: &mut Cursor,
        report: &mut Report,
    ) -> Chunk {
        let published = len(u64::from(end - cursor.consumed));
        let mut walk = Walk::new(self.rules, &copy, origin, cursor.place, Expect::Published(published));
        let frames = frames(&mut walk, cursor.acknowledged, report);
        cursor.place = walk.place();
        cursor.consumed = end;
        cursor.accounted = base.saturating_add(cursor.place.next_index);
        Chunk { copy, origin, base, frames }
    }

    /// The newest whole generation that stands in the segment, found without its committed word. Read once:
    /// nobody writes such a file any more.
    fn salvage(&self, cursor: &mut Cursor, skip_acknowledged: bool, report: &mut Report) -> Option<Chunk> {
        if std::mem::replace(&mut cursor.started, true) {
            return None;
        }
        let entry = self.entry(report)?;
        cursor.accounted = records_before(&entry);
        let copy = self.whole_segment(&entry, report).unwrap_or_default();
        let newest = self.rules.newest_generation(&copy);
        let published = self.published_remnants(&entry, newest, report);
        let generation = newest?;
        let present = present_generation(&entry);
        let base = if present == Some(generation) { cursor.accounted } else { 0 };
        let place = Place { generation, ..Place::default() };
        cursor.acknowledged = if skip_acknowledged { acknowledged(&entry, generation) } else { 0 };
        let origin = self.payload_offset(0);
        let mut walk = Walk::new(self.rules, &copy, origin, place, Expect::Remnants(published));
        let frames = frames(&mut walk, cursor.acknowledged, report);
        cursor.place = walk.place();
        let found = cursor.place.next_index;
        cursor.accounted = if present.is_some_and(|present| is_newer(present, generation)) {
            // The entry counts these records among those before.
            cursor.accounted.max(found)
        } else {
            cursor.accounted.saturating_add(found)
        };
        Some(Chunk { copy, origin, base, frames })
    }

    /// The bytes of the segment; `None` if nothing was ever stored there. A segment that was used and lies behind
    /// the end of the file is a fault.
    fn whole_segment(&self, entry: &SegmentEntry, report: &mut Report) -> Option<Vec<u8>> {
        let origin = self.payload_offset(0);
        let length = len(u64::from(self.pool.segments.entry_size));
        if entry.committed.get() != 0 {
            self.check_reach(origin, length, report);
        }
        if self.source.is_hole(origin, length) && self.is_blank(origin) {
            return None;
        }
        or_fault(self.source.up_to(origin, length), origin, report)
    }

    /// Reports bytes that lie behind the end of the file.
    fn check_reach(&self, origin: u64, wanted: usize, report: &mut Report) {
        let end = self.source.length().unwrap_or(0);
        if end < origin.saturating_add(size(wanted)) {
            let (slot, found) = (self.slot, end.saturating_sub(origin));
            report.fault(origin, Rule::Unreadable, || {
                format!("segment {slot}: {found} of {wanted} bytes can be read")
            });
        }
    }

    /// Published bytes of the generation that was found. What is published of a later one is lost.
    fn published_remnants(&self, entry: &SegmentEntry, found: Option<u32>, report: &mut Report) -> usize {
        let Some(Committed { generation, bytes }) = Committed::unpack(entry.committed.get()) else {
            return 0;
        };
        if bytes > self.pool.segments.entry_size {
            return 0;
        }
        if found == Some(generation) {
            return len(u64::from(bytes));
        }
        if bytes > 0 && found.is_none_or(|found| is_newer(generation, found)) {
            report.fault(self.payload_offset(0), Rule::RecordCheck, || {
                format!("no record of generation {generation} in {bytes} bytes")
            });
        }
        0
    }

    /// Takes what a search without the committed word finds in a damaged segment that nobody writes any more, if
    /// it is more of the same generation. One older than what the entry's words name was overwritten, and stays so;
    /// one newer than all of them says that the entry is old, and so is what was found by it.
    fn salvage_more(&self, attempt: &mut Attempt, skip_acknowledged: bool) {
        let (mut fresh, mut ignored) = (Cursor::default(), Report::default());
        let Some(entry) = self.entry(&mut ignored) else { return };
        let Some(better) = self.salvage(&mut fresh, skip_acknowledged, &mut ignored) else { return };
        let (generation, _) = fresh.progress();
        let words = [
            Committed::unpack(entry.committed.get()).map(|word| word.generation),
            Acknowledged::unpack(entry.acknowledged.get()).map(|word| word.generation),
        ];
        let is_named = words.contains(&Some(generation));
        let is_newest = words.iter().flatten().all(|word| is_newer(generation, *word));
        let is_more = better.len() > attempt.chunk.as_ref().map_or(0, Chunk::len);
        if is_newest || (is_named && is_more) {
            // The committed word will not change any more, so the cursor does not follow it.
            attempt.cursor = Cursor { finished: true, ..fresh };
            attempt.chunk = Some(better);
        }
    }

    /// A private copy of a part of the segment. Published bytes that are a hole of the file hold no record: a
    /// huge empty file must not cost the time of reading it.
    fn copy(&self, origin: u64, wanted: usize, published: usize, report: &mut Report) -> Option<Vec<u8>> {
        let exists = || self.source.length().is_ok_and(|end| end >= origin.saturating_add(size(wanted)));
        if self.source.is_hole(origin, published) && self.is_blank(origin) && exists() {
            let detail = || format!("no record in {published} bytes that are a hole");
            report.fault(origin, Rule::RecordCheck, detail);
            return Some(Vec::new());
        }
        self.check_reach(origin, wanted, report);
        or_fault(self.source.up_to(origin, wanted), origin, report)
    }

    /// Whether a record of any generation stands in the segment. One begins at its start.
    fn holds_record(&self) -> bool {
        let origin = self.payload_offset(0);
        let length = len(u64::from(self.pool.segments.entry_size));
        !self.is_blank(origin)
            && self
                .source
                .up_to(origin, length)
                .is_ok_and(|copy| self.rules.newest_generation(&copy).is_some())
    }

    /// Whether the first bytes are zero. Some file systems take pages for holes that were stored into and not
    /// yet written back; a record begins where records are published.
    fn is_blank(&self, origin: u64) -> bool {
        let first = self.source.up_to(origin, RecordHeader::SIZE).unwrap_or_default();
        first.iter().all(|byte| *byte == 0)
    }

    /// The entry, read so that its base words belong to its generation.
    pub(crate) fn stable_entry(&self, report: &mut Report) -> Option<SegmentEntry> {
        let generation =
            |entry: &SegmentEntry| Committed::unpack(entry.committed.get()).map(|word| word.generation);
        let mut before = self.entry(report)?;
        let mut entry = self.entry(report)?;
        for _ in 0..MAX_TRIES {
            let after = self.entry(report)?;
            // In one reading, words are read in any order: those of the second are between the other two.
            if generation(&before) == generation(&entry) && generation(&entry) == generation(&after) {
                return Some(entry);
            }
            (before, entry) = (entry, after);
        }
        None
    }

    fn entry(&self, report: &mut Report) -> Option<SegmentEntry> {
        let offset = self.entry_offset();
        or_fault(self.source.read(offset, "a segment table"), offset, report)
    }

    fn entry_offset(&self) -> u64 {
        self.pool.table.entry_offset(self.slot)
    }

    fn payload_offset(&self, start: u32) -> u64 {
        self.pool.segments.entry_offset(self.slot) + u64::from(start)
    }
}

/// The segment table of a pool in one read; what cannot be read is missing at its end, and a fault.
pub(crate) fn read_table(source: &Source, pool: &Pool, report: &mut Report) -> Vec<SegmentEntry> {
    let wanted = len(u64::from(pool.table.entry_count)).saturating_mul(SegmentEntry::SIZE);
    let Some(bytes) = or_fault(source.up_to(pool.table.offset, wanted), pool.table.offset, report) else {
        return Vec::new();
    };
    if bytes.len() < wanted {
        let found = bytes.len();
        report
            .fault(pool.table.offset, Rule::Unreadable, || format!("{found} of {wanted} bytes can be read"));
    }
    let (entries, _) = bytes.as_chunks::<{ SegmentEntry::SIZE }>();
    entries.iter().map(|entry| zerocopy::transmute!(*entry)).collect()
}

/// The records of a walk with an index of at least `first`.
fn frames(walk: &mut Walk<'_>, first: u32, report: &mut Report) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = walk.next(report) {
        if frame.header.index.get() >= first {
            frames.push(frame);
        }
    }
    frames
}

/// Records of `generation` that an exporter has acknowledged.
fn acknowledged(entry: &SegmentEntry, generation: u32) -> u32 {
    Acknowledged::unpack(entry.acknowledged.get())
        .filter(|acknowledged| acknowledged.generation == generation)
        .map_or(0, |acknowledged| acknowledged.records)
}

/// The generation that stands in a segment. If the word that says so is damaged, the other one that knows it does.
pub(crate) fn present_generation(entry: &SegmentEntry) -> Option<u32> {
    let committed = Committed::unpack(entry.committed.get()).map(|word| word.generation);
    committed.or_else(|| Acknowledged::unpack(entry.acknowledged.get()).map(|word| word.generation))
}

/// Records of the segment before the generation that stands in it, as far as its entry knows.
fn records_before(entry: &SegmentEntry) -> u64 {
    present_generation(entry).and_then(|present| of_generation(entry.base_records, present)).unwrap_or(0)
}

/// The number in the word of `words` that belongs to `generation`; `None` if its check does not fit.
pub(crate) fn of_generation(words: [U64; 2], generation: u32) -> Option<u64> {
    unseal(word_of_generation(words, generation).get())
}

/// Reports a checked word whose check does not fit.
pub(crate) fn damaged_word(name: &str, word: U64, offset: u64, rule: Rule, report: &mut Report) {
    report.fault(offset, rule, || format!("the check of {name} {:#018x} does not fit", word.get()));
}

/// The word of `words` that belongs to `generation`.
fn word_of_generation(words: [U64; 2], generation: u32) -> U64 {
    let [even, odd] = words;
    if generation.is_multiple_of(2) { even } else { odd }
}

mod single;
#[cfg(test)]
mod tests;
