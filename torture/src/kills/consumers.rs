//! Consumers: an observer, and an exporter that acknowledges what it delivered, both at work while the process lives.
//!
//! The exporter's deliveries and acknowledgements are entered into the ledger, since it may be killed as well. A
//! breach of what a consumer is promised is an `Err` with its description.

use super::content::Content;
use super::ledger::{Acknowledgement, Ledger};
use super::numbers::Numbers;
use super::process;
use super::round::{Exporting, Policy, Random, Round};
use otlp_mmap_reader::{Batch, Exporter, Observer, Progress, Recording, model};
use std::path::Path;
use std::time::Duration;

/// Follows the recording and leaves no trace in it.
pub(super) struct Watcher {
    observer: Observer,
    content: Content,
    pub(super) seen: Numbers,
    /// Records that were overwritten before they were seen, by signal.
    pub(super) missed: [u64; 3],
}

/// Delivers, acknowledges, and now and then starts again.
pub(super) struct Forwarder<'a> {
    path: &'a Path,
    ledger: &'a Ledger,
    policy: Policy,
    restarts: bool,
    content: Content,
    random: Random,
    attached: Option<(Exporter, Observer)>,
    /// The process is dead and recycles nothing.
    writer_is_dead: bool,
    /// How often it attached.
    pub(super) attachments: u64,
    /// Everything that was there at the last step is acknowledged.
    pub(super) is_done: bool,
}

impl Watcher {
    pub(super) fn attach(path: &Path, content: Content) -> Result<Self, String> {
        let recording = Recording::open(path).map_err(|error| format!("observer: {error}"))?;
        let mut watcher =
            Self { observer: recording.observe(), content, seen: Numbers::new(), missed: [0; 3] };
        watcher.poll()?;
        Ok(watcher)
    }

    /// Takes what is new.
    pub(super) fn poll(&mut self) -> Result<(), String> {
        let batch = self.observer.poll().map_err(|error| format!("observer: {error}"))?;
        check_report(&batch)?;
        for (sum, missed) in self.missed.iter_mut().zip(batch.missed) {
            *sum += missed;
        }
        for record in &batch.records {
            let (signal, made) = check(self.content, record)?;
            if !self.seen.insert(signal, made) {
                return Err(format!("observer: got signal {signal} {made:?} twice"));
            }
        }
        Ok(())
    }
}

impl<'a> Forwarder<'a> {
    pub(super) fn new(round: &Round, ledger: &'a Ledger, path: &'a Path, part: u64) -> Self {
        Self {
            path,
            ledger,
            policy: round.policy,
            restarts: round.exporting == Exporting::Restarting,
            content: Content::new(round.seed),
            random: round.random(part),
            attached: None,
            writer_is_dead: false,
            attachments: 0,
            is_done: false,
        }
    }

    /// Starts again, now that the process is dead: what is there can be acknowledged, all of it.
    pub(super) fn take_over(&mut self) {
        self.attached = None;
        self.writer_is_dead = true;
        self.is_done = false;
    }

    /// Exports until somebody kills this process.
    pub(super) fn run(mut self) {
        process::become_victim();
        loop {
            if let Err(breach) = self.step() {
                panic!("{breach}");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// One round: takes what is new, delivers it, acknowledges it. Without a file it does nothing.
    pub(super) fn step(&mut self) -> Result<(), String> {
        self.is_done = false;
        let Some((exporter, mut observer)) = self.attach()? else { return Ok(()) };
        let batch = observer.poll().map_err(|error| format!("exporter: {error}"))?;
        check_report(&batch)?;
        if self.policy != Policy::OverwriteOldest && batch.missed != [0; 3] {
            return Err(format!("exporter: missed {:?} of what it had not acknowledged", batch.missed));
        }
        for record in &batch.records {
            let (signal, (slot, number)) = check(self.content, record)?;
            self.ledger.deliver(signal, slot, number);
        }
        if self.starts_again() {
            return Ok(());
        }
        for progress in &batch.progress {
            self.acknowledge(&exporter, progress)?;
            if self.starts_again() {
                return Ok(());
            }
        }
        self.attached = Some((exporter, observer));
        self.is_done = true;
        Ok(())
    }

    fn attach(&mut self) -> Result<Option<(Exporter, Observer)>, String> {
        if let Some(attached) = self.attached.take() {
            return Ok(Some(attached));
        }
        if !self.path.exists() {
            return Ok(None);
        }
        let exporter = Exporter::attach(self.path).map_err(|error| format!("exporter: {error}"))?;
        let observer = exporter.recording().observe_unacknowledged();
        self.attachments += 1;
        Ok(Some((exporter, observer)))
    }

    /// Whether the exporter lets go here, as if it had been killed.
    fn starts_again(&mut self) -> bool {
        self.restarts && self.random.below(24) == 0
    }

    fn acknowledge(&self, exporter: &Exporter, progress: &Progress) -> Result<(), String> {
        let &Progress { signal, segment, generation, records } = progress;
        // Killed between its generation and its acknowledged word, a segment has nothing to acknowledge.
        if records == 0 {
            return Ok(());
        }
        let new = Acknowledgement {
            signal: signal as usize - 1,
            slot: segment,
            generation,
            records,
            succeeded: None,
        };
        let mut failure = None;
        let answer = self.ledger.acknowledge(new, || {
            let answer = exporter.acknowledge(signal, segment, generation, records);
            answer.unwrap_or_else(|error| {
                failure = Some(format!("exporter: {error}"));
                false
            })
        });
        let Some(answer) = answer else { return Ok(()) };
        let must_succeed = self.writer_is_dead || self.policy != Policy::OverwriteOldest;
        // What had been acknowledged before may be gone.
        if must_succeed && !answer && failure.is_none() && !self.ledger.is_acknowledged(new) {
            failure = Some(format!("exporter: {progress:?} was recycled before it was acknowledged"));
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Whether a batch is free of faults.
pub(super) fn check_report(batch: &Batch) -> Result<(), String> {
    match batch.report.faults.first() {
        None => Ok(()),
        Some(fault) => Err(format!("{} faults, first: {fault}", batch.report.fault_count())),
    }
}

fn check(content: Content, record: &model::Record) -> Result<(usize, (usize, u64)), String> {
    content.check(record).map_err(|breach| format!("{breach} in {:?}", record.position()))
}
