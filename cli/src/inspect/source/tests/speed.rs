//! Figures, not claims: `cargo test --release -p otlp-mmap --lib inspect::source::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use otlp_mmap_writer::{Config, Value};

use super::{Model, NOON, Recorded, SECOND, filter, open, query, spec, trace};
use crate::inspect::query::{Query, View};

const VIEWS: [View; 6] =
    [View::Traces, View::Operations, View::Waterfall, View::Events, View::Metrics, View::File];
const NAMES: [&str; 5] = ["GET /cart", "GET /users/:id", "POST /order", "SELECT", "publish"];

/// Time of the third of three runs: caches are as warm as they get.
fn milliseconds(mut run: impl FnMut()) -> f64 {
    let mut last = 0.0;
    for _ in 0..3 {
        let begin = Instant::now();
        run();
        last = begin.elapsed().as_secs_f64() * 1e3;
    }
    last
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

fn views(model: &mut Model, now: u64) {
    for view in VIEWS {
        let query = Query { trace: Some(trace(77)), ..query(view) };
        println!("  {view:?}: {:.1} ms", milliseconds(|| drop(model.answer(&query, now))));
    }
    let back = Query { until: Some(NOON + 60 * SECOND), ..query(View::Traces) };
    println!("  Traces, rewound: {:.1} ms", milliseconds(|| drop(model.answer(&back, now))));
    let begin = Instant::now();
    let snapshot = model.answer(&Query { filter: filter("n > 5000"), ..query(View::Traces) }, now);
    println!("  a new filter: {:.1} ms, {} hits", begin.elapsed().as_secs_f64() * 1e3, snapshot.totals.hits);
}

#[test]
#[ignore = "prints figures"]
fn a_full_file_of_16_mib() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let recorded = Recorded::with(Config::new(&path), "shop");
    record(&recorded, 0..200_000);
    let now = NOON + 600 * SECOND;
    for _ in 0..3 {
        let begin = Instant::now();
        let mut model = open(&path);
        model.poll(now);
        let read = begin.elapsed();
        let snapshot = model.answer(&query(View::Traces), now);
        let all = begin.elapsed();
        let (spans, events) = (snapshot.totals.spans, snapshot.totals.events);
        println!("{spans} spans, {events} events: read in {read:?}, first snapshot after {all:?}");
    }
    let mut model = open(&path);
    model.poll(now);
    views(&mut model, now);
    println!("  a poll without news: {:.2} ms", milliseconds(|| assert!(!model.poll(now))));
    println!("  a poll with a second look: {:.2} ms", {
        let begin = Instant::now();
        model.poll(now + 2 * SECOND);
        begin.elapsed().as_secs_f64() * 1e3
    });
}

#[test]
#[ignore = "prints figures"]
fn a_million_spans() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.otlpmm");
    let mut config = Config::new(&path);
    config.segment_size = 1 << 20;
    (config.span_segments, config.event_segments) = (256, 64);
    let recorded = Recorded::with(config, "shop");
    record(&recorded, 0..1_000_000);
    let now = NOON + 6_000 * SECOND;
    let mut model = open(&path);
    let begin = Instant::now();
    model.poll(now);
    println!("read in {:?}", begin.elapsed());
    let totals = model.answer(&query(View::Traces), now).totals;
    println!("{} spans, {} events", totals.spans, totals.events);
    views(&mut model, now);
}
