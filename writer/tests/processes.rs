//! Many threads, forked children, and processes killed at random moments.
//!
//! Children are this test program itself, started again with a role in its environment (a fork of a test that
//! runs beside others would inherit their locks), except where forking is what is tested.

mod support;

use otlp_mmap_reader::{Liveness, Recording, Snapshot, model};
use otlp_mmap_writer::{Config, Error, KeyValue, Number, ScopeRef, SpanStart, Text, Value, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{Program, clean};

/// Records of each kind that one thread makes.
const EACH: u64 = 500;

/// What thread `thread` of process `process` records as its number `number`, everywhere the same numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Made {
    process: u64,
    thread: u64,
    number: u64,
}

impl Made {
    fn id(self) -> u64 {
        (self.process << 48 | self.thread << 40 | self.number) + 1
    }

    /// The attributes of everything that is recorded for it.
    fn attributes(self) -> [(&'static str, i64); 3] {
        [("process", self.process), ("thread", self.thread), ("number", self.number)]
            .map(|(key, value)| (key, value.cast_signed()))
    }

    fn of(attributes: &[model::KeyValue]) -> Self {
        let field = |key: &str| match attributes.iter().find(|attribute| &*attribute.key == key) {
            Some(model::KeyValue { value: model::Value::Int(value), truncated: false, .. }) => {
                value.cast_unsigned()
            }
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(attributes.len(), 3);
        Self { process: field("process"), thread: field("thread"), number: field("number") }
    }
}

fn record(writer: &Writer, scope: ScopeRef, metric: otlp_mmap_writer::MetricRef, made: Made) {
    let attributes = made.attributes().map(|(key, value)| KeyValue { key, value: Value::Int(value) });
    let id = made.id();
    let name = format!("span {id}");
    let start = SpanStart {
        scope,
        trace_id: (u128::from(id) << 64 | 1).to_be_bytes(),
        span_id: id.to_be_bytes(),
        parent_span_id: [0; 8],
        trace_state: "",
        flags: 1,
        name: Text::Str(&name),
        kind: otlp_mmap_writer::SpanKind::Internal,
        start_time_unix_nano: id,
        attributes: &attributes,
    };
    let span = writer.start_span(&start).unwrap();
    let event = otlp_mmap_writer::Event {
        scope,
        context: None,
        name: Some(Text::Str(&name)),
        time_unix_nano: id,
        observed_time_unix_nano: id + 1,
        severity_number: 9,
        severity_text: "INFO",
        body: None,
        attributes: &attributes,
        dropped_attributes_count: 0,
    };
    writer.record_event(&event).unwrap();
    let series = [KeyValue { key: "thread", value: Value::Int(made.thread.cast_signed()) }];
    writer.record_measurement(metric, &series, id, Number::Int(1), None).unwrap();
    writer.end_span(span, id + 1).unwrap();
}

/// Compares a snapshot with what `process` recorded on `threads` threads, field by field.
fn compare(snapshot: &Snapshot, process: u64, threads: u64) {
    let expected: BTreeSet<_> = (0..threads)
        .flat_map(|thread| (0..EACH).map(move |number| Made { process, thread, number }))
        .collect();
    let mut spans = BTreeSet::new();
    for span in &snapshot.spans {
        let made = Made::of(&span.attributes);
        let id = made.id();
        assert_eq!((span.span_id, &*span.name), (id.to_be_bytes(), &*format!("span {id}")));
        assert_eq!(span.trace_id, (u128::from(id) << 64 | 1).to_be_bytes());
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (id, Some(id + 1)));
        assert_eq!((span.flags, span.kind, span.parent_span_id), (1, 1, [0; 8]));
        assert!(spans.insert(made), "twice: {made:?}");
    }
    let mut events = BTreeSet::new();
    for event in &snapshot.events {
        let made = Made::of(&event.attributes);
        let id = made.id();
        assert_eq!((event.time_unix_nano, event.observed_time_unix_nano), (id, id + 1));
        assert_eq!((&*event.event_name, &*event.severity_text), (&*format!("span {id}"), "INFO"));
        assert!(events.insert(made), "twice: {made:?}");
    }
    assert_eq!(spans, expected);
    assert_eq!(events, expected);
    let sums: BTreeMap<_, _> = snapshot
        .series
        .iter()
        .map(|series| (series.attributes[0].value.clone(), &series.point))
        .map(|(key, point)| (format!("{key:?}"), point.clone()))
        .collect();
    let point = model::Point::Sum(model::Number::Int(EACH.cast_signed()));
    let expected =
        (0..threads).map(|thread| (format!("{:?}", model::Value::Int(thread.cast_signed())), point.clone()));
    assert_eq!(sums, expected.collect());
    assert_eq!(snapshot.spans_in_flight, []);
    assert!(snapshot.losses.signals.iter().all(|signal| signal.lost() == 0), "{:?}", snapshot.losses);
}

fn record_on_threads(program: &Program, metric: otlp_mmap_writer::MetricRef, process: u64, threads: u64) {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let made = |number| Made { process, thread, number };
                (0..EACH).for_each(|number| record(&program.writer, program.scope, metric, made(number)));
            });
        }
    });
}

