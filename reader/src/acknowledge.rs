//! The exporter's part: one lock, and acknowledgements by compare-and-swap (SPEC "Acknowledgement").
//!
//! The only module with unsafe code, and the only one that maps a file or writes to it. What it maps are the three
//! segment tables; of those it touches one word in each entry, by atomic operations alone. A file that is cut short
//! under a mapping raises `SIGBUS`; an exporter attaches to recordings of its own deployment, whose writer never
//! changes the size of a file.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};
use otlp_mmap_format::{Acknowledged, EXPORTER_LOCK_BYTE, SegmentEntry, Signal};

use crate::advance::advance;
use crate::bytes::len;
use crate::header::Pool;
use crate::source::Source;
use crate::{Error, Liveness, Recording};

/// The one exporter of a recording, as long as it lives.
#[derive(Debug)]
pub struct Exporter {
    recording: Recording,
    /// Tables of spans, events, measurements.
    tables: [Table; 3],
    /// Holds the lock. Not the file that is mapped: a mapping would keep the lock alive.
    _lock: Source,
}

/// A mapped segment table.
#[derive(Debug)]
struct Table {
    map: MmapRaw,
    /// Entries in the mapping; all of them lie within it.
    count: u32,
}

impl Exporter {
    /// Attaches to the recording at `path` as its exporter.
    ///
    /// # Errors
    /// [`Error::ExporterAttached`] if it has one; [`Error::Io`] if the file cannot be opened for writing, locked
    /// or mapped; any error of [`Recording::open`].
    pub fn attach(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let recording = Recording::open(path)?;
        let lock = open_for_writing(path)?;
        if !lock.lock(EXPORTER_LOCK_BYTE)? {
            return Err(Error::ExporterAttached { path: path.to_owned(), offset: EXPORTER_LOCK_BYTE });
        }
        let mapped = open_for_writing(path)?;
        let [spans, events, measurements] = &recording.header().pools;
        let tables =
            [Table::map(&mapped, spans)?, Table::map(&mapped, events)?, Table::map(&mapped, measurements)?];
        Ok(Self { recording, tables, _lock: lock })
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Acknowledges that every record of generation `generation` of segment `slot` with an index below `records`
    /// was delivered or given up. Never takes an acknowledgement back. `false`: the writer recycles the segment, and
    /// counts as overwritten what was not acknowledged before. If it is killed in the middle of that, the segment
    /// stays: once it is dead, an exporter that tries again, or attaches anew, succeeds.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `slot` names no segment or `records` is 2^23 or more.
    pub fn acknowledge(
        &self,
        signal: Signal,
        slot: u32,
        generation: u32,
        records: u32,
    ) -> Result<bool, Error> {
        let [spans, events, measurements] = &self.tables;
        let table = match signal {
            Signal::Spans => spans,
            Signal::Events => events,
            Signal::Measurements => measurements,
        };
        let limit = u64::from(table.count);
        let word = table.acknowledged(slot).ok_or(Error::OutOfRange {
            argument: "slot",
            limit,
            found: slot.into(),
        })?;
        if records >= Acknowledged::MAX_RECORDS {
            let limit = Acknowledged::MAX_RECORDS.into();
            return Err(Error::OutOfRange { argument: "records", limit, found: records.into() });
        }
        let writer_is_gone = || self.recording.liveness() != Liveness::Alive;
        Ok(advance(word, generation, records, writer_is_gone))
    }
}

impl Table {
    fn map(file: &Source, pool: &Pool) -> Result<Self, Error> {
        let count = pool.table.entry_count;
        let length = len(u64::from(count)).saturating_mul(SegmentEntry::SIZE).max(SegmentEntry::SIZE);
        let end = pool.table.offset.saturating_add(crate::bytes::size(length));
        let found = file.length()?;
        if end > found {
            return Err(Error::TooShort { what: "a segment table", expected: end, found });
        }
        let map = MmapOptions::new().offset(pool.table.offset).len(length).map_raw(file.file());
        Ok(Self { map: map.map_err(|e| file.io("cannot map", e))?, count })
    }

    /// The word that holds the acknowledgements of segment `slot`.
    fn acknowledged(&self, slot: u32) -> Option<&AtomicU64> {
        if slot >= self.count {
            return None;
        }
        let field = SegmentEntry::FIELDS.iter().find(|field| field.name == "acknowledged")?;
        let at = len(u64::from(slot)).checked_mul(SegmentEntry::SIZE)?.checked_add(field.offset)?;
        let end = at.checked_add(size_of::<AtomicU64>())?;
        if end > self.map.len() {
            return None;
        }
        // SAFETY: `at` and the 8 bytes from it lie within the mapping (checked above), so that the addition stays
        // within one allocation.
        let byte = unsafe { self.map.as_mut_ptr().add(at) };
        // A mapping starts at a page boundary, and `at` is a multiple of 64 plus 8.
        #[allow(clippy::cast_ptr_alignment)]
        let word = byte.cast::<u64>();
        // SAFETY: `word` is valid for reads and writes as long as the mapping, which `self` owns and the returned
        // reference borrows; it is aligned (above); and every access to this word, in this process and in the
        // writer's, is an atomic one of 8 bytes (SPEC "Memory ordering").
        Some(unsafe { AtomicU64::from_ptr(word) })
    }
}

fn open_for_writing(path: &Path) -> Result<Source, Error> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let file = opened.map_err(|e| Error::Io {
        what: "cannot open for writing",
        path: path.to_owned(),
        source: e,
    })?;
    Ok(Source::new(file, path))
}
