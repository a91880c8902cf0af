//! Figures, not claims: `cargo test --release -p otlp-mmap --lib inspect::source::tests::speed -- --ignored --nocapture --test-threads 1`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use otlp_mmap_writer::{Config, Value};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{Model, NOON, Recorded, SECOND, filter, open, query, spec, trace};
use crate::inspect::app::{App, Event, Options, update};
use crate::inspect::model::Snapshot;
use crate::inspect::query::{Query, View};
use crate::inspect::source::Source;
use crate::inspect::view::{self, Palette, Theme};
use crate::io::SystemClock;

const VIEWS: [View; 6] =
    [View::Traces, View::Operations, View::Waterfall, View::Events, View::Metrics, View::File];
const NAMES: [&str; 5] = ["GET /cart", "GET /users/:id", "POST /order", "SELECT", "publish"];
const SIZE: (u16, u16) = (140, 40);

fn in_milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Time of the third of three runs: caches are as warm as they get.
fn milliseconds(mut run: impl FnMut()) -> f64 {
    let mut last = 0.0;
    for _ in 0..3 {
        let begin = Instant::now();
        run();
        last = in_milliseconds(begin.elapsed());
    }
    last
}

/// Processes that run or want to, as a mean of the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!("load {} on {cores} cores", text.split(' ').next().unwrap_or("unknown"))
}

/// Bytes of memory that this process has in use and that are no file's.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Time that the calling thread had a core.
fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Ten spans a trace, and an event for every fourth.
fn record(recorded: &Recorded, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let name = NAMES[usize::try_from(number % 5).unwrap()];
        let parent = if number % 10 == 0 { 0 } else { number - number % 10 };
        // Zero is no id.
        let (id, parent) = (number + 1, if number % 10 == 0 { 0 } else { parent + 1 });
        recorded.span(super::Spec { trace: number / 10, id, parent, name, ..spec(number) });
        if number % 4 == 0 {
            recorded.event("cache.miss", &Value::String("no such key"), number, 9, (number / 10, id));
        }
    }
}

/// A viewer with a screen in memory.
struct Screen {
    app: App,
    theme: Theme,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    fn new(view: View) -> Self {
        let options = Options { view, ..Options::default() };
        let terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
        Self { app: App::new(SIZE, options), theme: Theme::new(Palette::Dark, false), terminal }
    }

    fn draw(&mut self) {
        self.terminal.draw(|frame| view::draw(&self.app, &self.theme, frame)).unwrap();
    }

    fn show(&mut self, snapshot: Arc<Snapshot>) {
        update(&mut self.app, Event::Snapshot(snapshot));
        self.draw();
    }
}

fn views(model: &mut Model, now: u64) {
    for view in VIEWS {
        let mut screen = Screen::new(view);
        screen.app.query.trace = Some(trace(77));
        let used = thread_time();
        let answer = milliseconds(|| drop(model.answer(&screen.app.asking(), now)));
        let core = in_milliseconds(thread_time().saturating_sub(used)) / 3.0;
        let snapshot = Arc::new(model.answer(&screen.app.asking(), now));
        screen.show(Arc::clone(&snapshot));
        let taken = milliseconds(|| drop(update(&mut screen.app, Event::Snapshot(Arc::clone(&snapshot)))));
        let drawn = milliseconds(|| screen.draw());
        println!(
            "  {view:?}: answer {answer:.1} ms, {core:.1} ms of a core, taken over in {taken:.2} ms, drawn in {drawn:.2} ms"
        );
    }
    let back = Query { until: Some(NOON + 60 * SECOND), ..query(View::Traces) };
    println!("  Traces, rewound: answer {:.1} ms", milliseconds(|| drop(model.answer(&back, now))));
    let begin = Instant::now();
    let snapshot = model.answer(&Query { filter: Some(filter("n > 5000")), ..query(View::Traces) }, now);
    println!("  a new filter: {:.1} ms, {} hits", in_milliseconds(begin.elapsed()), snapshot.totals.hits);
    model.answer(&query(View::Traces), now);
}

/// From the name of a file to the screen.
fn first_screen(path: &Path, now: u64) -> (Duration, Duration, Arc<Snapshot>) {
    let (begin, used) = (Instant::now(), thread_time());
    let mut model = open(path);
    model.poll(now);
    let mut screen = Screen::new(View::Traces);
    let snapshot = Arc::new(model.answer(&screen.app.asking(), now));
    screen.show(Arc::clone(&snapshot));
    (begin.elapsed(), thread_time().saturating_sub(used), snapshot)
}

