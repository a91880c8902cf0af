//! Workers that take jobs from a list, and the watch over them: a panic is a violation, a hang ends the program.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one damaged image may take: far more than any does.
const PATIENCE: Duration = Duration::from_mins(1);
/// Violations that are told; more are counted.
const TOLD: usize = 5;

/// Which damage is tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    /// Vector and reading.
    pub(super) image: String,
    /// What is done, and where.
    pub(super) what: &'static str,
    pub(super) at: usize,
    pub(super) detail: usize,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}, {}", self.image, self.what, self.at, self.detail)
    }
}

/// What came of some attempts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Damaged images that were read.
    pub count: u64,
    /// Those that were misread.
    pub violations: u64,
    /// The first of them.
    pub told: Vec<String>,
}

impl Tally {
    /// Adds another one.
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.violations += other.violations;
        self.told.extend(other.told);
        self.told.truncate(TOLD);
    }
}

/// One worker's place: what it is trying, and since when.
#[derive(Debug, Default)]
pub(super) struct Worker {
    now: Mutex<Option<(Instant, Attempt)>>,
    tally: Mutex<Tally>,
}

impl Worker {
    /// Makes an attempt and counts what comes of it.
    pub(super) fn attempt(&self, attempt: &Attempt, work: impl FnOnce() -> Result<(), String>) {
        *lock(&self.now) = Some((Instant::now(), attempt.clone()));
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("panic".to_owned()));
        *lock(&self.now) = None;
        let mut tally = lock(&self.tally);
        tally.count += 1;
        if let Err(found) = result {
            tally.violations += 1;
            if tally.told.len() < TOLD {
                tally.told.push(format!("{attempt}: {found}"));
            }
        }
    }

    fn stuck(&self) -> Option<Attempt> {
        let now = lock(&self.now);
        now.as_ref().filter(|(since, _)| since.elapsed() > PATIENCE).map(|(_, attempt)| attempt.clone())
    }
}

/// Does all jobs on as many threads as the machine has processors.
pub(super) fn run<J: Sync>(jobs: &[J], work: impl Fn(&J, &Worker) + Sync) -> Tally {
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let workers: Vec<Worker> = (0..count).map(|_| Worker::default()).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in &workers {
            let (next, done, work) = (&next, &done, &work);
            scope.spawn(move || {
                let guard = Done(done);
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(job, worker);
                }
                drop(guard);
            });
        }
        watch(&workers, &done);
    });
    let mut all = Tally::default();
    for worker in workers {
        all.add(worker.tally.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    all
}

/// Counts a worker that ended, by a panic too.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Looks after the workers until the last one is done.
fn watch(workers: &[Worker], done: &AtomicUsize) {
    while done.load(Ordering::Acquire) < workers.len() {
        std::thread::sleep(Duration::from_millis(20));
        if let Some(attempt) = workers.iter().find_map(Worker::stuck) {
            // A thread that hangs cannot be ended, and nothing that waits for it would.
            eprintln!("hangs for more than {PATIENCE:?}: {attempt}");
            std::process::abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