#[test]
fn eight_threads_and_four_forked_children() {
    let program = Program::new(|_| {});
    let metric = program.sum("made");
    let stop = AtomicU64::new(0);
    let children: Vec<_> = std::thread::scope(|scope| {
        // The parent records on eight threads while it forks, so that forks hit every moment of a call.
        for thread in 0..8 {
            let (program, stop) = (&program, &stop);
            scope.spawn(move || {
                let made = |number| Made { process: 0, thread, number };
                (0..EACH).for_each(|number| record(&program.writer, program.scope, metric, made(number)));
                while stop.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
            });
        }
        let children =
            (1..=4).map(|process| fork(|| record_on_threads(&program, metric, process, 8))).collect();
        stop.store(1, Ordering::Relaxed);
        children
    });
    for child in children {
        wait_for(child);
    }
    let parent = program.writer.path().unwrap();
    let mut processes = BTreeSet::new();
    for file in std::fs::read_dir(program.directory.path()).unwrap() {
        let path = file.unwrap().path();
        let recording = Recording::open(&path).unwrap();
        let snapshot = clean(&recording);
        let process = Made::of(&snapshot.spans[0].attributes).process;
        compare(&snapshot, process, 8);
        assert_eq!(process == 0, path == parent);
        assert_eq!(recording.liveness() == Liveness::Alive, process == 0);
        processes.insert(process);
    }
    assert_eq!(processes, (0..=4).collect());
}

#[test]
fn a_child_records_beside_its_parent_whatever_its_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_role("chdir_and_fork", directory.path());
    assert!(child.wait().unwrap().success());
    let names: Vec<_> = std::fs::read_dir(directory.path().join("relative")).unwrap().collect();
    assert_eq!(names.len(), 2);
}

/// Records under a relative path, goes elsewhere, and records in a child.
fn chdir_and_fork(directory: &Path) {
    std::env::set_current_dir(directory).unwrap();
    std::fs::create_dir("relative").unwrap();
    let writer = Writer::create(Config::new("relative")).unwrap();
    std::env::set_current_dir("/").unwrap();
    wait_for(fork(|| {
        writer.create_resource(&(), None).unwrap();
    }));
}

#[test]
fn a_child_makes_nothing_beside_a_directory_that_is_gone() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("recordings");
    std::fs::create_dir(&directory).unwrap();
    let program = Program::new(|config| config.path = directory.clone());
    std::fs::remove_dir_all(&directory).unwrap();
    wait_for(fork(|| {
        let Err(Error::Io { path, .. }) = program.writer.record_event(&program.event(1, &())) else {
            panic!("recorded")
        };
        assert_eq!(path, directory);
    }));
    assert_eq!(std::fs::read_dir(outer.path()).unwrap().count(), 0);
    // Its parent goes on, in a file without a name.
    program.writer.record_event(&program.event(2, &())).unwrap();
    // One that is there again is used again.
    std::fs::create_dir(&directory).unwrap();
    wait_for(fork(|| program.writer.record_event(&program.event(3, &())).unwrap()));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

/// Runs `work` in a forked child that leaves without any clean-up.
fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs `work` and leaves; of what other threads held at the fork it needs malloc alone,
    // which glibc makes usable in a child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
        // SAFETY: leaves at once.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    child
}

fn wait_for(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "child ended with status {status:#x}");
}

#[test]
fn a_dead_parent_is_dead_though_its_child_lives() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_role("fork_and_die", directory.path());
    assert!(child.wait().unwrap().success());
    let recordings: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "otlpmm"))
        .map(|path| Recording::open(path).unwrap())
        .collect();
    let [recording] = &recordings[..] else { panic!("{} recordings", recordings.len()) };
    assert_eq!(recording.liveness(), Liveness::Dead);
    std::fs::write(directory.path().join("leave"), "").unwrap();
}

