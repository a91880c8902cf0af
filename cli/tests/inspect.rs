//! The viewer as people run it: the real program in a terminal, over recordings that are written meanwhile.

mod common;
#[path = "inspect/pty.rs"]
mod pty;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use common::{NOON, Recorded, run, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otlp_mmap::Exit;
use otlp_mmap_writer::{SpanKind, SpanRef, SpanStart, StatusCode, Text};
use pty::{Pty, Surroundings};
use tempfile::TempDir;

const MILLI: u64 = 1_000_000;

/// A recording in a directory of its own.
struct Shop {
    recorded: Recorded,
    path: PathBuf,
    directory: TempDir,
}

impl Shop {
    /// Three traces, events, a metric.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.otlpmm");
        let shop = Self { recorded: Recorded::create(&path, "shop"), path, directory };
        shop.recorded.fill();
        shop.trace(2, "GET /stock", 100);
        shop.trace(3, "GET /price", 200);
        shop
    }

    /// The recording of a writer that lives and does nothing any more.
    fn leave_open(self) -> (PathBuf, TempDir) {
        std::mem::forget(self.recorded);
        (self.path, self.directory)
    }

    fn path(&self) -> &str {
        text(&self.path)
    }

    fn span(&self, trace: u8, id: u8, parent: u8, name: &str, millis: u64) -> SpanRef {
        let start = SpanStart {
            scope: self.recorded.scope,
            trace_id: [trace; 16],
            span_id: [id; 8],
            parent_span_id: [parent; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str(name),
            kind: SpanKind::Server,
            start_time_unix_nano: NOON + millis * MILLI,
            attributes: &(),
        };
        self.recorded.writer.start_span(&start).unwrap()
    }

    /// A trace of two spans, the inner one failed.
    fn trace(&self, id: u8, name: &str, millis: u64) {
        let root = self.span(id, 1, 0, name, millis);
        let child = self.span(id, 2, 1, "SELECT goods", millis + 10);
        self.recorded.writer.set_status(child, StatusCode::Error, "no such table").unwrap();
        self.recorded.writer.end_span(child, NOON + (millis + 30) * MILLI).unwrap();
        self.recorded.writer.end_span(root, NOON + (millis + 50) * MILLI).unwrap();
    }
}

/// A viewer that shows the list of traces.
fn viewer(args: &[&str]) -> Pty {
    let mut viewer = Pty::start(&[&["inspect"], args].concat());
    viewer.wait_for("GET /cart");
    viewer
}

#[test]
fn a_visit() {
    let shop = Shop::new();
    let mut viewer = viewer(&[shop.path()]);
    viewer.wait_for("LIVE");

    shop.trace(4, "GET /live", 300);
    viewer.wait_for("GET /live");

    viewer.press("/name = \"GET /stock\"");
    viewer.wait_without("GET /price");
    viewer.press("\r");
    viewer.wait_for("where name");
    viewer.press("\r");
    viewer.wait_for("SELECT goods");
    assert!(viewer.text().contains("Waterfall 02020202"), "{}", viewer.text());
    viewer.press("\x1b");
    viewer.wait_without("SELECT goods");
    viewer.press("\x7f");
    viewer.wait_for("GET /price");

    viewer.press("{{");
    viewer.wait_for("REWIND");
    viewer.wait_without("GET /live");
    let before = time_cursor(&viewer.text());
    // What is recorded now is later than the cursor.
    shop.trace(5, "GET /later", 400);
    viewer.press("[");
    viewer.wait_until("an earlier time", |screen| time_cursor(screen) < before);
    assert!(!viewer.text().contains("GET /later"));
    viewer.press(".");
    viewer.wait_for("GET /later");

    viewer.press("?");
    viewer.wait_for("one row down");
    viewer.press("zoom");
    viewer.wait_without("one row down");
    viewer.wait_for("zoom out");
    viewer.press("\x1b");
    viewer.wait_without("zoom out");

    viewer.press("q");
    let ended = viewer.end();
    assert!(ended.status.success());
    assert_eq!(ended.screen.trim(), "typed", "nothing is left in the terminal");
}

/// What stands behind `REWIND`.
fn time_cursor(screen: &str) -> Option<String> {
    let (_, time) = screen.split_once("REWIND ")?;
    time.split_whitespace().next().map(str::to_owned)
}

#[test]
fn views_and_sizes() {
    let shop = Shop::new();
    let mut viewer = viewer(&[shop.path()]);
    viewer.press("2");
    viewer.wait_for("shop.bytes");
    viewer.press("3");
    viewer.wait_for("no money");
    viewer.press("4");
    viewer.wait_for("segment");
    viewer.press("5");
    viewer.wait_for("p95");
    viewer.resize(40, 10);
    viewer.press("1");
    viewer.wait_until("10 lines", |screen| screen.contains("GET /cart") && screen.lines().count() <= 10);
    viewer.resize(1, 1);
    viewer.resize(100, 30);
    viewer.wait_for("5 Operations");
    viewer.press("\x03");
    assert!(viewer.end().status.success());
}

#[test]
fn the_last_screen_is_kept() {
    let shop = Shop::new();
    let mut viewer = viewer(&[shop.path()]);
    viewer.press("Q");
    let ended = viewer.end();
    assert!(ended.status.success());
    assert!(ended.screen.contains("GET /cart") && ended.screen.contains("q quit"), "{}", ended.screen);
}

#[test]
fn an_id_goes_to_the_clipboard() {
    let shop = Shop::new();
    let mut viewer = Pty::start(&["inspect", shop.path(), "--where", "name = \"GET /stock\""]);
    viewer.wait_for("1/1");
    assert!(!viewer.text().contains("GET /price"), "{}", viewer.text());
    viewer.press("y");
    // 02 32 times, in base64.
    let id = "MDIwMjAy".repeat(5);
    viewer.wait_for_bytes(format!("\x1b]52;c;{id}MDI=\x07").as_bytes());
    viewer.press("q");
    viewer.end();
}

#[test]
fn it_is_stopped_and_continued_by_the_shell() {
    let shop = Shop::new();
    let script = r#"set -m; "$@"; echo "it is stopped"; read line; fg > /dev/null"#;
    let mut viewer = Pty::start_job(script, &["inspect", shop.path()]);
    viewer.wait_for("GET /cart");
    viewer.press("\x1a");
    viewer.wait_for("it is stopped");
    assert!(!viewer.is_shown(), "{}", viewer.text());
    viewer.resize(120, 20);
    shop.trace(4, "GET /meanwhile", 300);
    viewer.press("\n");
    viewer.wait_for("GET /meanwhile");
    assert!(viewer.is_shown());
    // The other size is known: the last row is where the hints are.
    viewer
        .wait_until("20 lines", |screen| screen.lines().nth(19).is_some_and(|line| line.contains("q quit")));
    viewer.press("q");
    assert!(viewer.end().status.success());
}

#[test]
fn whoever_stops_it_with_a_signal_gets_the_terminal_and_gives_it_back() {
    let shop = Shop::new();
    let script = r#"set -m; "$@"; echo "it is stopped"; read line; fg > /dev/null"#;
    for signal in [Signal::SIGTSTP, Signal::SIGSTOP] {
        let mut viewer = Pty::start_job(script, &["inspect", shop.path()]);
        viewer.wait_for("GET /cart");
        kill(viewer.job(), signal).unwrap();
        viewer.wait_for("it is stopped");
        assert_eq!(viewer.is_shown(), signal == Signal::SIGSTOP, "only the one can be prepared for");
        viewer.press("\n");
        viewer.wait_without("it is stopped");
        viewer.wait_for("GET /cart");
        viewer.press("q");
        assert!(viewer.end().status.success());
    }
}

#[test]
fn a_screen_that_something_else_wrote_on_is_drawn_again() {
    let shop = Shop::new();
    let mut viewer = viewer(&[shop.path()]);
    viewer.spoil(b"\x1b[5;1Hnoise from another process");
    viewer.wait_for("noise");
    viewer.press("\x0c");
    viewer.wait_without("noise");
    viewer.press("q");
    assert!(viewer.end().status.success());
}

#[test]
fn the_mouse_is_given_back() {
    let shop = Shop::new();
    let mut viewer = viewer(&[shop.path(), "--mouse"]);
    // A click on the third view.
    viewer.press("\x1b[<0;25;1M\x1b[<0;25;1m");
    viewer.wait_for("no money");
    viewer.press("q");
    viewer.end();
}

#[test]
fn a_panic_of_the_screen_gives_the_terminal_back() {
    let shop = Shop::new();
    let viewer = Pty::start(&["inspect", shop.path(), "--mouse", "--panic-after-draws", "2"]);
    let ended = viewer.end();
    assert!(!ended.status.success());
    assert!(ended.screen.contains("the test asked for a panic after 2 screens"), "{}", ended.screen);
}

#[test]
fn a_panic_of_the_source_gives_the_terminal_back() {
    let shop = Shop::new();
    let viewer = Pty::start(&["inspect", shop.path(), "--panic-after-snapshots", "2"]);
    let ended = viewer.end();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.screen.contains("the test asked for a panic of the source"), "{}", ended.screen);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let shop = Shop::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let viewer = viewer(&[shop.path(), "--mouse"]);
        kill(Pid::from_raw(viewer.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(viewer.end().status.signal(), Some(signal as i32), "whoever waits is told of the signal");
    }
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    let Shop { recorded, path, directory: _directory } = Shop::new();
    // Nothing comes that would be drawn: an error of drawing is not what ends it.
    drop(recorded);
    for is_controlling in [true, false] {
        let surroundings = Surroundings { is_controlling, ..Surroundings::default() };
        let mut viewer = Pty::start_in(surroundings, &["inspect", text(&path)]);
        viewer.wait_for("GET /cart");
        viewer.hang_up();
        assert!(!viewer.wait_for_end().success());
    }
}

#[test]
fn keys_come_from_the_terminal_though_stdin_is_none() {
    let shop = Shop::new();
    let surroundings = Surroundings { is_stdin: false, ..Surroundings::default() };
    let mut viewer = Pty::start_in(surroundings, &["inspect", shop.path()]);
    viewer.wait_for("GET /cart");
    viewer.press("q");
    assert!(viewer.end().status.success());
}

#[test]
fn it_goes_on_when_the_file_is_truncated() {
    for left in [5000, 0] {
        let shop = Shop::new();
        let mut viewer = viewer(&[shop.path()]);
        // A writer that closed its recording now would write where the file is no more.
        let (path, _directory) = shop.leave_open();
        File::options().write(true).open(path).unwrap().set_len(left).unwrap();
        viewer.wait_without("torn 0");
        viewer.press("4");
        viewer.wait_for("Faults");
        viewer.press("q");
        assert!(viewer.end().status.success());
    }
}

#[test]
fn without_a_terminal_it_points_to_what_needs_none() {
    let shop = Shop::new();
    let ran = run(&["inspect", shop.path()]);
    assert_eq!((ran.exit, &*ran.stdout), (Exit::Error, ""));
    assert!(ran.stderr.contains("tail") && ran.stderr.contains("--once"), "{}", ran.stderr);
}

#[test]
fn what_is_not_there_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let text_file = directory.path().join("notes.txt");
    std::fs::write(&text_file, "no recording").unwrap();
    for path in [&missing, &text_file] {
        let ran = run(&["inspect", "--once", "traces", text(path)]);
        assert_eq!((ran.exit, &*ran.stdout), (Exit::Error, ""));
        assert!(ran.stderr.contains(text(path)), "{}", ran.stderr);
    }
    let ran = run(&["inspect", "--once", "traces", text(directory.path())]);
    assert_eq!(ran.exit, Exit::Success, "a directory may still be empty: {}", ran.stderr);
}

