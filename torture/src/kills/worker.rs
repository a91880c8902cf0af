//! Worker: a process with one thread that forks, watches, kills and judges one victim after the other.

use super::consumers::{Forwarder, Watcher};
use super::content::{Content, real};
use super::ledger::{FORKED, Ledger};
use super::oracle::{Case, Found};
use super::process::{self, Child, Ended};
use super::round::{Exporting, Moment, Random, Round, Stop};
use super::tally::Tally;
use super::victim;
use otlp_mmap_reader::{Liveness, Recording, Snapshot, recording_paths};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process that does not begin to record within this time never will.
const PATIENCE: Duration = Duration::from_mins(1);

/// Does one round after the other, and enters them into the tally.
pub(super) fn run(rounds: impl Iterator<Item = Round>, directory: &Path, tally: &Tally) {
    let ledger = Ledger::new().expect("shared memory");
    process::adopt_orphans().expect("a subreaper");
    for round in rounds {
        let mut kill = Kill::new(&round, &ledger, directory);
        let outcome = kill.run();
        if !kill.breaches.is_empty() {
            report(&kill, directory);
        }
        tally.enter(&round, &outcome, kill.breaches.len() as u64);
        remove_recordings(directory);
    }
}

/// Between two looks whether the threads record.
const LOOK: Duration = Duration::from_micros(100);
/// Most between two looks of the consumers until then.
const SLOW: Duration = Duration::from_millis(8);

/// What one kill came to, for the table.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub(super) struct Outcome {
    pub(super) found: Found,
    /// Calls that had not returned at the kill.
    pub(super) under_way: u64,
    /// Killed before there was a file.
    pub(super) in_creation: bool,
    pub(super) seen: u64,
    pub(super) missed: u64,
    pub(super) attachments: u64,
    pub(super) exporter_killed: bool,
    pub(super) stopped: bool,
    pub(super) forked: bool,
    pub(super) closed: bool,
}

/// One kill.
struct Kill<'a> {
    round: Round,
    ledger: &'a Ledger,
    content: Content,
    path: PathBuf,
    watcher: Option<Watcher>,
    /// The watcher saw the file before anything was recorded.
    from_the_start: bool,
    exporter: Option<Child>,
    exporter_ends: Instant,
    outcome: Outcome,
    breaches: Vec<String>,
    random: Random,
}

impl<'a> Kill<'a> {
    fn new(round: &Round, ledger: &'a Ledger, directory: &Path) -> Self {
        ledger.clear();
        Self {
            round: round.clone(),
            ledger,
            content: Content::new(round.seed),
            path: directory.join(format!("{}.otlpmm", round.number)),
            watcher: None,
            from_the_start: false,
            exporter: None,
            exporter_ends: Instant::now(),
            outcome: Outcome::default(),
            breaches: Vec::new(),
            random: round.random(0),
        }
    }

    fn run(&mut self) -> Outcome {
        let (round, ledger, path) = (self.round.clone(), self.ledger, self.path.clone());
        let child = Child::start(|| victim::record(&round, ledger, &path)).expect("fork");
        let mut forwarder = Forwarder::new(&round, ledger, &path, 100);
        if round.exporting == Exporting::Killed {
            let exporter = Forwarder::new(&round, ledger, &path, 101);
            self.exporter = Some(Child::start(|| exporter.run()).expect("fork"));
            self.exporter_ends = Instant::now() + Duration::from_micros(self.random.below(2000));
        }
        self.watch(&child, &mut forwarder);
        let before = self.stop(&child, &mut forwarder);
        if round.spares_forked {
            child.kill();
        } else {
            child.kill_group();
        }
        let ended = child.wait();
        self.expect(ended == Ended::Signal(libc::SIGKILL), || {
            format!("the process ended by itself: {ended:?}")
        });
        self.end_exporter();
        self.judge(&mut forwarder, before.as_ref());
        child.kill_group();
        child.reap_group();
        self.judge_forked();
        self.outcome
    }

