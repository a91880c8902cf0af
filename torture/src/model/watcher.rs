//! An observer of a model's recording, which must see every record once, in the order in which they were published, or
//! know how many it missed.

use std::collections::HashMap;

use otlp_mmap_reader::model::{Position, Record};
use otlp_mmap_reader::{Batch, Observer, Signal};

/// The ids of all records by signal, in the order in which they were published.
#[derive(Default)]
pub(super) struct Published {
    ids: [Vec<u64>; 3],
    places: [HashMap<u64, usize>; 3],
}

impl Published {
    pub(super) fn push(&mut self, signal: Signal, id: u64) {
        let signal = signal as usize - 1;
        let place = self.ids[signal].len();
        assert_eq!(self.places[signal].insert(id, place), None, "the model uses an id twice");
        self.ids[signal].push(id);
    }

    pub(super) fn ids(&self, signal: Signal) -> &[u64] {
        &self.ids[signal as usize - 1]
    }

    /// Sorts ids that were published.
    pub(super) fn sort(&self, signal: Signal, ids: &mut [u64]) {
        ids.sort_by_key(|id| self.place(signal, *id));
    }

    fn place(&self, signal: Signal, id: u64) -> usize {
        let place = self.places[signal as usize - 1].get(&id);
        *place.unwrap_or_else(|| panic!("{signal:?} {id} was never published"))
    }
}

/// An observer from the start, and how much it saw and missed.
pub(super) struct Watcher {
    observer: Observer,
    /// Whether what is overwritten is always the oldest.
    oldest_first: bool,
    /// How much was published when it last looked, by signal.
    looked: [usize; 3],
    pub(super) seen: [Vec<u64>; 3],
    pub(super) missed: [u64; 3],
}

/// What a record is known by, and where it stands.
fn id(record: &Record) -> (Signal, u64, Position) {
    match record {
        Record::Span(span) => (Signal::Spans, u64::from_be_bytes(span.span_id), span.position),
        Record::Event(event) => (Signal::Events, event.observed_time_unix_nano, event.position),
        Record::Measurement(measurement) => {
            (Signal::Measurements, measurement.time_unix_nano, measurement.position)
        }
    }
}

impl Watcher {
    /// An observer has missed nothing that was gone at its first look: so it looks at once.
    pub(super) fn new(observer: Observer, oldest_first: bool) -> Self {
        let (seen, missed) = Default::default();
        let mut watcher = Self { observer, oldest_first, looked: [0; 3], seen, missed };
        watcher.poll(&Published::default());
        watcher
    }

    /// Looks for what is new: all that was published since the last look, but for what it says it missed.
    pub(super) fn poll(&mut self, published: &Published) -> Batch {
        let batch = self.observer.poll().expect("poll has no errors");
        assert_eq!(batch.report.faults, []);
        assert!(batch.records.is_sorted_by_key(Record::time_unix_nano));
        for (number, (signal, _)) in Signal::ALL.iter().enumerate() {
            let mut found = in_order(&batch, *signal, published);
            published.sort(*signal, &mut found);
            let new = &published.ids(*signal)[self.looked[number]..];
            let missed = batch.missed(*signal);
            assert_eq!(
                found.len() as u64 + missed,
                new.len() as u64,
                "{signal:?}: seen {found:?} of {new:?}"
            );
            if self.oldest_first {
                assert!(new.ends_with(&found), "{signal:?}: not the newest: {found:?} of {new:?}");
            }
            let mut rest = new.iter();
            assert!(found.iter().all(|id| rest.any(|new| new == id)), "{signal:?}: {found:?} of {new:?}");
            self.looked[number] += new.len();
            self.missed[number] += missed;
            self.seen[number].extend(found);
        }
        batch
    }
}

/// The ids of a signal in the order of segments and sequence numbers, which must be that of publication in each segment.
fn in_order(batch: &Batch, signal: Signal, published: &Published) -> Vec<u64> {
    let of_signal = batch.records.iter().map(id).filter(|(of, ..)| *of == signal);
    let mut found: Vec<(Position, u64)> = of_signal.map(|(_, id, position)| (position, id)).collect();
    found.sort();
    for pair in found.windows(2) {
        let [(one, first), (other, second)] = pair else { unreachable!("windows of two") };
        if one.segment == other.segment {
            assert_eq!(one.sequence + 1, other.sequence, "{signal:?}: {found:?}");
            assert!(
                published.place(signal, *first) < published.place(signal, *second),
                "{signal:?}: {found:?}"
            );
        }
    }
    found.into_iter().map(|(_, id)| id).collect()
}
