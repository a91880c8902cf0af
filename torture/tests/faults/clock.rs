//! A clock that is stepped by an hour. Times of records come from the caller, and a step of the real clock would reach
//! every process of the machine: so the realtime clock that this program sees is its own, the kernel's plus a step
//! that each thread sets for itself.

use crate::support::{Child, Recorder, clean, command, isolated, last_error, listing, numbers, read};
use otlp_mmap_reader::{Liveness, Recording, model, otlp};
use otlp_mmap_writer::{Aggregation, Event, MetricStream, Number, SpanEvent, Temporality, Text};
use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOUR: u64 = 3_600_000_000_000;
/// An hour in seconds, as a step of the clock.
const STEP: i64 = 3_600;

thread_local! {
    /// By how many seconds the realtime clock of this thread is off.
    static OFF_BY: Cell<i64> = const { Cell::new(0) };
    /// How often this thread read the realtime clock.
    static READINGS: Cell<u64> = const { Cell::new(0) };
}

/// Takes the place of the C library's function in this program, for the standard library and the writer too.
///
/// # Safety
/// As the function of the C library: `time` is null or can be written to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    // SAFETY: hands on what the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && clock == libc::CLOCK_REALTIME && !time.is_null() {
        READINGS.with(|readings| readings.set(readings.get() + 1));
        // SAFETY: the kernel has just written to it.
        unsafe { (*time).tv_sec += OFF_BY.with(Cell::get) };
    }
    i32::try_from(result).unwrap_or(-1)
}

/// The realtime clock as everything in this thread sees it.
fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// Steps this thread's realtime clock.
fn step(seconds: i64) {
    let before = SystemTime::now();
    OFF_BY.with(|off| off.set(off.get() + seconds));
    let (one, other) = if seconds < 0 { (before, SystemTime::now()) } else { (SystemTime::now(), before) };
    let stepped = one.duration_since(other).unwrap();
    let wanted = Duration::from_secs(seconds.unsigned_abs());
    assert!(
        stepped.abs_diff(wanted) < Duration::from_mins(10),
        "the clock is not this program's: {stepped:?}"
    );
}

/// Records events 0 to 9 with the clock stepped in the middle, one span over the step, one in flight, and a sum.
fn record_over_a_step(recorder: &Recorder, seconds: i64) {
    let writer = &recorder.writer;
    let aggregation = Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true };
    let stream = MetricStream { name: "sum", description: "", unit: "", aggregation };
    let sum = writer.create_metric_stream(recorder.scope, &stream).unwrap();
    let span = writer.start_span(&recorder.span(1, now())).unwrap();
    writer.start_span(&recorder.span(2, now())).unwrap();
    let record = |number: u32| {
        let event = Event { severity_number: number, ..recorder.event(now(), &()) };
        writer.record_event(&event).unwrap();
        writer.record_measurement(sum, &(), now(), Number::Int(1), None).unwrap();
    };
    (0..5).for_each(record);
    step(seconds);
    (5..10).for_each(record);
    let name = Text::Str("event");
    let event = SpanEvent { name, time_unix_nano: now(), attributes: &(), dropped_attributes_count: 0 };
    writer.add_event(span, &event).unwrap();
    writer.end_span(span, now()).unwrap();
}

/// Everything that can be shown of a recording is shown.
fn show(path: &std::path::Path) -> [String; 4] {
    let path = path.to_str().unwrap();
    [
        &["stat", path][..],
        &["dump", path],
        &["dump", "--format", "jsonl", path],
        &["tail", "--format", "jsonl", "-n", "all", path],
    ]
    .map(|args| {
        let (exit, stdout, stderr) = command(args);
        assert_eq!((exit, stderr.as_str()), (0, ""), "{args:?}");
        stdout
    })
}

