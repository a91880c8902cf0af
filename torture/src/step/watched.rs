//! A recording that is watched: as a dead file in a copy, and live through observers.

use crate::step::look::{Entry, Seen, clean, look};
use crate::step::world::{difference, without_clock};
use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use otlp_mmap_format::Signal;
use otlp_mmap_reader::model::{Position, Record};
use otlp_mmap_reader::{Batch, Exporter, Liveness, Observer, Recording, Snapshot};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Pieces in which the file is compared, in bytes.
const PIECE: usize = 4096;
/// The second observer looks at one state in so many, so that it is lapped now and then.
const LAZY: u64 = 37;
/// In the order of the reader's arrays.
const SIGNALS: [Signal; 3] = [Signal::Spans, Signal::Events, Signal::Measurements];

/// The file of a stopped process, and its copy that nobody locks.
pub(crate) struct Mirror {
    map: MmapRaw,
    copy: Vec<u8>,
    dead: File,
}

impl Mirror {
    fn open(path: &Path) -> Result<Self, String> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| format!("{what} {}: {error}", path.display());
        let file = File::open(path).map_err(|error| failed("open", &error))?;
        let map = MmapOptions::new().map_raw_read_only(&file).map_err(|error| failed("map", &error))?;
        let dead = memfd_create("dead", MFdFlags::MFD_CLOEXEC).map_err(|error| failed("copy", &error))?;
        let mut mirror = Self { copy: vec![0; map.len()], map, dead: File::from(dead) };
        mirror.dead.set_len(mirror.copy.len() as u64).map_err(|error| failed("copy", &error))?;
        mirror.take_over();
        Ok(mirror)
    }

    /// Copies what has changed; `true` if anything has.
    pub(crate) fn take_over(&mut self) -> bool {
        // SAFETY: the mapping is valid as long as `self`; nobody changes the file while this borrow lasts: its process
        // is stopped, and the exporter is in this thread.
        let now = unsafe { std::slice::from_raw_parts(self.map.as_ptr(), self.map.len()) };
        if now == self.copy {
            return false;
        }
        for (number, (now, copy)) in now.chunks(PIECE).zip(self.copy.chunks_mut(PIECE)).enumerate() {
            if now != copy {
                copy.copy_from_slice(now);
                self.dead.write_all_at(now, (number * PIECE) as u64).expect("memory for the copy");
            }
        }
        true
    }
}

/// An observer, and what it has seen of each signal.
struct Follower {
    observer: Observer,
    seen: HashSet<(u32, u32, u64)>,
    missed: [u64; 3],
}

impl Follower {
    fn new(recording: &Recording) -> Self {
        Self { observer: recording.observe(), seen: HashSet::new(), missed: [0; 3] }
    }

    /// Polls; what comes must be new and in the file, and with what was missed make up all that was recorded.
    fn poll(&mut self, dead: &Seen) -> Result<Batch, String> {
        let batch = self.observer.poll().map_err(|error| error.to_string())?;
        clean("an observer", &batch.report)?;
        let present: BTreeMap<_, _> = records(&dead.snapshot);
        for record in &batch.records {
            let place = place(record);
            if !self.seen.insert(place) {
                return Err(format!("an observer saw a record twice: {record:?}"));
            }
            if present.get(&place) != Some(record) {
                return Err(format!("an observer saw what is not in the file: {record:?}"));
            }
        }
        for (sum, missed) in self.missed.iter_mut().zip(batch.missed) {
            *sum += missed;
        }
        for (signal, missed) in SIGNALS.into_iter().zip(self.missed) {
            let seen = self.seen.iter().filter(|place| place.0 == signal.code()).count() as u64;
            let recorded = dead.recorded(signal);
            if seen + missed != recorded {
                return Err(format!("an observer saw {seen} {signal:?} and missed {missed} of {recorded}"));
            }
        }
        Ok(batch)
    }
}

fn place(record: &Record) -> (u32, u32, u64) {
    let signal = match record {
        Record::Span(_) => Signal::Spans,
        Record::Event(_) => Signal::Events,
        Record::Measurement(_) => Signal::Measurements,
    };
    let Position { segment, sequence, .. } = record.position();
    (signal.code(), segment, sequence)
}

fn records(snapshot: &Snapshot) -> BTreeMap<(u32, u32, u64), Record> {
    let spans = snapshot.spans.iter().map(|span| Record::Span(Box::new(span.clone())));
    let events = snapshot.events.iter().map(|event| Record::Event(Box::new(event.clone())));
    let measurements = snapshot.measurements.iter().map(|one| Record::Measurement(Box::new(one.clone())));
    spans.chain(events).chain(measurements).map(|record| (place(&record), record)).collect()
}

/// How many records the oldest segment holds.
fn in_oldest(segments: &[u32]) -> usize {
    segments.iter().take_while(|segment| segments.first() == Some(segment)).count()
}

/// What an exporter acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    All,
    /// The oldest segment of each signal: a writer that is looking for one to recycle might otherwise come upon a newer
    /// one first, for it may just have passed the oldest.
    Oldest,
}

/// The recording of the traced process.
pub(crate) struct Watched {
    pub(crate) mirror: Mirror,
    live: Arc<Recording>,
    /// Looks at every state, and so misses nothing.
    eager: Follower,
    lazy: Follower,
    exporter: Option<(Exporter, Observer)>,
    /// Records of each signal that the exporter has acknowledged.
    acknowledged: [u64; 3],
    pub(crate) seen: Seen,
    pub(crate) states: u64,
}