/// Forks a child that records nothing and lives on, and leaves.
fn fork_and_die(directory: &Path) {
    let writer = Writer::create(Config::new(directory)).unwrap();
    writer.create_resource(&(), None).unwrap();
    fork(|| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !directory.join("leave").exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    // SAFETY: leaves at once, without closing the recording.
    unsafe { libc::_exit(0) };
}

#[test]
fn what_a_closed_child_records_is_not_counted_in_its_parents_file() {
    let program = Program::new(|_| {});
    program.writer.record_event(&program.event(1, &())).unwrap();
    let child = fork(|| {
        program.writer.close();
        for time in 2..5 {
            let refused = program.writer.record_event(&program.event(time, &()));
            assert!(matches!(refused, Err(Error::Closed)));
        }
    });
    wait_for(child);
    program.writer.record_event(&program.event(9, &())).unwrap();
    let snapshot = program.snapshot();
    assert_eq!(snapshot.events.iter().map(|event| event.time_unix_nano).collect::<Vec<_>>(), [1, 9]);
    assert_eq!(snapshot.losses.counters().map(|(_, _, counted)| counted).max(), Some(0));
}

/// Threads of the process that is killed.
const KILLED_THREADS: usize = 3;

#[test]
fn two_hundred_kills_lose_nothing_that_had_returned() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut in_flight = 0;
    for _ in 0..200 {
        let directory = tempfile::tempdir().unwrap();
        let returned = Returned::create(directory.path());
        let mut child = start_role("record_until_killed", directory.path());
        wait_until_recording(&returned, &mut child);
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(state >> 52));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        in_flight += compare_killed(directory.path(), &returned);
    }
    assert!(in_flight > 100, "{in_flight} spans in flight seen in 200 kills");
}

fn wait_until_recording(returned: &Returned, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while (0..KILLED_THREADS).any(|thread| returned.word(thread, 0).load(Ordering::Acquire) == 0) {
        assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
        assert!(Instant::now() < deadline, "the child does not record");
        std::thread::yield_now();
    }
}

/// Counts outside the recording, in memory that the parent shares: calls returned, by thread and kind (spans
/// ended, events, measurements, spans started).
struct Returned(memmap2::MmapMut);

impl Returned {
    fn create(directory: &Path) -> Self {
        let file = std::fs::File::create_new(directory.join("returned")).unwrap();
        file.set_len(4096).unwrap();
        drop(file);
        Self::open(directory)
    }

    fn open(directory: &Path) -> Self {
        let file = std::fs::File::options().read(true).write(true).open(directory.join("returned")).unwrap();
        // SAFETY: both processes use this file through atomics alone, and nobody truncates it.
        Self(unsafe { memmap2::MmapMut::map_mut(&file).unwrap() })
    }

    fn word(&self, thread: usize, kind: usize) -> &AtomicU64 {
        #[allow(clippy::cast_ptr_alignment)]
        // SAFETY: 4 kinds of 8 bytes for each of few threads lie within the page, aligned.
        unsafe {
            &*self.0.as_ptr().cast::<AtomicU64>().add(thread * 4 + kind)
        }
    }
}

/// Records on several threads until somebody kills the process.
fn record_until_killed(directory: &Path) {
    let returned = Returned::open(directory);
    let mut config = Config::new(directory);
    // Room for all that can be recorded within the test, so that nothing is overwritten.
    config.span_segments = 512;
    config.event_segments = 512;
    let writer = Writer::create(config).unwrap();
    let resource = writer.create_resource(&(), None).unwrap();
    let scope = writer.create_instrumentation_scope(resource, "killed", None, None, &()).unwrap();
    let aggregation = otlp_mmap_writer::Aggregation::Sum {
        temporality: otlp_mmap_writer::Temporality::Cumulative,
        is_monotonic: true,
    };
    let stream = otlp_mmap_writer::MetricStream { name: "made", description: "", unit: "", aggregation };
    let metric = writer.create_metric_stream(scope, &stream).unwrap();
    std::thread::scope(|threads| {
        for thread in 0..KILLED_THREADS {
            let (writer, returned) = (&writer, &returned);
            threads.spawn(move || record_thread(writer, scope, metric, thread, returned));
        }
    });
}