#[test]
fn without_a_path_it_is_the_directory_of_recordings() {
    let shop = Shop::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_otlp-mmap"));
    command.args(["inspect", "--once", "traces"]).env("OTLP_MMAP_DIRECTORY", shop.directory.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(screen.contains("GET /stock"), "{screen}");
}

#[test]
fn colours_are_those_that_are_asked_for() {
    let shop = Shop::new();
    let colour = b"\x1b[38;";
    let mut plain = Pty::start(&["inspect", shop.path(), "--color", "never"]);
    plain.wait_for("q quit");
    assert!(!plain.has_written(colour));
    for args in [&[][..], &["--color", "never", "--theme", "light"]] {
        let mut viewer = viewer(&[&[shop.path()], args].concat());
        viewer.wait_for("q quit");
        assert!(viewer.has_written(colour), "{args:?}");
    }
}

#[test]
fn screens_as_text() {
    let shop = Shop::new();
    let trace = "waterfall=03030303030303030303030303030303";
    for (view, expected) in [
        ("traces", "GET /price"),
        ("metrics", "shop.bytes"),
        ("events", "no money"),
        ("file", "shop.otlpmm"),
        ("operations", "SELECT goods"),
        ("waterfall", "SELECT goods"),
        (trace, "Waterfall 03030303"),
    ] {
        let ran = run(&["inspect", "--once", view, "--size", "110x20", shop.path()]);
        assert_eq!((ran.exit, &*ran.stderr), (Exit::Success, ""), "{view}");
        assert!(ran.stdout.contains(expected), "{view}:\n{}", ran.stdout);
        assert_eq!(ran.stdout.lines().count(), 20);
        assert!(ran.stdout.lines().all(|line| line == line.trim_end() && !line.contains('\x1b')));
    }
}

#[test]
fn a_screen_as_text_is_filtered_and_can_be_ascii() {
    let shop = Shop::new();
    let ran = run(&["inspect", "--once", "traces", "--ascii", "--where", "name = 'GET /price'", shop.path()]);
    assert!(ran.stdout.contains("GET /price") && !ran.stdout.contains("GET /stock"), "{}", ran.stdout);
    assert!(ran.stdout.is_ascii(), "{}", ran.stdout);
    let ran = run(&["inspect", "--once", "traces", "--where", "name =", shop.path()]);
    assert_eq!(ran.exit, Exit::Error);
    assert!(ran.stderr.contains("name ="), "{}", ran.stderr);
}
