//! What recording costs, beside the floor of the same machine in the same run.
//!
//! The floor of a write is a copy of as many bytes into mapped memory of the same size plus one clock read; a
//! span is two writes (its start and its record), an event one. The floor of a counter add is one atomic
//! addition to a double. Run: `cargo bench -p otlp-mmap-writer`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use memmap2::MmapMut;
use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanKind, SpanStart,
    Temporality, Text, Value, Writer,
};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of the span's start (body, name, three attributes) and of its record (header beside).
const SPAN_START: usize = 56 + 24 + 72;
const SPAN_RECORD: usize = 32 + SPAN_START;
/// Bytes of the event's record with its name and two attributes.
const EVENT_RECORD: usize = 80 + 24 + 40;
/// As much memory as a pool of spans has.
const POOL: usize = 8 << 20;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

struct Program {
    writer: Writer,
    scope: ScopeRef,
    counter: MetricRef,
    histogram: MetricRef,
    _directory: tempfile::TempDir,
}

const SPAN_ATTRIBUTES: [KeyValue<'static>; 3] = [
    KeyValue { key: "http.request.method", value: Value::String("GET") },
    KeyValue { key: "http.route", value: Value::String("/items/{id}") },
    KeyValue { key: "http.response.status_code", value: Value::Int(200) },
];

const TWO_ATTRIBUTES: [KeyValue<'static>; 2] = [
    KeyValue { key: "http.request.method", value: Value::String("GET") },
    KeyValue { key: "http.response.status_code", value: Value::Int(200) },
];

impl Program {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::create(Config::new(directory.path())).unwrap();
        let resource = writer.create_resource(&(), None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "bench", None, None, &()).unwrap();
        let temporality = Temporality::Cumulative;
        let stream = |name, aggregation| {
            let stream = MetricStream { name, description: "", unit: "1", aggregation };
            writer.create_metric_stream(scope, &stream).unwrap()
        };
        let counter = stream("counter", Aggregation::Sum { temporality, is_monotonic: true });
        let boundaries = &[5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0];
        let histogram = stream("histogram", Aggregation::Histogram { temporality, boundaries });
        Self { writer, scope, counter, histogram, _directory: directory }
    }

    fn span(&self, number: u64) {
        let span = self.writer.start_span(&SpanStart {
            scope: self.scope,
            trace_id: [1; 16],
            span_id: (number + 1).to_le_bytes(),
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("GET /items/{id}"),
            kind: SpanKind::Server,
            start_time_unix_nano: now(),
            attributes: &SPAN_ATTRIBUTES,
        });
        self.writer.end_span(span.unwrap(), now()).unwrap();
    }

    fn event(&self) {
        let event = Event {
            scope: self.scope,
            context: None,
            name: Some(Text::Str("request.handled")),
            time_unix_nano: now(),
            observed_time_unix_nano: 0,
            severity_number: 9,
            severity_text: "",
            body: None,
            attributes: &TWO_ATTRIBUTES,
            dropped_attributes_count: 0,
        };
        self.writer.record_event(&event).unwrap();
    }
}

/// Copies records into mapped memory, one after another, and reads the clock for each.
struct Floor {
    memory: MmapMut,
    at: usize,
}

impl Floor {
    fn new() -> Self {
        let file = tempfile::tempfile().unwrap();
        file.set_len(POOL as u64).unwrap();
        // SAFETY: the file has no name and no other user.
        Self { memory: unsafe { MmapMut::map_mut(&file).unwrap() }, at: 0 }
    }

    fn write(&mut self, record: &[u8]) {
        let start = if self.at + record.len() > self.memory.len() { 0 } else { self.at };
        self.at = start + record.len();
        self.memory[start..self.at].copy_from_slice(black_box(record));
        black_box(now());
    }
}

/// Times `operation` on so many threads at once; the result is the time of one call of one thread.
fn on_threads(threads: u32, calls: u64, operation: impl Fn(u64) + Sync) -> Duration {
    std::thread::scope(|scope| {
        let timed = |thread: u32| {
            let operation = &operation;
            move || {
                let began = Instant::now();
                (0..calls).for_each(|call| operation(u64::from(thread) << 40 | call));
                began.elapsed()
            }
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(timed(thread))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    })
}

fn floors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor");
    let mut floor = Floor::new();
    group.bench_function("span: two writes", |bencher| {
        bencher.iter(|| {
            floor.write(&[1; SPAN_START]);
            floor.write(&[2; SPAN_RECORD]);
        });
    });
    group.bench_function("event: one write", |bencher| bencher.iter(|| floor.write(&[3; EVENT_RECORD])));
    let double = AtomicU64::new(0);
    group.bench_function("counter: one atomic add to a double", |bencher| {
        bencher.iter(|| {
            let add = |bits| Some((f64::from_bits(bits) + 1.0).to_bits());
            black_box(double.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)).unwrap()
        });
    });
    group.bench_function("clock: one read", |bencher| bencher.iter(now));
    group.finish();
}

fn recording(criterion: &mut Criterion) {
    let program = Program::new();
    let add = Number::Double(1.0);
    let counter = program.writer.bind(program.counter, &TWO_ATTRIBUTES).unwrap();
    let histogram = program.writer.bind(program.histogram, &TWO_ATTRIBUTES).unwrap();
    let metric = |metric| program.writer.record_measurement(metric, &TWO_ATTRIBUTES, 1, add, None).unwrap();
    let bound = |series| program.writer.record_bound(series, 1, add).unwrap();
    let operations: [(&str, &(dyn Fn(u64) + Sync)); 7] = [
        ("span with 3 attributes, start + end", &|number| program.span(number)),
        ("event with 2 attributes", &|_| program.event()),
        ("counter add, bound", &|_| bound(counter)),
        ("counter add, 2 attributes looked up", &|_| metric(program.counter)),
        ("histogram record, bound", &|_| bound(histogram)),
        ("histogram record, 2 attributes looked up", &|_| metric(program.histogram)),
        ("string in the dictionary", &|_| {
            black_box(program.writer.record_string("http.request.method").unwrap());
        }),
    ];
    for (name, operation) in operations {
        let mut group = criterion.benchmark_group(name);
        for threads in [1, 2] {
            group.bench_with_input(BenchmarkId::new("threads", threads), &threads, |bencher, &threads| {
                bencher.iter_custom(|calls| on_threads(threads, calls, operation));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = floors, recording
}
criterion_main!(benches);
