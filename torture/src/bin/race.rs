//! Threads that do everything at once on one writer, for the thread sanitizer (`torture/sanitize.sh thread`).
//!
//! The standard library comes without the sanitizer's instrumentation, so what its threads, channels and scopes do to
//! order one thread after another is not seen, and every test of theirs would be reported. Here threads are started
//! and joined by `pthread_create` and `pthread_join`, which the sanitizer knows. With `--plant` two threads write one
//! byte without an order: a run that does not report that shows that the sanitizer sees nothing.

use std::cell::UnsafeCell;
use std::ffi::c_void;

use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, Overflow, ScopeRef, SpanContext,
    SpanKind, SpanStart, StatusCode, Temporality, Text, Value, Writer,
};

const THREADS: u64 = 8;
/// Calls of each kind by each thread.
const ROUNDS: u64 = 400;

/// What all threads share.
struct Program {
    writer: Writer,
    scope: ScopeRef,
    metrics: Vec<MetricRef>,
    planted: Option<Planted>,
}

/// A byte that is written without an order.
struct Planted(UnsafeCell<u8>);

// SAFETY: it is not; that is what `--plant` is for. A lost byte does no harm.
unsafe impl Sync for Planted {}

struct Thread<'a> {
    program: &'a Program,
    number: u64,
}

fn main() {
    let plant = std::env::args().any(|argument| argument == "--plant");
    for overflow in [Overflow::OverwriteOldest, Overflow::DiscardNewest] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config::new(directory.path());
        // Small, so that segments are recycled, spans spill, and dictionary and cells fill up.
        config.overflow = overflow;
        config.segment_size = 4096;
        (config.span_segments, config.event_segments, config.measurement_segments) = (8, 8, 8);
        config.active_blocks = 64;
        config.cardinality_limit = 100;
        let program = Program::new(config, plant);
        run(&program);
        program.writer.close();
        println!("{overflow:?}: {THREADS} threads, {ROUNDS} rounds each");
    }
}

fn run(program: &Program) {
    let threads: Vec<Thread<'_>> = (1..=THREADS).map(|number| Thread { program, number }).collect();
    let mut running = Vec::new();
    for thread in &threads {
        let mut id = 0;
        let argument = std::ptr::from_ref(thread).cast_mut().cast::<c_void>();
        // SAFETY: `thread` outlives the new thread, which is joined below; `body` takes such a pointer.
        let code = unsafe { libc::pthread_create(&raw mut id, std::ptr::null(), body, argument) };
        assert_eq!(code, 0, "a thread");
        running.push(id);
    }
    for id in running {
        // SAFETY: a thread of ours that was not joined yet.
        assert_eq!(unsafe { libc::pthread_join(id, std::ptr::null_mut()) }, 0);
    }
}

extern "C" fn body(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `run` gives a `Thread` that lives until this thread was joined.
    let thread = unsafe { &*argument.cast::<Thread<'_>>() };
    for round in 1..=ROUNDS {
        thread.round(round);
    }
    std::ptr::null_mut()
}

impl Program {
    fn new(config: Config, plant: bool) -> Self {
        let writer = Writer::create(config).expect("a recording");
        let resource = writer.create_resource(&(), None).expect("a resource");
        let scope = writer.create_instrumentation_scope(resource, "race", None, None, &()).expect("a scope");
        let temporality = Temporality::Cumulative;
        let aggregations = [
            Aggregation::Gauge,
            Aggregation::Sum { temporality, is_monotonic: true },
            Aggregation::Histogram { temporality, boundaries: &[1.0, 10.0, 100.0] },
            Aggregation::ExponentialHistogram { temporality, max_buckets: 8, max_scale: 20 },
        ];
        let metrics = aggregations.map(|aggregation| {
            let stream = MetricStream { name: "metric", description: "", unit: "1", aggregation };
            writer.create_metric_stream(scope, &stream).expect("a metric stream")
        });
        let planted = plant.then(|| Planted(UnsafeCell::new(0)));
        Self { writer, scope, metrics: metrics.to_vec(), planted }
    }
}

impl Thread<'_> {
    /// A call of each kind. What is refused is counted by the writer; this is about memory.
    fn round(&self, round: u64) {
        let Program { writer, scope, metrics, planted } = self.program;
        if let Some(Planted(byte)) = planted {
            // SAFETY: none; see `Planted`.
            unsafe { *byte.get() = 1 };
        }
        let own = format!("{} {}", self.number, round % 50);
        let attributes = [
            KeyValue { key: "thread", value: Value::String(&own) },
            KeyValue { key: "round", value: Value::Int(round.cast_signed()) },
        ];
        let _ = writer.record_string(&own);
        let context = self.span(round, &attributes);
        let _ = writer.record_event(&Event {
            scope: *scope,
            context: Some(context),
            name: Some(Text::Str("event")),
            time_unix_nano: round,
            observed_time_unix_nano: 0,
            severity_number: 9,
            severity_text: "INFO",
            body: Some(&Value::String(&own)),
            attributes: &attributes,
            dropped_attributes_count: 0,
        });
        for metric in metrics {
            #[allow(clippy::cast_precision_loss)] // small numbers
            let number = Number::Double(round as f64 * 3.5);
            let _ = writer.record_measurement(*metric, &&attributes[..1], round, number, Some(&context));
        }
    }

    fn span(&self, round: u64, attributes: &[KeyValue<'_>]) -> SpanContext {
        let Program { writer, scope, .. } = self.program;
        let context =
            SpanContext { trace_id: [7; 16], span_id: (self.number << 32 | round).to_be_bytes(), flags: 1 };
        let start = SpanStart {
            scope: *scope,
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent_span_id: [0; 8],
            trace_state: "",
            flags: 1,
            name: Text::Str("span"),
            kind: SpanKind::Internal,
            start_time_unix_nano: round,
            attributes: &attributes,
        };
        if let Ok(span) = writer.record_span_start(&start) {
            let _ = writer.set_attributes(span, &attributes);
            let _ = writer.set_status(span, StatusCode::Error, "late");
            // Every third never ends: the table fills up, and later spans spill.
            if !round.is_multiple_of(3) {
                let _ = writer.record_span_end(*scope, context.trace_id, context.span_id, round + 1);
            }
        }
        context
    }
}