#[test]
#[ignore = "prints figures"]
fn a_full_file_of_16_mib() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::with(Config::new(&path), "shop");
    record(&recorded, 0..300_000);
    let now = NOON + 600 * SECOND;
    println!("a full file of 16 MiB, {}", load());
    for _ in 0..5 {
        let (time, core, snapshot) = first_screen(&path, now);
        let (spans, events) = (snapshot.totals.spans, snapshot.totals.events);
        let (time, core) = (in_milliseconds(time), in_milliseconds(core));
        println!("  {spans} spans, {events} events: first screen after {time:.1} ms, {core:.1} ms of a core");
    }
    let mut model = open(&path);
    model.poll(now);
    views(&mut model, now);
    println!("  a poll without news: {:.2} ms", milliseconds(|| assert!(!model.poll(now))));
    println!("  a poll with a second look: {:.2} ms", {
        let begin = Instant::now();
        model.poll(now + 2 * SECOND);
        in_milliseconds(begin.elapsed())
    });
}

#[test]
#[ignore = "prints figures"]
fn a_million_spans() {
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..4_u64)
        .map(|file| {
            let mut config = Config::new(directory.path().join(format!("{file}.otlpmm")));
            config.segment_size = 1 << 20;
            (config.span_segments, config.event_segments) = (64, 16);
            let recorded = Recorded::with(config, "shop");
            record(&recorded, file * 250_000..(file + 1) * 250_000);
            recorded
        })
        .collect();
    let now = NOON + 6_000 * SECOND;
    println!("a million spans in {} files, {}", files.len(), load());
    let before = memory();
    let (begin, used, mut model) = (Instant::now(), thread_time(), open(directory.path()));
    model.poll(now);
    let core = in_milliseconds(thread_time().saturating_sub(used));
    println!("  read in {:.0} ms, {core:.0} ms of a core", in_milliseconds(begin.elapsed()));
    let mut screen = Screen::new(View::Traces);
    let snapshot = Arc::new(model.answer(&screen.app.asking(), now));
    screen.show(Arc::clone(&snapshot));
    println!("  first screen after {:.0} ms", in_milliseconds(begin.elapsed()));
    let rows = snapshot.totals.spans + snapshot.totals.events;
    drop((snapshot, screen));
    model.answer(&query(View::File), now);
    // What the first read took and gave back may be in use again: this is more than the rows alone.
    let bytes = memory().saturating_sub(before);
    println!("  {rows} rows in {} MiB: {} bytes a row", bytes >> 20, bytes / u64::try_from(rows).unwrap());
    views(&mut model, now);
}

/// A thread that records as fast as it can until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    recorded: Arc<AtomicU64>,
    thread: thread::JoinHandle<Recorded>,
}

impl Load {
    fn start(recorded: Recorded) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let thread = thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                record(&recorded, number..number + 100);
                number += 100;
                counted.store(number, Ordering::Relaxed);
            }
            recorded
        });
        Self { stop, recorded: count, thread }
    }

    fn stop(self) -> (Recorded, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let recorded = self.thread.join().unwrap();
        (recorded, self.recorded.load(Ordering::Relaxed))
    }
}

/// Median and largest, and of how many.
fn spread(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let of = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
    format!("{:.1} / {:.1} ms (of {})", of(times.len() / 2), of(times.len().saturating_sub(1)), times.len())
}

#[test]
#[ignore = "prints figures"]
fn frames_while_a_writer_records_at_full_speed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let writer = Load::start(Recorded::with(Config::new(&path), "shop"));
    thread::sleep(Duration::from_millis(300));
    println!("frames under load, {}; median / most", load());
    for view in [View::Traces, View::Operations, View::Events, View::File] {
        frames(&path, view);
        polls(&path, view);
    }
    let (_, count) = writer.stop();
    println!("  {count} spans were recorded meanwhile");
}