#[test]
fn a_clock_that_steps_back_loses_nothing_and_gives_no_time_below_zero() {
    isolated("clock::a_clock_that_steps_back_loses_nothing_and_gives_no_time_below_zero", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        let created = now();
        record_over_a_step(&recorder, -STEP);
        let (recording, snapshot) = read(recorder.path());
        // By time, the later five come first; in the file they stand in the order in which they were recorded.
        let order: Vec<_> = snapshot.events.iter().map(|event| event.severity_number).collect();
        assert_eq!(order, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]);
        let mut by_sequence: Vec<_> =
            snapshot.events.iter().map(|event| (event.position.sequence, event.severity_number)).collect();
        by_sequence.sort_unstable();
        assert!(by_sequence.iter().map(|(_, number)| *number).eq(0..10));
        // Times are the caller's, also where an end is before its start.
        let span = &snapshot.spans[0];
        let back = span.start_time_unix_nano - span.end_time_unix_nano.unwrap();
        assert!((HOUR - HOUR / 6..HOUR).contains(&back), "{back}");
        let [stat, dump, jsonl, tail] = show(recording.path());
        assert!(stat.contains("for 0ns now"), "{stat}");
        assert!(dump.contains(" 0ns"), "{dump}");
        assert!(jsonl.contains("\"duration_nano\":0"), "{jsonl}");
        assert_eq!(tail.lines().count(), 11, "{tail}");
        check_sum(&snapshot.series);
        // The close is before the creation, and a close all the same.
        recorder.writer.close();
        let Liveness::Closed { realtime_nanos } = recording.liveness() else { panic!("not closed") };
        assert!(realtime_nanos < created && recording.header().created_realtime_nanos <= created);
        show(recording.path());
        assert_eq!(clean(&recording).events.len(), 10);
    });
}

/// The sum has all measurements, and its time is not before its start.
fn check_sum(series: &[model::Series]) {
    let [sum] = series else { panic!("{series:?}") };
    assert_eq!(sum.point, model::Point::Sum(model::Number::Int(10)));
    assert!(sum.start_time_unix_nano <= sum.time_unix_nano, "{sum:?}");
    let _ = otlp::metrics(series);
}

#[test]
fn a_clock_that_steps_forth_loses_nothing() {
    isolated("clock::a_clock_that_steps_forth_loses_nothing", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        record_over_a_step(&recorder, STEP);
        let (recording, snapshot) = read(recorder.path());
        assert!(snapshot.events.iter().map(|event| event.severity_number).eq(0..10));
        let span = &snapshot.spans[0];
        let long = span.end_time_unix_nano.unwrap() - span.start_time_unix_nano;
        assert!((HOUR..HOUR + HOUR / 6).contains(&long), "{long}");
        check_sum(&snapshot.series);
        let [stat, ..] = show(recording.path());
        assert!(stat.contains("for 1h0"), "{stat}");
    });
}

#[test]
fn a_reader_whose_clock_is_an_hour_behind_shows_no_time_below_zero() {
    isolated("clock::a_reader_whose_clock_is_an_hour_behind_shows_no_time_below_zero", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(now()).unwrap();
        recorder.writer.start_span(&recorder.span(1, now())).unwrap();
        step(-STEP);
        let [stat, ..] = show(&recorder.path());
        assert!(stat.contains("for 0ns now"), "{stat}");
        let path = recorder.path();
        let ago =
            ["dump", "--signal", "events", "--format", "jsonl", "--since", "-5m", path.to_str().unwrap()];
        assert_eq!(command(&ago).1.lines().count(), 1);
        step(2 * STEP);
        assert_eq!(command(&ago).1.lines().count(), 0);
        assert_eq!(Recording::open(path).unwrap().liveness(), Liveness::Alive);
    });
}

#[test]
fn recording_reads_no_realtime_clock() {
    isolated("clock::recording_reads_no_realtime_clock", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        let readings = || READINGS.with(Cell::get);
        // Its file says when it was created.
        assert!(readings() > 0);
        let before = readings();
        for number in 1..1_000 {
            recorder.record(number).unwrap();
            let span = recorder.writer.start_span(&recorder.span(number, number)).unwrap();
            recorder.writer.end_span(span, number + 1).unwrap();
        }
        assert_eq!(readings(), before);
    });
}

#[test]
fn a_child_is_forked_and_named_whatever_the_clock_says() {
    isolated("clock::a_child_is_forked_and_named_whatever_the_clock_says", || {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(directory.path());
        recorder.record(1).unwrap();
        for seconds in [-STEP, 2 * STEP] {
            step(seconds);
            Child::fork(|| recorder.record(2).unwrap()).join();
        }
        let paths = listing(directory.path());
        assert_eq!(paths.len(), 3, "{}", last_error());
        for path in paths {
            let (recording, snapshot) = read(&path);
            let is_parent = path == recorder.path();
            assert_eq!(numbers(&snapshot), [if is_parent { 1 } else { 2 }]);
            assert_eq!(recording.liveness() == Liveness::Alive, is_parent);
        }
    });
}
