//! `tail` over recordings that grow, end and come.

mod common;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::{Ran, Recorded, TestClock, run, run_to, text};
use otlp_mmap::Exit;

/// A stream that hands each flushed piece to the test.
struct Pipe {
    buffer: Vec<u8>,
    sender: Sender<String>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8(std::mem::take(&mut self.buffer)).unwrap();
        if !text.is_empty() {
            self.sender.send(text).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(())
    }
}

/// A `tail` in a thread of its own.
struct Following {
    clock: TestClock,
    output: Receiver<String>,
    seen: String,
    thread: std::thread::JoinHandle<(Exit, String)>,
}

impl Following {
    fn start(args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (sender, output) = channel();
        let clock = TestClock::default();
        let thread_clock = clock.clone();
        let thread = std::thread::spawn(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut stderr = Vec::new();
            let mut pipe = Pipe { buffer: Vec::new(), sender };
            let exit = run_to(&args, &thread_clock, false, false, &mut pipe, &mut stderr);
            (exit, String::from_utf8(stderr).unwrap())
        });
        Self { clock, output, seen: String::new(), thread }
    }

    /// Waits until stdout has had `part`.
    fn wait_for(&mut self, part: &str) {
        while !self.seen.contains(part) {
            self.seen += &self.output.recv_timeout(Duration::from_mins(1)).expect(part);
        }
    }

    /// Waits for the end.
    fn end(mut self) -> Ran {
        let (exit, stderr) = self.thread.join().unwrap();
        self.seen.extend(self.output.try_iter());
        Ran { exit, stdout: self.seen, stderr }
    }

    fn stop(self) -> Ran {
        self.clock.stop.store(true, Ordering::Relaxed);
        self.end()
    }
}

#[test]
fn prints_the_last_records_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1.otlpmm"), directory.path().join("2.otlpmm"));
    let (one, two) = (Recorded::create(&one, "one"), Recorded::create(&two, "two"));
    for i in 0..30 {
        one.event(&format!("a{i}"), 9, "", 2 * i);
        two.event(&format!("b{i}"), 9, "", 2 * i + 1);
    }
    one.count(one.counter("m"), 0);
    let path = text(directory.path());
    let names = |args: &[&str]| -> Vec<String> {
        let ran = run(&[&["tail", "--format", "jsonl", path], args].concat());
        assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
        ran.json().iter().map(|record| record["event_name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["-n", "3"]), ["b28", "a29", "b29"]);
    assert_eq!(names(&[]).len(), 10);
    assert!(names(&["-n0"]).is_empty());
    assert_eq!(names(&["-n", "all", "--signal", "events"]).len(), 60);
    assert_eq!(names(&["-n", "2", "--where", "service = one"]), ["a28", "a29"]);
    assert_eq!(names(&["-n", "2", "--where", "event_name =~ '^a[0-3]$'"]), ["a2", "a3"]);
}

#[test]
fn follows_with_a_filter_while_the_writer_writes_until_it_closes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live.otlpmm");
    let recorded = Recorded::create(&path, "live");
    recorded.event("before", 9, "", 0);
    let args = [
        "tail",
        "-f",
        "--until-closed",
        "--where",
        "service = live and not (event_name = noise)",
        text(&path),
    ];
    let mut following = Following::start(&args);
    following.wait_for("before");
    for i in 1..=200 {
        recorded.event(&format!("e{i}."), 9, "", i);
        recorded.event("noise", 9, "", i);
    }
    following.wait_for("e200.");
    recorded.start("open", 7, 300);
    recorded.event("last", 9, "", 301);
    recorded.writer.close();
    let ran = following.end();
    assert_eq!(ran.exit, Exit::Success);
    assert!(!ran.stdout.contains("noise"));
    let missed = ran.stderr.contains("missed");
    assert!(missed || (1..=200).all(|i| ran.stdout.contains(&format!("e{i}."))));
    assert!(ran.stdout.contains("last"));
    assert!(ran.stderr.contains("the writer closed the recording; spans in flight: 1"), "{}", ran.stderr);
}

#[test]
fn follows_new_files_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let one = Recorded::create(&directory.path().join("1.otlpmm"), "one");
    let mut following = Following::start(&["tail", "--until-closed", text(directory.path())]);
    one.event("first", 9, "", 0);
    following.wait_for("first");
    let two = Recorded::create(&directory.path().join("2.otlpmm"), "two");
    two.event("second", 9, "", 1);
    following.wait_for("second");
    one.writer.close();
    two.event("third", 9, "", 2);
    following.wait_for("third");
    two.writer.close();
    let ran = following.end();
    assert_eq!((ran.exit, ran.stdout.lines().count()), (Exit::Success, 3));
}

