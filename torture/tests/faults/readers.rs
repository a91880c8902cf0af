//! What happens to readers: files that are cut or removed under them, and a writer that is a hundred times faster.

use crate::support::{Child, Recorder, Shared, clean, command, isolated, number, numbers, small, wait_until};
use otlp_mmap::{Clock, Io};
use otlp_mmap_format::{HEADER_SIZE, Signal};
use otlp_mmap_reader::model::Record;
use otlp_mmap_reader::{Batch, Directory, Liveness, Observer, Recording, Rule};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A child that records one event at each command (a counter it watches) and lives until it is killed.
fn start_recording(directory: &Path, shared: Shared) -> (Child, PathBuf) {
    let path = directory.join("cut.otlpmm");
    let child = Child::fork(|| {
        let recorder = Recorder::new(&path);
        for number in 0.. {
            recorder.record(number).unwrap();
            shared.add(0);
            wait_until("a command to go on", || shared.get(1) > number);
        }
    });
    wait_until("an event", || shared.get(0) == 1);
    (child, path)
}

fn cut(path: &Path, length: u64) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn seen(batch: &Batch) -> Vec<u64> {
    let event = |record: &Record| match record {
        Record::Event(event) => number(event),
        other => panic!("{other:?}"),
    };
    batch.records.iter().map(event).collect()
}

#[test]
fn a_file_that_is_cut_is_faults_for_an_observer_and_a_signal_for_its_writer() {
    isolated("readers::a_file_that_is_cut_is_faults_for_an_observer_and_a_signal_for_its_writer", || {
        for kept in [0, 1, 2048, HEADER_SIZE as u64, 8192] {
            let directory = tempfile::tempdir().unwrap();
            let shared = Shared::new();
            let (child, path) = start_recording(directory.path(), shared);
            let mut found = Directory::open(directory.path()).unwrap();
            let recording = found.refresh().unwrap().new.remove(0);
            let mut observer = recording.observe();
            assert_eq!(seen(&observer.poll().unwrap()), [0]);
            cut(&path, kept);
            // The writer is stopped by what no format can prevent; none of the readers is.
            shared.set(1, 1);
            assert_eq!(child.killed_by(), libc::SIGBUS);
            for _ in 0..2 {
                let batch = observer.poll().unwrap();
                assert!(batch.records.is_empty() && batch.missed == [0; 3]);
                assert!(batch.report.faults.iter().any(|fault| fault.rule == Rule::Unreadable), "{kept}");
            }
            assert_eq!(recording.liveness(), Liveness::Dead);
            assert!(recording.losses().is_err());
            assert!(!recording.verify().unwrap().is_clean());
            let snapshot = recording.snapshot().unwrap();
            assert!(snapshot.events.is_empty() && !snapshot.report.faults.is_empty());
            // The directory has it still, for it is the same file.
            let changes = found.refresh().unwrap();
            assert!(changes.new.is_empty() && changes.vanished.is_empty() && changes.faults.is_empty());
            // Who comes now is refused, or told.
            assert!(Directory::open(directory.path()).unwrap().refresh().unwrap().faults.len() <= 1);
            let (exit, _, stderr) = command(&["dump", path.to_str().unwrap()]);
            assert!(exit == 2 || stderr.contains("unreadable"), "{kept}: {exit} {stderr}");
        }
    });
}

#[test]
fn a_file_that_is_removed_is_followed_to_its_end() {
    isolated("readers::a_file_that_is_removed_is_followed_to_its_end", || {
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::new();
        let (child, path) = start_recording(directory.path(), shared);
        let mut found = Directory::open(directory.path()).unwrap();
        let recording = found.refresh().unwrap().new.remove(0);
        let mut observer = recording.observe();
        assert_eq!(seen(&observer.poll().unwrap()), [0]);
        std::fs::remove_file(&path).unwrap();
        shared.set(1, 1);
        wait_until("the next event", || shared.get(0) == 2);
        assert_eq!(seen(&observer.poll().unwrap()), [1]);
        assert_eq!(recording.liveness(), Liveness::Alive);
        assert_eq!(found.refresh().unwrap().vanished, [path]);
        shared.set(1, 2);
        wait_until("the next event", || shared.get(0) == 3);
        child.kill();
        assert_eq!(seen(&observer.poll().unwrap()), [2]);
        assert_eq!((recording.liveness(), numbers(&clean(&recording))), (Liveness::Dead, vec![0, 1, 2]));
    });
}

/// Lets `tail` do so many rounds, with something to happen before each.
struct Script<'a> {
    round: AtomicU64,
    before: &'a dyn Fn(u64) -> bool,
}

impl Clock for Script<'_> {
    fn now_unix_nano(&self) -> u64 {
        1
    }

    fn wait(&self, _: Duration) -> bool {
        (self.before)(self.round.fetch_add(1, Ordering::Relaxed))
    }
}

