//! One record read again, by the position that an observer gave it.
//!
//! A record counts only if it is whole, bears the number that its position says, and is of the generation that stands in
//! its segment before and after its bytes were copied.

use otlp_mmap_format::{Committed, RecordHeader, SegmentEntry};

use super::{MAX_TRIES, Mode, SegmentReader, present_generation, records_before};
use crate::Report;
use crate::bytes::{len, size};
use crate::model::Position;
use crate::segment::{Frame, is_newer};

impl SegmentReader<'_> {
    /// Header and bytes of the record at `position`; `None` if it is not there any more.
    pub(crate) fn single(&self, position: Position, mode: Mode) -> Option<(RecordHeader, Vec<u8>)> {
        let start = position.offset.checked_sub(self.payload_offset(0))?;
        let room = u64::from(self.pool.segments.entry_size).checked_sub(start)?;
        if !start.is_multiple_of(8) {
            return None;
        }
        let mut ignored = Report::default();
        for _ in 0..MAX_TRIES {
            let before = self.stable_entry(&mut ignored)?;
            let header: RecordHeader = self.source.read(position.offset, "a record").ok()?;
            let length = u64::from(header.length.get());
            let copy = self.source.up_to(position.offset, len(length.min(room))).ok()?;
            let after = self.entry(&mut ignored)?;
            if generation(&before) != generation(&after) {
                continue;
            }
            let frame = self.rules.frame(&copy, 0).filter(|frame| self.rules.crc_fits(&copy, frame))?;
            let end = start.saturating_add(size(frame.length()));
            let is_it = is_numbered(&frame, &before, position) && is_present(&frame, end, &before, mode);
            return is_it.then(|| (frame.header, frame.bytes(&copy).to_vec()));
        }
        None
    }
}

fn generation(entry: &SegmentEntry) -> Option<u32> {
    Committed::unpack(entry.committed.get()).map(|word| word.generation)
}

/// Whether the record has the sequence number of `position`, counted as whoever reads the whole segment does.
fn is_numbered(frame: &Frame, entry: &SegmentEntry, position: Position) -> bool {
    let present = present_generation(entry) == Some(frame.header.generation.get());
    let base = if present { records_before(entry) } else { 0 };
    base.saturating_add(frame.header.index.get().into()) == position.sequence
}

/// Whether a record that ends at `end` of its segment is what its entry says. An entry that nobody writes any more may be
/// damaged, or older than its records.
fn is_present(frame: &Frame, end: u64, entry: &SegmentEntry, mode: Mode) -> bool {
    let found = frame.header.generation.get();
    match Committed::unpack(entry.committed.get()) {
        Some(committed) if committed.generation == found => {
            mode != Mode::Live || end <= u64::from(committed.bytes)
        }
        Some(committed) => mode != Mode::Live && is_newer(found, committed.generation) || !mode.is_trusted(),
        None => mode != Mode::Live,
    }
}