#[test]
fn tells_what_was_overwritten_before_it_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.otlpmm");
    let recorded = Recorded::create(&path, "busy");
    let mut following = Following::start(&["tail", "-f", text(&path)]);
    recorded.event("first", 9, "", 0);
    following.wait_for("first");
    // Held between two rounds; the pool has room for a fraction.
    let gate = following.clock.gate.clone();
    let held = gate.lock().unwrap();
    for i in 0..20_000 {
        recorded.event("flood", 9, "x", i);
    }
    recorded.event("end", 9, "", 20_000);
    drop(held);
    following.wait_for("end");
    let ran = following.stop();
    let words = ran.stderr.split_once("missed ").expect(&ran.stderr).1;
    let missed: usize = words.split_once(" events,").expect(words).0.parse().unwrap();
    assert_eq!(missed + ran.stdout.matches("flood").count(), 20_000, "{}", ran.stderr);
}

#[test]
fn a_dead_writer_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let (path, dead) = (directory.path().join("live.otlpmm"), directory.path().join("dead.otlpmm"));
    let recorded = Recorded::create(&path, "shop");
    recorded.fill();
    // Nobody holds the lock of a copy.
    fs::copy(&path, &dead).unwrap();
    let ran = run(&["tail", "--until-closed", text(&dead)]);
    assert_eq!((ran.exit, ran.stdout.lines().count()), (Exit::Success, 6));
    let expected = "the writer is gone and did not close the recording; spans in flight: 1";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn the_end_of_a_writer_is_told_after_its_last_record() {
    /// Both streams of a run, as a terminal shows them.
    #[derive(Clone, Default)]
    struct Screen(Rc<RefCell<Vec<u8>>>);
    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.otlpmm");
    Recorded::create(&path, "c").fill();
    let screen = Screen::default();
    let (mut stdout, mut stderr) = (screen.clone(), screen.clone());
    let args = ["tail", "--until-closed", text(&path)];
    run_to(&args, &TestClock::default(), false, false, &mut stdout, &mut stderr);
    let shown = String::from_utf8(screen.0.take()).unwrap();
    assert!(shown.lines().count() > 2, "{shown}");
    assert!(shown.lines().last().unwrap().contains("the writer closed the recording"), "{shown}");
}

#[test]
fn what_can_become_no_recording_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    fs::write(&path, "text").unwrap();
    for option in ["-f", "--until-closed"] {
        let ran = run(&["tail", option, text(&path)]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Error, ""));
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_directory_without_recordings_is_told() {
    let directory = tempfile::tempdir().unwrap();
    for args in [&["tail", text(directory.path())][..], &["tail", "--until-closed", text(directory.path())]] {
        let ran = run(args);
        assert_eq!(ran.exit, Exit::Success);
        assert!(ran.stderr.contains("no recordings (*.otlpmm)"), "{}", ran.stderr);
    }
}

#[test]
fn a_recording_that_has_ended_is_closed_and_not_followed_again() {
    let directory = tempfile::tempdir().unwrap();
    let ended = directory.path().join("1.otlpmm");
    Recorded::create(&ended, "one").event("first", 9, "", 0);
    let live = Recorded::create(&directory.path().join("2.otlpmm"), "two");
    let mut following = Following::start(&["tail", "-f", text(directory.path())]);
    following.wait_for("first");
    live.event("second", 9, "", 1);
    following.wait_for("second");
    let is_open = |path: &Path| {
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == path)
    };
    assert!(!is_open(&ended) && is_open(&directory.path().join("2.otlpmm")));
    // Another file of the same name is followed; the clock of file times moves every few milliseconds.
    std::thread::sleep(Duration::from_millis(30));
    fs::remove_file(&ended).unwrap();
    Recorded::create(&ended, "three").event("third", 9, "", 2);
    following.wait_for("third");
    let ran = following.stop();
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
}

#[test]
fn the_end_of_those_who_read_is_noticed_though_nothing_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_otlp-mmap"));
    command.args(["tail", "-f", text(directory.path())]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tail = command.spawn().unwrap();
    drop(tail.stdout.take());
    assert!(tail.wait().unwrap().success());
}

#[test]
fn metrics_are_printed_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.otlpmm");
    let recorded = Recorded::create(&path, "m");
    let bytes = recorded.counter("bytes");
    recorded.count(bytes, 0);
    let mut following = Following::start(&["tail", "-f", "--signal", "metrics", text(&path)]);
    following.wait_for("bytes sum 3");
    recorded.count(bytes, 1);
    following.wait_for("bytes sum 6");
    let ran = following.stop();
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
}

#[test]
fn a_broken_pipe_is_success() {
    /// Takes one write, and is closed then.
    struct Closed(usize);
    impl Write for Closed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p.otlpmm");
    let recorded = Recorded::create(&path, "p");
    recorded.fill();
    for args in [
        &["dump", text(&path)][..],
        &["dump", "--format", "jsonl", text(&path)],
        &["dump", "--format", "otlp-jsonl", text(&path)],
        &["dump", "--format", "otlp-json", text(&path)],
        &["tail", "-f", text(&path)],
        &["stat", text(&path)],
        &["man"],
    ] {
        let mut stderr = Vec::new();
        let exit = run_to(args, &TestClock::default(), false, false, &mut Closed(0), &mut stderr);
        assert_eq!((exit, stderr.as_slice()), (Exit::Success, &b""[..]), "{args:?}");
    }
}
