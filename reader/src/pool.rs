//! New records of one segment (SPEC "Observer", "Post-mortem").
//!
//! Live: read the entry, copy the payload, read the entry again; the copy counts only if the generation is still
//! the same. All numbers of an entry are untrusted. A file whose committed words never reached the disk is read
//! by check and CRC alone.

use otlp_mmap_format::{Acknowledged, Committed, SegmentEntry, U64};

use crate::bytes::{len, size};
use crate::header::Pool;
use crate::segment::{Frame, Place, RecordRules, Walk};
use crate::source::{Source, or_fault};
use crate::{Report, Rule};

/// How often a segment that is recycled while it is read is tried before it is left for the next poll.
const MAX_TRIES: usize = 8;

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

/// What was found out about a segment before its payload is copied.
struct Plan {
    place: Place,
    start: u32,
    bytes: u32,
    base: u64,
}

impl Chunk {
    /// The records: header and bytes, sequence number, offset in the file.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&Frame, &[u8], u64, u64)> + '_ {
        self.frames.iter().map(|frame| {
            let sequence = self.base.saturating_add(u64::from(frame.header.index.get()));
            (frame, frame.bytes(&self.copy), sequence, self.origin + size(frame.at))
        })
    }

    /// Number of records.
    pub(crate) fn len(&self) -> u64 {
        size(self.frames.len())
    }
}

impl Cursor {
    /// Generation and number of records read of it.
    pub(crate) fn progress(&self) -> (u32, u32) {
        (self.place.generation, self.place.next_index)
    }

    /// Records of the segment over all generations, up to the last one read.
    pub(crate) fn accounted(&self) -> u64 {
        self.accounted
    }

    /// Whether a committed word says something that was not read yet.
    pub(crate) fn is_behind(&self, committed: Committed) -> bool {
        let Committed { generation, bytes } = committed;
        !self.started || generation != self.place.generation || bytes != self.consumed
    }
}

impl SegmentReader<'_> {
    /// Everything of a segment once, without the memory of an earlier look.
    pub(crate) fn all(&self, trusted: bool, report: &mut Report) -> Option<Chunk> {
        self.read_new(&mut Cursor::default(), trusted, false, &mut 0, report)
    }

    /// What is new since `cursor`; adds to `missed` what was overwritten unread.
    pub(crate) fn read_new(
        &self,
        cursor: &mut Cursor,
        trusted: bool,
        skip_acknowledged: bool,
        missed: &mut u64,
        report: &mut Report,
    ) -> Option<Chunk> {
        if !trusted {
            return self.salvage(cursor, report);
        }
        for _ in 0..MAX_TRIES {
            let entry = self.stable_entry(report)?;
            let plan = self.plan(&entry, cursor, skip_acknowledged, missed, report)?;
            let origin = self.payload_offset(plan.start);
            let wanted = len(u64::from(plan.bytes - plan.start));
            let mut copy = or_fault(self.source.up_to(origin, wanted), origin, report)?;
            let again = Committed::unpack(self.entry(report)?.committed.get());
            if again.generation != plan.place.generation {
                continue;
            }
            // A word read while it was written may have been too large; the file may have been cut.
            let bytes = plan.bytes.min(again.bytes.max(plan.start));
            copy.truncate(len(u64::from(bytes - plan.start)));
            self.check_length(&copy, bytes - plan.start, origin, report);
            return Some(self.walk(copy, origin, bytes, &plan, cursor, report));
        }
        None
    }

    /// Decides what to read, and counts what was missed.
    fn plan(
        &self,
        entry: &SegmentEntry,
        cursor: &mut Cursor,
        skip_acknowledged: bool,
        missed: &mut u64,
        report: &mut Report,
    ) -> Option<Plan> {
        let committed = Committed::unpack(entry.committed.get());
        let base = of_generation(entry.base_records, committed.generation);
        if !cursor.started {
            let acknowledged = Acknowledged::unpack(entry.acknowledged.get());
            let same = acknowledged.generation == committed.generation;
            *cursor = Cursor { started: true, accounted: base, ..Cursor::default() };
            cursor.acknowledged = if same && skip_acknowledged { acknowledged.records } else { 0 };
            cursor.place.generation = committed.generation;
        } else if committed.generation != cursor.place.generation {
            *missed = missed.saturating_add(self.count_missed(base, cursor.accounted, report));
            *cursor = Cursor { started: true, accounted: base, ..Cursor::default() };
            cursor.place.generation = committed.generation;
        }
        if committed.generation == 0 {
            return None;
        }
        let bytes = self.check_committed(committed, cursor.consumed, report);
        Some(Plan { place: cursor.place, start: cursor.consumed, bytes, base })
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
        plan: &Plan,
        cursor: &mut Cursor,
        report: &mut Report,
    ) -> Chunk {
        let mut walk = Walk::new(self.rules, &copy, origin, plan.place, true);
        let mut frames = Vec::new();
        while let Some(frame) = walk.next(report) {
            if frame.header.index.get() >= cursor.acknowledged {
                frames.push(frame);
            }
        }
        cursor.place = walk.place();
        cursor.consumed = end;
        cursor.accounted = plan.base.saturating_add(u64::from(cursor.place.next_index));
        Chunk { copy, origin, base: plan.base, frames }
    }

    /// The newest whole generation that stands in the segment, found without its committed word. Read once:
    /// nobody writes such a file any more.
    fn salvage(&self, cursor: &mut Cursor, report: &mut Report) -> Option<Chunk> {
        if std::mem::replace(&mut cursor.started, true) {
            return None;
        }
        let origin = self.payload_offset(0);
        let wanted = len(u64::from(self.pool.segments.entry_size));
        let copy = or_fault(self.source.up_to(origin, wanted), origin, report)?;
        let generation = self.rules.newest_generation(&copy)?;
        let entry = self.entry(report)?;
        let known = Committed::unpack(entry.committed.get()).generation == generation;
        let base = if known { of_generation(entry.base_records, generation) } else { 0 };
        let place = Place { generation, ..Place::default() };
        let mut walk = Walk::new(self.rules, &copy, origin, place, false);
        let mut frames = Vec::new();
        while let Some(frame) = walk.next(report) {
            frames.push(frame);
        }
        cursor.place = walk.place();
        cursor.accounted = base.saturating_add(u64::from(cursor.place.next_index));
        Some(Chunk { copy, origin, base, frames })
    }

    /// The entry, read so that its base words belong to its generation.
    fn stable_entry(&self, report: &mut Report) -> Option<SegmentEntry> {
        let mut entry = self.entry(report)?;
        for _ in 0..MAX_TRIES {
            let again = self.entry(report)?;
            let generation = |entry: &SegmentEntry| Committed::unpack(entry.committed.get()).generation;
            if generation(&entry) == generation(&again) {
                return Some(entry);
            }
            entry = again;
        }
        None
    }

    fn entry(&self, report: &mut Report) -> Option<SegmentEntry> {
        let offset = self.entry_offset();
        or_fault(self.source.read(offset, "a segment table"), offset, report)
    }

    fn check_length(&self, copy: &[u8], wanted: u32, origin: u64, report: &mut Report) {
        let found = size(copy.len());
        if found < u64::from(wanted) {
            report.fault(origin, Rule::Unreadable, || {
                format!("segment {}: {found} of {wanted} bytes can be read", self.slot)
            });
        }
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

/// The word of `words` that belongs to `generation`.
pub(crate) fn of_generation(words: [U64; 2], generation: u32) -> u64 {
    let [even, odd] = words;
    if generation.is_multiple_of(2) { even.get() } else { odd.get() }
}