fn record_thread(
    writer: &Writer,
    scope: ScopeRef,
    metric: otlp_mmap_writer::MetricRef,
    thread: usize,
    returned: &Returned,
) {
    for number in 0..150_000 {
        let made = Made { process: 0, thread: thread as u64, number };
        let attributes = made.attributes().map(|(key, value)| KeyValue { key, value: Value::Int(value) });
        let start = SpanStart {
            scope,
            trace_id: [1; 16],
            span_id: made.id().to_be_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("killed"),
            kind: otlp_mmap_writer::SpanKind::Internal,
            start_time_unix_nano: made.id(),
            attributes: &attributes,
        };
        let done = |kind| returned.word(thread, kind).store(number + 1, Ordering::Release);
        let span = writer.start_span(&start).unwrap();
        done(3);
        let event = otlp_mmap_writer::Event {
            scope,
            context: None,
            name: Some(Text::Str("event")),
            time_unix_nano: made.id(),
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: None,
            attributes: &attributes,
            dropped_attributes_count: 0,
        };
        writer.record_event(&event).unwrap();
        done(1);
        let series = [KeyValue { key: "thread", value: Value::Int(as_int(thread)) }];
        writer.record_measurement(metric, &series, 1, Number::Int(1), None).unwrap();
        done(2);
        writer.end_span(span, made.id()).unwrap();
        done(0);
    }
    std::thread::sleep(Duration::from_mins(1));
}

/// Compares a killed process's file with the counts of what had returned; gives the spans in flight.
fn compare_killed(directory: &Path, returned: &Returned) -> usize {
    let path = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "otlpmm"))
        .unwrap();
    let recording = Recording::open(path).unwrap();
    assert_eq!(recording.liveness(), Liveness::Dead);
    let snapshot = clean(&recording);
    for thread in 0..KILLED_THREADS {
        let of_thread = |attributes: &[model::KeyValue]| {
            let made = Made::of(attributes);
            (made.thread == thread as u64).then_some(made.number)
        };
        let count = |kind| returned.word(thread, kind).load(Ordering::Acquire);
        let spans = numbers(snapshot.spans.iter().filter_map(|span| of_thread(&span.attributes)));
        in_order_up_to(&spans, count(0));
        let events = numbers(snapshot.events.iter().filter_map(|event| of_thread(&event.attributes)));
        in_order_up_to(&events, count(1));
        let in_flight: Vec<_> =
            snapshot.spans_in_flight.iter().filter_map(|span| of_thread(&span.attributes)).collect();
        let (started, ended) = (count(3), spans.len() as u64);
        // One span is in flight from its start to its end; the call under way may or may not have happened.
        assert!(in_flight.len() <= 1 && in_flight.iter().all(|&number| number == ended));
        assert!(in_flight.len() as u64 + ended >= started, "{started} started, {ended} ended, {in_flight:?}");
        let sum = snapshot
            .series
            .iter()
            .find(|series| series.attributes[0].value == model::Value::Int(as_int(thread)));
        let sum = sum.map_or(0, |series| match series.point {
            model::Point::Sum(model::Number::Int(sum)) => sum.cast_unsigned(),
            ref other => panic!("{other:?}"),
        });
        assert!((count(2)..=count(2) + 1).contains(&sum), "{sum} added, {} had returned", count(2));
    }
    snapshot.spans_in_flight.len()
}

fn as_int(thread: usize) -> i64 {
    i64::try_from(thread).unwrap()
}

fn numbers(found: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<_> = found.collect();
    numbers.sort_unstable();
    numbers
}

/// Everything that had returned is there, in full sequence, and at most one more.
fn in_order_up_to(numbers: &[u64], returned: u64) {
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "a gap or a duplicate");
    let found = numbers.len() as u64;
    assert!((returned..=returned + 1).contains(&found), "{found} found, {returned} had returned");
}

const ROLE: &str = "OTLP_MMAP_TEST_ROLE";
const DIRECTORY: &str = "OTLP_MMAP_TEST_DIRECTORY";

/// Starts this test program as a child with a role.
fn start_role(role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "play_role", "--quiet"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test of its own: what children started by the tests above run.
#[test]
fn play_role() {
    let (Ok(role), Some(directory)) = (std::env::var(ROLE), std::env::var_os(DIRECTORY)) else { return };
    match &*role {
        "record_until_killed" => record_until_killed(Path::new(&directory)),
        "chdir_and_fork" => chdir_and_fork(Path::new(&directory)),
        "fork_and_die" => fork_and_die(Path::new(&directory)),
        other => panic!("no role {other}"),
    }
}