/// Follows a path with `tail -f`; its exit code, stdout and stderr.
fn tail(path: &Path, before: &dyn Fn(u64) -> bool) -> (i32, String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let clock = Script { round: AtomicU64::new(0), before };
    let mut io =
        Io { stdout: &mut stdout, stderr: &mut stderr, clock: &clock, terminal: false, no_color: true };
    let args = ["otlp-mmap", "tail", "--follow", "--format", "jsonl", path.to_str().unwrap()];
    let exit = otlp_mmap::run(args.iter().map(Into::into), &mut io).code();
    (exit, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn tail_tells_of_a_file_that_is_cut_and_goes_on_with_the_others() {
    isolated("readers::tail_tells_of_a_file_that_is_cut_and_goes_on_with_the_others", || {
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::new();
        let (child, path) = start_recording(directory.path(), shared);
        let other = Recorder::new(&directory.path().join("other.otlpmm"));
        let child = std::cell::Cell::new(Some(child));
        let (exit, stdout, stderr) = tail(directory.path(), &|round| {
            match round {
                0 => cut(&path, 8192),
                1 => {
                    shared.set(1, 1);
                    assert_eq!(child.take().unwrap().killed_by(), libc::SIGBUS);
                }
                3 => other.record(77).unwrap(),
                _ => {}
            }
            round < 6
        });
        assert_eq!(exit, 0, "{stderr}");
        assert_eq!(stdout.lines().count(), 2, "{stdout}");
        assert!(stdout.contains("\"time_unix_nano\":77"), "{stdout}");
        assert!(stderr.contains("unreadable") && stderr.contains("cut.otlpmm"), "{stderr}");
        assert_eq!(stderr.matches("the writer is gone").count(), 1, "{stderr}");
        // Each fault is told once, however many rounds find it.
        let mut lines = BTreeSet::new();
        assert!(stderr.lines().all(|line| lines.insert(line)), "{stderr}");
    });
}

#[test]
fn tail_follows_a_removed_file_to_its_end() {
    isolated("readers::tail_follows_a_removed_file_to_its_end", || {
        let directory = tempfile::tempdir().unwrap();
        let shared = Shared::new();
        let (child, path) = start_recording(directory.path(), shared);
        let child = std::cell::Cell::new(Some(child));
        let (exit, stdout, stderr) = tail(directory.path(), &|round| {
            match round {
                0 => std::fs::remove_file(&path).unwrap(),
                1 => {
                    shared.set(1, 1);
                    wait_until("the next event", || shared.get(0) == 2);
                }
                2 => child.take().unwrap().kill(),
                _ => {}
            }
            round < 5
        });
        assert_eq!((exit, stdout.lines().count()), (0, 2), "{stdout}{stderr}");
        assert!(stderr.contains("the writer is gone"), "{stderr}");
    });
}

/// Writers of the test of a slow observer, and what each records.
const WRITERS: u64 = 2;

/// Polls once, adds up, and looks at every record: it is whole, and there for the first time.
fn poll(observer: &mut Observer, seen: &mut BTreeSet<u64>, missed: &mut u64) -> u64 {
    let batch = observer.poll().unwrap();
    assert_eq!(batch.report.faults, []);
    for record in &batch.records {
        let Record::Event(event) = record else { panic!("{record:?}") };
        assert!(seen.insert(number(event)), "twice: {event:?}");
    }
    *missed += batch.missed(Signal::Events);
    batch.records.len() as u64
}

/// Records at full speed on several threads, beside an observer that is given a poll only after a hundred times as
/// many records were made as it has seen. The count of those it missed is exact.
fn observe_at_a_hundredth(each: u64) {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&directory.path().join("fast.otlpmm"), |config| {
        small(config);
        (config.segment_size, config.event_segments) = (4096, 4);
    });
    let recorder = recorder.unwrap();
    let recording = Recording::open(recorder.path()).unwrap();
    let (returned, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut seen, mut missed, mut polls) = (BTreeSet::new(), 0, 0);
    let mut observer = recording.observe();
    // What is overwritten before the first poll is not missed: nobody looked for it.
    poll(&mut observer, &mut seen, &mut missed);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (recorder, returned) = (&recorder, &returned);
                scope.spawn(move || {
                    for number in 0..each {
                        recorder.record(number * WRITERS + writer).unwrap();
                        returned.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let observing = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                if returned.load(Ordering::Relaxed) >= seen.len() as u64 * 100 {
                    poll(&mut observer, &mut seen, &mut missed);
                    polls += 1;
                } else {
                    std::thread::yield_now();
                }
            }
            poll(&mut observer, &mut seen, &mut missed);
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
        observing.join().unwrap();
    });
    let recorded = recording.losses().unwrap().signal(Signal::Events).recorded;
    assert_eq!(recorded, each * WRITERS);
    assert_eq!(seen.len() as u64 + missed, recorded);
    assert!(polls > 3, "{polls} polls");
    // A hundredth, and what the first poll and the last one find.
    assert!((seen.len() as u64) < recorded / 50, "{} of {recorded} seen", seen.len());
}

#[test]
fn an_observer_at_a_hundredth_of_the_speed_knows_exactly_what_it_missed() {
    isolated("readers::an_observer_at_a_hundredth_of_the_speed_knows_exactly_what_it_missed", || {
        observe_at_a_hundredth(100_000);
    });
}

#[test]
#[ignore = "fifty million records take minutes: make torture runs it"]
fn an_observer_at_a_hundredth_of_the_speed_for_minutes() {
    isolated("readers::an_observer_at_a_hundredth_of_the_speed_for_minutes", || {
        observe_at_a_hundredth(25_000_000);
    });
}
