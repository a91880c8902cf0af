//! A look at a recording as a reader would find it had its writer died at this instruction.

use crate::step::world::without_clock;
use otlp_mmap_format::{EntryKind, Signal};
use otlp_mmap_reader::{Liveness, Recording, Report, Snapshot};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a reader found.
pub(crate) struct Seen {
    pub(crate) snapshot: Snapshot,
    pub(crate) liveness: Liveness,
    /// Entries of the dictionary.
    pub(crate) entries: u64,
    /// The dictionary's place in the file, and how much of it is in use.
    dictionary: (u64, u64),
}

/// Opens the recording in `file`, which nobody locks, and asks it everything there is to ask. Any fault, error or panic
/// is a violation.
pub(crate) fn look(file: &File) -> Result<Seen, String> {
    match catch_unwind(AssertUnwindSafe(|| ask(file))) {
        Ok(seen) => seen,
        Err(_) => Err("the reader panicked".to_owned()),
    }
}

fn ask(file: &File) -> Result<Seen, String> {
    let failed = |error: otlp_mmap_reader::Error| error.to_string();
    let file = file.try_clone().map_err(|error| error.to_string())?;
    let recording = Recording::from_file(file, "a dead recording").map_err(failed)?;
    let snapshot = recording.snapshot().map_err(failed)?;
    clean("a snapshot", &snapshot.report)?;
    let verified = recording.verify().map_err(failed)?;
    clean("a verification", &verified)?;
    let (entries, mut readable) = (verified.readable.dictionary_entries, verified.readable);
    readable.dictionary_entries = 0;
    if readable != snapshot.report.readable {
        return Err(format!("verified {readable:?}, read {:?}", snapshot.report.readable));
    }
    if recording.losses().map_err(failed)? != snapshot.losses {
        return Err("losses by themselves differ from those of the snapshot".to_owned());
    }
    let usage = recording.fill().map_err(failed)?;
    let liveness = recording.liveness();
    if liveness == Liveness::Alive {
        return Err("a recording that nobody locks is alive".to_owned());
    }
    let dictionary = (recording.header().dictionary.offset, usage.dictionary.used);
    let series = snapshot.series.into_iter().map(without_clock).collect();
    let snapshot = Snapshot { series, ..snapshot };
    Ok(Seen { snapshot, liveness, entries, dictionary })
}

/// Whether a report is free of faults.
pub(crate) fn clean(what: &str, report: &Report) -> Result<(), String> {
    match report.faults.first() {
        None => Ok(()),
        Some(fault) => Err(format!("{what} found {} faults, first {fault}", report.fault_count())),
    }
}

/// A dictionary entry that a call gave a reference to.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) reference: u32,
    pub(crate) kind: EntryKind,
    /// Of a string: its text.
    pub(crate) text: Option<String>,
}

impl Seen {
    /// Records ever published.
    pub(crate) fn recorded(&self, signal: Signal) -> u64 {
        self.snapshot.losses.signal(signal).recorded
    }

    /// Records overwritten before they were acknowledged.
    pub(crate) fn overwritten(&self, signal: Signal) -> u64 {
        self.snapshot.losses.signal(signal).overwritten
    }

    /// Segments of the records that are present, the oldest record first.
    pub(crate) fn segments(&self, signal: Signal) -> Vec<u32> {
        match signal {
            Signal::Spans => self.snapshot.spans.iter().map(|span| span.position.segment).collect(),
            Signal::Events => self.snapshot.events.iter().map(|event| event.position.segment).collect(),
            Signal::Measurements => self.snapshot.measurements.iter().map(|it| it.position.segment).collect(),
        }
    }

    /// Whether the file with these bytes holds an entry whole (its CRC was verified with all others).
    pub(crate) fn holds(&self, bytes: &[u8], entry: &Entry) -> Result<(), String> {
        let (start, used) = self.dictionary;
        let at = start + u64::from(entry.reference) * 8;
        let word = |at: u64| {
            let at = usize::try_from(at).ok()?;
            Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
        };
        let (Some(length), Some(kind)) = (word(at), word(at + 4)) else {
            return Err(format!("no {entry:?} in the file"));
        };
        if at + u64::from(length) > start + used || kind != entry.kind.code() {
            return Err(format!(
                "{length} bytes of kind {kind} at {at} of {used} in use, expected {entry:?}"
            ));
        }
        let Some(text) = &entry.text else { return Ok(()) };
        let range = usize::try_from(at + 16).ok().zip(usize::try_from(at + u64::from(length)).ok());
        let found = range.and_then(|(start, end)| bytes.get(start..end));
        if found != Some(text.as_bytes()) {
            return Err(format!("not the text of {entry:?}"));
        }
        Ok(())
    }
}
