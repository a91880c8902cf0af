//! What the writer promises while it records in the steady state: no allocation, no system call.
//!
//! The system calls are forbidden for real: a child process warms up, sets a seccomp filter, by which the kernel
//! kills it at the first system call but `read`, `write` and `exit`, and records on.

mod support;

use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanContext, SpanEvent,
    SpanKind, SpanStart, StatusCode, Temporality, Text, Value, Writer,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Program {
    writer: Writer,
    scope: ScopeRef,
    metrics: [MetricRef; 4],
}

impl Program {
    fn new(directory: &std::path::Path) -> Self {
        let mut config = Config::new(directory);
        // Small pools, so that the steady state includes recycled segments.
        config.segment_size = 16 << 10;
        (config.span_segments, config.event_segments, config.measurement_segments) = (4, 4, 4);
        let writer = Writer::create(config).unwrap();
        let resource = writer.create_resource(&(), None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "steady", None, None, &()).unwrap();
        let temporality = Temporality::Cumulative;
        let metrics = [
            Aggregation::Gauge,
            Aggregation::Sum { temporality, is_monotonic: true },
            Aggregation::Histogram { temporality, boundaries: &[1.0, 10.0, 100.0] },
            Aggregation::ExponentialHistogram { temporality, max_buckets: 160, max_scale: 20 },
        ]
        .map(|aggregation| {
            let stream = MetricStream { name: "metric", description: "", unit: "1", aggregation };
            writer.create_metric_stream(scope, &stream).unwrap()
        });
        Self { writer, scope, metrics }
    }

    /// One span with everything, one event, one measurement of each kind.
    fn record(&self, turn: u64) {
        let nested = [Value::Int(1), Value::Map(&[KeyValue { key: "inner", value: Value::Bool(true) }])];
        let attributes = [
            KeyValue { key: "http.request.method", value: Value::String("GET") },
            KeyValue { key: "http.response.status_code", value: Value::Int(200) },
            KeyValue { key: "nested", value: Value::Array(&nested) },
        ];
        let context = SpanContext { trace_id: [1; 16], span_id: (turn + 1).to_be_bytes(), flags: 1 };
        let span = self
            .writer
            .start_span(&SpanStart {
                scope: self.scope,
                trace_id: context.trace_id,
                span_id: context.span_id,
                parent_span_id: [0; 8],
                trace_state: "vendor=1",
                flags: 1,
                name: Text::Str("GET /items/{id}"),
                kind: SpanKind::Server,
                start_time_unix_nano: turn,
                attributes: &attributes,
            })
            .unwrap();
        let event = SpanEvent {
            name: Text::Str("cache miss"),
            time_unix_nano: turn,
            attributes: &attributes,
            dropped_attributes_count: 0,
        };
        self.writer.add_event(span, &event).unwrap();
        self.writer.set_attributes(span, &attributes).unwrap();
        self.writer.set_status(span, StatusCode::Error, "not found").unwrap();
        self.writer.end_span(span, turn + 1).unwrap();
        self.writer
            .record_event(&Event {
                scope: self.scope,
                context: Some(context),
                name: Some(Text::Str("request.handled")),
                time_unix_nano: turn,
                observed_time_unix_nano: turn,
                severity_number: 9,
                severity_text: "INFO",
                body: Some(&Value::String("handled")),
                attributes: &attributes,
                dropped_attributes_count: 0,
            })
            .unwrap();
        for metric in self.metrics {
            #[allow(clippy::cast_precision_loss)]
            let value = Number::Double((turn % 1000) as f64);
            self.writer.record_measurement(metric, &attributes, turn, value, Some(&context)).unwrap();
        }
    }
}

#[test]
fn nothing_is_allocated() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::new(directory.path());
    (0..5_000).for_each(|turn| program.record(turn));
    let before = ALLOCATIONS.get();
    (5_000..10_000).for_each(|turn| program.record(turn));
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// Runs `last` in a child to which the kernel allows read, write and exit alone, and returns how it ended.
fn in_strict_child(last: impl FnOnce(&Program)) -> i32 {
    let directory = tempfile::tempdir().unwrap();
    // SAFETY: the child uses only what it makes itself, and leaves by a bare system call.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let program = Program::new(directory.path());
        (0..5_000).for_each(|turn| program.record(turn));
        // From here on any other system call kills the child.
        let allowed = [libc::SYS_read, libc::SYS_write, libc::SYS_exit];
        support::filter_system_calls(&allowed, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS);
        last(&program);
        // SAFETY: ends this process's only thread.
        unsafe { libc::syscall(libc::SYS_exit, 42) };
    }
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

#[test]
fn no_system_call_is_made() {
    let status = in_strict_child(|program| (5_000..10_000).for_each(|turn| program.record(turn)));
    assert!(libc::WIFEXITED(status), "killed by signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 42);
}

#[test]
fn a_system_call_would_be_noticed() {
    let status = in_strict_child(|_| drop(std::hint::black_box(std::fs::metadata("/"))));
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS);
}