impl Watched {
    /// Watches a recording that has just got its name.
    pub(crate) fn open(live: Arc<Recording>) -> Result<Self, String> {
        let mirror = Mirror::open(live.path())?;
        let seen = look(&mirror.dead)?;
        let (eager, lazy) = (Follower::new(&live), Follower::new(&live));
        let acknowledged = [0; 3];
        let mut watched = Self { mirror, live, eager, lazy, exporter: None, acknowledged, seen, states: 1 };
        watched.follow()?;
        // Only what it could have seen counts as missed.
        watched.lazy.poll(&watched.seen)?;
        Ok(watched)
    }

    /// Looks again if the file has changed; `true`: it has.
    pub(crate) fn look(&mut self, entries: &[Entry]) -> Result<bool, String> {
        if !self.mirror.take_over() {
            return Ok(false);
        }
        self.states += 1;
        let now = look(&self.mirror.dead)?;
        self.account(&now)?;
        if now.entries < self.seen.entries {
            return Err(format!("{} dictionary entries after {}", now.entries, self.seen.entries));
        }
        self.seen = now;
        self.follow()?;
        entries.iter().try_for_each(|entry| self.holds(entry))?;
        Ok(true)
    }

    /// What went since the last look is the oldest segment, whole, and counts as overwritten unless acknowledged.
    fn account(&self, now: &Seen) -> Result<(), String> {
        for (signal, acknowledged) in SIGNALS.into_iter().zip(self.acknowledged) {
            let (segments, present) = (self.seen.segments(signal), now.segments(signal));
            let gone = |seen: &Seen, present: usize| seen.recorded(signal).saturating_sub(present as u64);
            let range = gone(&self.seen, segments.len())..gone(now, present.len());
            let oldest = in_oldest(&segments);
            if range.start != range.end && range.end != range.start + oldest as u64 {
                return Err(format!("{signal:?}: {range:?} are gone, the oldest segment held {oldest}"));
            }
            let lost = range.filter(|number| *number >= acknowledged).count() as u64;
            let counted = now.overwritten(signal).wrapping_sub(self.seen.overwritten(signal));
            if lost != counted {
                return Err(format!("{counted} {signal:?} count as overwritten, {lost} were"));
            }
        }
        Ok(())
    }

    /// A writer that nobody has killed is alive or has closed. Its lock may tell another tale without a change of the
    /// file.
    pub(crate) fn check_liveness(&self) -> Result<(), String> {
        let liveness = self.live.liveness();
        let expected =
            if self.seen.liveness == Liveness::Dead { Liveness::Alive } else { self.seen.liveness };
        if liveness != expected {
            return Err(format!("live, the writer is {liveness:?}, expected {expected:?}"));
        }
        Ok(())
    }

    /// The same bytes live: nothing else is found, and observers get each record once.
    fn follow(&mut self) -> Result<(), String> {
        self.check_liveness()?;
        self.same_as_dead()?;
        let batch = self.eager.poll(&self.seen)?;
        if batch.missed != [0; 3] {
            return Err(format!("an observer that looks at every state missed {:?}", batch.missed));
        }
        if self.states.is_multiple_of(LAZY) {
            self.lazy.poll(&self.seen)?;
        }
        Ok(())
    }

    fn same_as_dead(&self) -> Result<(), String> {
        let mut live = self.live.snapshot().map_err(|error| error.to_string())?;
        live.series = live.series.into_iter().map(without_clock).collect();
        if live == self.seen.snapshot {
            return Ok(());
        }
        Err(format!("the live file and the dead one: {}", difference(&live, &self.seen.snapshot)))
    }

    /// The exporter delivers and acknowledges what there is; it is attached when it is first asked to.
    pub(crate) fn acknowledge(&mut self, what: Delivered) -> Result<(), String> {
        let failed = |error: otlp_mmap_reader::Error| error.to_string();
        if self.exporter.is_none() {
            let exporter = Exporter::attach(self.live.path()).map_err(failed)?;
            let observer = exporter.recording().observe_unacknowledged();
            self.exporter = Some((exporter, observer));
        }
        let Some((exporter, observer)) = &mut self.exporter else { return Ok(()) };
        let batch = observer.poll().map_err(failed)?;
        clean("the exporter", &batch.report)?;
        let oldest = SIGNALS.map(|signal| (signal, self.seen.segments(signal).first().copied()));
        for at in &batch.progress {
            let is_oldest = oldest.contains(&(at.signal, Some(at.segment)));
            if what == Delivered::Oldest && !is_oldest {
                continue;
            }
            if !exporter.acknowledge(at.signal, at.segment, at.generation, at.records).map_err(failed)? {
                return Err(format!("{at:?} could not be acknowledged"));
            }
        }
        self.acknowledged = SIGNALS.map(|signal| {
            let segments = self.seen.segments(signal);
            let kept = match what {
                Delivered::All => 0,
                Delivered::Oldest => segments.len() - in_oldest(&segments),
            };
            self.seen.recorded(signal) - kept as u64
        });
        Ok(())
    }

    /// Whether the file holds an entry whole.
    pub(crate) fn holds(&self, entry: &Entry) -> Result<(), String> {
        self.seen.holds(&self.mirror.copy, entry)
    }

    /// After the process was killed in earnest: the file tells what its copy told.
    pub(crate) fn bury(&mut self) -> Result<(), String> {
        let liveness = self.live.liveness();
        if liveness != self.seen.liveness {
            return Err(format!("killed, the writer is {liveness:?}, expected {:?}", self.seen.liveness));
        }
        self.same_as_dead()?;
        self.lazy.poll(&self.seen)?;
        self.eager.poll(&self.seen).map(drop)
    }
}