    fn expect(&mut self, holds: bool, breach: impl FnOnce() -> String) {
        if !holds {
            self.breaches.push(breach());
        }
    }

    fn keep<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|breach| self.breaches.push(breach)).ok()
    }

    /// Has the consumers at work until the moment of the kill.
    fn watch(&mut self, child: &Child, forwarder: &mut Forwarder<'_>) {
        let began = Instant::now();
        let (mut kill_at, delay, threads) = match self.round.moment {
            Moment::AfterFork(delay) => (Some(began + delay), delay, 0),
            Moment::AfterBegin(delay, threads) => (None, delay, threads),
        };
        let mut look_at = began;
        while kill_at.is_none_or(|kill_at| Instant::now() < kill_at) && self.breaches.is_empty() {
            if Instant::now() >= look_at {
                self.consume(forwarder);
                look_at = Instant::now() + self.nap(kill_at.is_some());
            }
            if kill_at.is_none() && self.ledger.recording() >= threads {
                kill_at = Some(Instant::now() + delay);
            }
            if kill_at.is_none() && (child.has_ended() || began.elapsed() > PATIENCE) {
                return self.expect(false, || "the process does not record".to_owned());
            }
            let next = kill_at.map_or(look_at.min(Instant::now() + LOOK), |kill_at| look_at.min(kill_at));
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// As long as the consumers rest. Until the threads record there is little to see once they are attached.
    fn nap(&mut self, is_recording: bool) -> Duration {
        let most = if is_recording || self.watcher.is_none() { self.round.look_every } else { SLOW };
        most.mul_f64(real(1 + self.random.below(16)) / 16.0)
    }

    /// One look of each consumer.
    fn consume(&mut self, forwarder: &mut Forwarder<'_>) {
        if self.watcher.is_none() && self.path.exists() {
            let watcher = Watcher::attach(&self.path, self.content);
            self.watcher = self.keep(watcher);
            self.from_the_start = self.round.waits;
        } else if let Some(mut watcher) = self.watcher.take() {
            let polled = watcher.poll();
            self.keep(polled);
            self.watcher = Some(watcher);
        }
        if self.exporter.is_some() && Instant::now() >= self.exporter_ends {
            self.end_exporter();
        }
        if self.exporter.is_none() {
            let stepped = forwarder.step();
            self.keep(stepped);
        }
        if self.watcher.is_some() && (forwarder.attachments > 0 || self.exporter.is_some()) {
            self.ledger.attach();
        }
    }

    /// Kills the exporter, if it is a process of its own.
    fn end_exporter(&mut self) {
        let Some(exporter) = self.exporter.take() else { return };
        exporter.kill();
        let ended = exporter.wait();
        self.outcome.exporter_killed = true;
        self.expect(ended == Ended::Signal(libc::SIGKILL), || {
            format!("the exporter ended by itself: {ended:?}")
        });
    }

    /// Stops every thread and judges the file of the living process; what it is like then is also what it is like
    /// when the process is killed, unless it goes on.
    fn stop(&mut self, child: &Child, forwarder: &mut Forwarder<'_>) -> Option<Snapshot> {
        if self.round.stop == Stop::Never || self.watcher.is_none() || !self.breaches.is_empty() {
            return None;
        }
        self.outcome.stopped = child.stop();
        self.end_exporter();
        self.consume(forwarder);
        let mut before = None;
        if let Some(mut case) = self.open(&self.path.clone(), 0..self.round.threads, true) {
            case.examine();
            if let Some(watcher) = &self.watcher {
                case.check_watcher(watcher, self.from_the_start);
            }
            let liveness = case.recording().liveness();
            let is_alive = liveness == Liveness::Alive || matches!(liveness, Liveness::Closed { .. });
            let snapshot = case.recording().snapshot().map_err(|error| error.to_string());
            self.breaches.append(&mut case.breaches);
            self.expect(is_alive, || format!("stopped: {liveness:?}"));
            before = self.keep(snapshot);
        }
        if self.round.stop == Stop::Resume {
            child.resume();
            std::thread::sleep(Duration::from_micros(self.random.below(500)));
            return None;
        }
        before
    }

    fn open(&mut self, path: &Path, slots: std::ops::Range<usize>, is_consumed: bool) -> Option<Case<'a>> {
        let case = Case::open(self.round.clone(), self.ledger, path, slots, is_consumed);
        self.keep(case)
    }

    /// Compares what the dead process left with what had returned.
    fn judge(&mut self, forwarder: &mut Forwarder<'_>, before: Option<&Snapshot>) {
        let slots = 0..self.round.threads;
        if !self.path.exists() {
            self.outcome.in_creation = true;
            let is_idle = self.ledger.recording() == 0;
            return self.expect(is_idle, || "threads recorded, and there is no file".to_owned());
        }
        // First what is new to the exporter that was attached; then another one, for what the first could not
        // acknowledge because the process was about to recycle it.
        self.consume(forwarder);
        forwarder.take_over();
        while !forwarder.is_done && self.breaches.is_empty() {
            self.consume(forwarder);
        }
        let Some(mut case) = self.open(&self.path.clone(), slots.clone(), true) else { return };
        self.outcome.found = case.examine();
        case.check_delivered();
        if let Some(watcher) = &self.watcher {
            case.check_watcher(watcher, self.from_the_start);
            self.outcome.seen = (0..3).map(|signal| watcher.seen.count(signal)).sum();
            self.outcome.missed = watcher.missed.iter().sum();
        }
        let liveness = case.recording().liveness();
        self.outcome.closed = matches!(liveness, Liveness::Closed { .. });
        let may_close = self.round.closes_after.is_some();
        let after = before.is_some().then(|| case.recording().snapshot().ok()).flatten();
        self.breaches.append(&mut case.breaches);
        self.expect(liveness == Liveness::Dead || (self.outcome.closed && may_close), || {
            format!("{liveness:?}")
        });
        self.expect(before == after.as_ref(), || "the file changed between stop and kill".to_owned());
        self.outcome.attachments = forwarder.attachments;
        self.outcome.under_way = self.ledger.under_way(slots);
    }

    /// Compares the file of the process that the killed one had forked.
    fn judge_forked(&mut self) {
        let Some(directory) = self.path.parent() else { return };
        let others: Vec<_> = recording_paths(directory)
            .unwrap_or_default()
            .into_iter()
            .filter(|path| *path != self.path)
            .collect();
        self.expect(others.len() <= 1, || format!("{others:?}"));
        let Some(path) = others.first() else { return };
        self.outcome.forked = true;
        let parent = Recording::open(&self.path).map(|parent| parent.header().file_id);
        let Some(mut case) = self.open(path, FORKED..FORKED + 1, false) else { return };
        case.examine();
        let of = case.recording().header().parent_file_id;
        self.expect(parent.is_ok_and(|parent| Some(parent) == of), || "a child of another file".to_owned());
        let breaches = case.breaches.drain(..).map(|breach| format!("forked: {breach}"));
        self.breaches.extend(breaches);
    }
}

/// Says what is wrong, and keeps the recordings.
fn report(kill: &Kill<'_>, directory: &Path) {
    eprintln!("{}; repeat with --first {} --count 1:", kill.round, kill.round.number);
    for breach in kill.breaches.iter().take(8) {
        eprintln!("  {breach}");
    }
    let kept = directory.with_file_name(format!("kept-{}", kill.round.number));
    if std::fs::create_dir_all(&kept).is_ok() {
        for path in recording_paths(directory).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default();
            let _ = std::fs::copy(&path, kept.join(name));
        }
    }
}

fn remove_recordings(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        // What cannot be removed now goes with the directory.
        let _ = std::fs::remove_file(entry.path());
    }
}