/// What the viewer's own thread does for a frame, and how long a new question waits for its answer.
fn frames(path: &Path, view: View) {
    let (sender, snapshots) = channel();
    let deliver = move |delivery| sender.send(delivery).unwrap_or_default();
    let source = Source::spawn(vec![path.to_owned()], SystemClock, deliver).unwrap();
    let mut screen = Screen::new(view);
    let (mut asked, mut used, mut times, mut waits) = (Instant::now(), thread_time(), Vec::new(), Vec::new());
    source.ask(screen.app.asking());
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        let Ok(Ok(snapshot)) = snapshots.recv_timeout(Duration::from_secs(20)) else { break };
        if snapshot.query == screen.app.query.number {
            waits.push(in_milliseconds(asked.elapsed()));
            screen.app.query.number += 1;
            asked = Instant::now();
            source.ask(screen.app.asking());
        }
        let begin = Instant::now();
        screen.show(snapshot);
        times.push(in_milliseconds(begin.elapsed()));
    }
    used = thread_time().saturating_sub(used);
    let core = in_milliseconds(used) / f64::from(u32::try_from(times.len().max(1)).unwrap());
    println!(
        "  {view:?}: frame {}, {core:.1} ms of a core each; answered after {}",
        spread(times),
        spread(waits)
    );
}

/// The same step by step, with nobody who waits: everything that is new is read.
fn polls(path: &Path, view: View) {
    let mut model = open(path);
    let mut screen = Screen::new(view);
    let mut times: [Vec<f64>; 3] = Default::default();
    let used = thread_time();
    for _ in 0..10 {
        let begin = Instant::now();
        model.poll(NOON + 600 * SECOND);
        let polled = begin.elapsed();
        let snapshot = Arc::new(model.answer(&screen.app.asking(), NOON + 600 * SECOND));
        let answered = begin.elapsed();
        screen.show(snapshot);
        let all = begin.elapsed();
        for (list, time) in
            times.iter_mut().zip([polled, answered.saturating_sub(polled), all.saturating_sub(answered)])
        {
            list.push(in_milliseconds(time));
        }
    }
    let core = in_milliseconds(thread_time().saturating_sub(used)) / 10.0;
    let [poll, answer, shown] = times.map(spread);
    println!("    poll {poll}, answer {answer}, frame {shown}; {core:.1} ms of a core for all three");
}

/// Time of a turn of the writer.
const TURN: Duration = Duration::from_millis(800);

/// Reads a recording that nobody writes again and again, half of the time, as a viewer does that cannot keep up: what a
/// busy neighbour costs the writer who does not read what it writes.
fn busy(path: PathBuf, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let mut model = open(&path);
            model.poll_until(NOON, &mut || begin.elapsed() >= Duration::from_millis(100));
            drop(model.answer(&query(View::Traces), NOON));
            thread::sleep(begin.elapsed());
        }
    })
}

/// Spans a second, and nanoseconds of its core that each took, in `time`.
fn pace(recorded: &Recorded, from: &mut u64, time: Duration) -> (f64, f64) {
    let (begin, used, first) = (Instant::now(), thread_time(), *from);
    while begin.elapsed() < time {
        record(recorded, *from..*from + 1_000);
        *from += 1_000;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let count = (*from - first) as f64;
    (count / begin.elapsed().as_secs_f64(), thread_time().saturating_sub(used).as_secs_f64() * 1e9 / count)
}

#[test]
#[ignore = "prints figures"]
fn what_the_viewer_costs_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::with(Config::new(&path), "shop");
    let mut number = 0;
    pace(&recorded, &mut number, Duration::from_millis(300));
    let (mut alone, mut watched, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let other = directory.path().join("other.otlpmm");
    let others = Recorded::with(Config::new(&other), "other");
    record(&others, 0..300_000);
    println!("what the viewer costs the writer, {}", load());
    for _ in 0..12 {
        alone.push(pace(&recorded, &mut number, TURN));
        let source = Source::spawn(vec![path.clone()], SystemClock, drop).unwrap();
        source.ask(query(View::Traces));
        watched.push(pace(&recorded, &mut number, TURN));
        drop(source);
        let stop = Arc::new(AtomicBool::new(false));
        let reader = busy(other.clone(), Arc::clone(&stop));
        beside.push(pace(&recorded, &mut number, TURN));
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    }
    let median = |list: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = list.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mut base = None;
    for (name, list) in [("alone", &alone), ("watched", &watched), ("beside a viewer of another", &beside)] {
        let (rate, cost) = (median(list, |pair| pair.0), median(list, |pair| pair.1));
        let (base_rate, base_cost) = *base.get_or_insert((rate, cost));
        let (of_rate, of_cost) = (rate / base_rate, cost / base_cost);
        println!("  {name}: {rate:.0} spans/s ({of_rate:.3}), {cost:.0} ns of a core each ({of_cost:.3})");
    }
}
