//! Follows the recordings in a thread of its own, and answers what the viewer asks.
//!
//! The viewer never waits: [`Source::ask`] leaves the newest query, and snapshots come through a callback. Without a
//! thread, [`Model`] does the same step by step.

mod buckets;
mod critical;
mod cursor;
mod detail;
mod events;
mod file;
mod found;
mod health;
mod history;
mod intern;
mod lints;
mod metrics;
mod operations;
mod rows;
mod state;
#[cfg(test)]
mod tests;
mod traces;
mod waterfall;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use self::state::Model;
use super::model::Snapshot;
use super::query::Query;
use crate::io::Clock;

/// Time between polls.
const INTERVAL: Duration = Duration::from_millis(100);
/// Time after which a snapshot is sent though nothing was recorded: ages go on, and so do the histories of series.
const AGE_INTERVAL: Duration = Duration::from_secs(1);
/// Time that reading may take until there is an answer again: of what is recorded faster than it can be read, or of many
/// files that were never read.
const READ: Duration = Duration::from_millis(100);

/// What the source sends: a snapshot, or why there will be none any more.
pub(crate) type Delivery = Result<Arc<Snapshot>, String>;

/// The thread that follows the recordings. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Source {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where queries are left.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<DeskState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct DeskState {
    /// The newest query, until it is taken.
    query: Option<Query>,
    is_closed: bool,
}

impl Source {
    /// Follows the recordings at the paths. Nothing is read before the first query. `deliver` is called by the thread.
    pub(crate) fn spawn(
        paths: Vec<PathBuf>,
        clock: impl Clock + Send + 'static,
        mut deliver: impl FnMut(Delivery) + Send + 'static,
    ) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let own = Arc::clone(&desk);
        let thread = std::thread::Builder::new().name("recordings".to_owned()).spawn(move || {
            let run = AssertUnwindSafe(|| follow(&paths, &own, &clock, &mut deliver));
            if let Err(panic) = catch_unwind(run) {
                deliver(Err(words(panic.as_ref())));
            }
        })?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Asks; never waits. The newest query takes the place of one that has not been taken.
    pub(crate) fn ask(&self, query: Query) {
        self.desk.lock().query = Some(query);
        self.desk.changed.notify_all();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.desk.lock().is_closed = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // What went wrong in it was delivered.
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a query, at most until `deadline`; `Err`: it is over.
    fn wait(&self, deadline: Option<Instant>) -> Result<Option<Query>, ()> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Err(());
            }
            if let Some(query) = state.query.take() {
                return Ok(Some(query));
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        return Ok(None);
                    }
                    self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Whether a newer query waits, or nobody does any more.
    fn is_stale(&self) -> bool {
        let state = self.lock();
        state.is_closed || state.query.is_some()
    }
}

/// Polls and answers until the desk is closed.
fn follow(paths: &[PathBuf], desk: &Desk, clock: &dyn Clock, deliver: &mut dyn FnMut(Delivery)) {
    let Ok(Some(mut query)) = desk.wait(None) else { return };
    let mut model = Model::open(paths);
    // So that what is read first need not be read again for the filter.
    model.set_filter(&query, &mut || false);
    let (mut is_new, mut sent, mut next_poll) = (true, Instant::now(), Instant::now());
    let mut delivered: Vec<Arc<Snapshot>> = Vec::new();
    loop {
        let mut changed = false;
        if Instant::now() >= next_poll {
            let begin = Instant::now();
            let polled =
                model.poll_until(clock.now_unix_nano(), &mut || begin.elapsed() >= READ || desk.is_stale());
            changed = polled.changed;
            // Who records faster than can be read is not followed with all of a core.
            let pause = if polled.is_complete { INTERVAL } else { Duration::ZERO };
            next_poll = Instant::now() + pause;
        }
        let is_aged = model.is_live() && sent.elapsed() >= AGE_INTERVAL;
        if is_new || changed || is_aged {
            let begin = Instant::now();
            if model.set_filter(&query, &mut || desk.is_stale()) {
                // Many rows take long to let go: those that the viewer has done with go here and not there.
                delivered.retain(|snapshot| Arc::strong_count(snapshot) > 1);
                let snapshot = Arc::new(model.answer(&query, clock.now_unix_nano()));
                delivered.push(Arc::clone(&snapshot));
                deliver(Ok(snapshot));
                (is_new, sent) = (false, Instant::now());
                // Half of the time at most goes into answers that nobody waits for.
                next_poll = next_poll.max(sent + begin.elapsed());
            }
        }
        match desk.wait(Some(next_poll)) {
            Err(()) => return,
            Ok(None) => {}
            Ok(Some(newer)) => (query, is_new) = (newer, true),
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the recordings cannot be followed any more: {}", text.unwrap_or_default())
}
