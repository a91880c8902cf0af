//! The thread: it answers the newest query, and is silent while nothing changes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{NOON, Recorded, filter, query, spec};
use crate::inspect::model::Snapshot;
use crate::inspect::query::{Query, View};
use crate::inspect::source::{Delivery, Source};
use crate::io::Clock;

/// Long enough for any machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A clock that stands still, or breaks.
#[derive(Clone, Default)]
struct StillClock {
    broken: Arc<AtomicBool>,
}

impl Clock for StillClock {
    fn now_unix_nano(&self) -> u64 {
        assert!(!self.broken.load(Ordering::Relaxed), "the clock is broken");
        NOON
    }

    fn wait(&self, _: Duration) -> bool {
        true
    }
}

fn spawn(path: PathBuf, clock: StillClock) -> (Source, Receiver<Delivery>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let deliver = move |delivery| sender.lock().unwrap().send(delivery).unwrap_or_default();
    (Source::spawn(vec![path], clock, deliver).unwrap(), receiver)
}

/// The next snapshot for which a condition holds.
fn await_snapshot(receiver: &Receiver<Delivery>, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    loop {
        let snapshot = receiver.recv_timeout(PATIENCE).expect("no such snapshot came").unwrap();
        if wanted(&snapshot) {
            return snapshot;
        }
    }
}

#[test]
fn queries_are_answered_and_what_is_recorded_comes_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    let (source, receiver) = spawn(path, StillClock::default());
    source.ask(query(View::Traces));
    assert_eq!(await_snapshot(&receiver, |snapshot| snapshot.query == 1).traces.len(), 0);
    recorded.span(spec(1));
    await_snapshot(&receiver, |snapshot| snapshot.traces.len() == 1);
    source.ask(Query { number: 2, filter: Some(filter("n = 7")), ..query(View::Traces) });
    assert_eq!(await_snapshot(&receiver, |snapshot| snapshot.query == 2).traces.len(), 0);
    recorded.span(spec(7));
    let snapshot = await_snapshot(&receiver, |snapshot| snapshot.totals.hits == 1);
    assert_eq!((snapshot.query, snapshot.traces.len()), (2, 1));
}

#[test]
fn of_many_queries_the_last_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    recorded.writer.close();
    let (source, receiver) = spawn(path, StillClock::default());
    for number in 1..=1_000 {
        source.ask(Query { number, ..query(View::Traces) });
    }
    let mut before = 0;
    while before != 1_000 {
        let snapshot = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
        assert!(snapshot.query >= before);
        before = snapshot.query;
    }
    // The recording is closed: nothing more is sent, whatever time passes.
    let silence = receiver.recv_timeout(Duration::from_millis(1_500));
    assert!(silence.is_err(), "{silence:?}");
}

#[test]
fn ages_go_on_while_a_writer_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.start(spec(1));
    let (source, receiver) = spawn(path, StillClock::default());
    source.ask(query(View::Traces));
    for _ in 0..3 {
        await_snapshot(&receiver, |snapshot| snapshot.totals.in_flight == 1);
    }
}

/// A viewer that lets a snapshot go does not have to let all its rows go, too.
#[test]
fn what_was_delivered_is_let_go_by_the_source() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::create(&path, "shop");
    recorded.span(spec(1));
    let (source, receiver) = spawn(path, StillClock::default());
    source.ask(query(View::Traces));
    let first = await_snapshot(&receiver, |snapshot| snapshot.query == 1);
    assert!(Arc::strong_count(&first) > 1);
    let first = {
        let weak = Arc::downgrade(&first);
        drop(first);
        weak
    };
    source.ask(Query { number: 2, ..query(View::Traces) });
    await_snapshot(&receiver, |snapshot| snapshot.query == 2);
    source.ask(Query { number: 3, ..query(View::Traces) });
    await_snapshot(&receiver, |snapshot| snapshot.query == 3);
    assert!(first.upgrade().is_none(), "it is not kept for ever");
}

#[test]
fn a_thread_that_panics_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let clock = StillClock::default();
    clock.broken.store(true, Ordering::Relaxed);
    let (source, receiver) = spawn(directory.path().to_owned(), clock);
    source.ask(query(View::Traces));
    let failure = receiver.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(failure.contains("the clock is broken"), "{failure}");
    source.ask(query(View::Traces));
    drop(source);
}

#[test]
fn a_source_that_was_never_asked_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (source, receiver) = spawn(directory.path().to_owned(), StillClock::default());
    drop(source);
    assert!(receiver.recv().is_err());
}
