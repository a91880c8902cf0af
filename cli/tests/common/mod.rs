//! Recordings made by the writer, and runs of the command over them.
#![allow(dead_code, reason = "each test file uses a part")]

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otlp_mmap::{Clock, Exit, Io};
use otlp_mmap_writer::{
    Aggregation, Config, Event, KeyValue, MetricRef, MetricStream, Number, ScopeRef, SpanContext, SpanEvent,
    SpanKind, SpanRef, SpanStart, StatusCode, Temporality, Text, Value, Writer,
};

/// 2026-01-31T12:00:00Z.
pub(crate) const NOON: u64 = 1_769_860_800_000_000_000;
pub(crate) const TRACE: [u8; 16] = [0xaa; 16];
const MILLI: u64 = 1_000_000;

/// A writer with a resource (`service.name`: its name) and a scope.
pub(crate) struct Recorded {
    pub(crate) writer: Writer,
    pub(crate) scope: ScopeRef,
}

impl Recorded {
    /// Starts a recording. Small: 16 span segments of 4 KiB.
    pub(crate) fn create(path: &Path, service: &str) -> Self {
        let mut config = Config::new(path);
        config.segment_size = 4096;
        (config.span_segments, config.event_segments, config.measurement_segments) = (16, 16, 16);
        config.service_name = Some(service.to_owned());
        Self::with(config, service)
    }

    pub(crate) fn with(config: Config, service: &str) -> Self {
        let writer = Writer::create(config).unwrap();
        let attributes = [pair("service.name", Value::String(service))];
        let resource = writer.create_resource(&attributes, None).unwrap();
        let scope = writer.create_instrumentation_scope(resource, "test", Some("1.0"), None, &()).unwrap();
        Self { writer, scope }
    }

    /// Starts a span `millis` after noon; its id is eight times `id`.
    pub(crate) fn start(&self, name: &str, id: u8, millis: u64) -> SpanRef {
        self.writer
            .start_span(&SpanStart {
                scope: self.scope,
                trace_id: TRACE,
                span_id: [id; 8],
                parent_span_id: [0; 8],
                trace_state: "",
                flags: 1,
                name: Text::Str(name),
                kind: SpanKind::Server,
                start_time_unix_nano: NOON + millis * MILLI,
                attributes: &[pair("http.route", Value::String("/cart")), pair("n", Value::Int(id.into()))],
            })
            .unwrap()
    }

    /// A span from `millis` after noon, of `id` milliseconds.
    pub(crate) fn span(&self, name: &str, id: u8, millis: u64) {
        let span = self.start(name, id, millis);
        self.writer.end_span(span, NOON + (millis + u64::from(id)) * MILLI).unwrap();
    }

    pub(crate) fn event(&self, name: &str, severity: u32, body: &str, millis: u64) {
        self.writer
            .record_event(&Event {
                scope: self.scope,
                context: None,
                name: Some(Text::Str(name)),
                time_unix_nano: NOON + millis * MILLI,
                observed_time_unix_nano: 0,
                severity_number: severity,
                severity_text: "",
                body: Some(&Value::String(body)),
                attributes: &(),
                dropped_attributes_count: 0,
            })
            .unwrap();
    }

    /// Defines a counter.
    pub(crate) fn counter(&self, name: &str) -> MetricRef {
        let stream = MetricStream {
            name,
            description: "",
            unit: "By",
            aggregation: Aggregation::Sum { temporality: Temporality::Cumulative, is_monotonic: true },
        };
        self.writer.create_metric_stream(self.scope, &stream).unwrap()
    }

    /// Counts three, in a sampled span.
    pub(crate) fn count(&self, metric: MetricRef, millis: u64) {
        let context = SpanContext { trace_id: TRACE, span_id: [1; 8], flags: 1 };
        let attributes = [pair("http.route", Value::String("/cart"))];
        let time = NOON + millis * MILLI;
        self.writer.record_measurement(metric, &attributes, time, Number::Int(3), Some(&context)).unwrap();
    }

    /// A bit of everything: a span with an event, a failed span, two events, a metric, a span in flight.
    pub(crate) fn fill(&self) {
        let span = self.start("GET /cart", 10, 0);
        let event = SpanEvent {
            name: Text::Str("cache miss"),
            time_unix_nano: NOON + MILLI,
            attributes: &(),
            dropped_attributes_count: 0,
        };
        self.writer.add_event(span, &event).unwrap();
        self.writer.end_span(span, NOON + 10 * MILLI).unwrap();
        let failed = self.start("GET /pay", 20, 5);
        self.writer.set_status(failed, StatusCode::Error, "no money").unwrap();
        self.writer.end_span(failed, NOON + 25 * MILLI).unwrap();
        self.event("started", 9, "all well", 1);
        self.event("failed", 17, "no money", 24);
        self.count(self.counter("shop.bytes"), 25);
        self.start("POST /order", 30, 30);
    }
}

pub(crate) fn pair<'a>(key: &'a str, value: Value<'a>) -> KeyValue<'a> {
    KeyValue { key, value }
}

/// The test's time: noon and a minute. It waits for a moment and for the gate, and ends runs when it is told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClock {
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) gate: Arc<Mutex<()>>,
}

impl Clock for TestClock {
    fn now_unix_nano(&self) -> u64 {
        NOON + 60_000 * MILLI
    }

    fn wait(&self, _: Duration) -> bool {
        std::thread::sleep(Duration::from_millis(2));
        drop(self.gate.lock());
        !self.stop.load(Ordering::Relaxed)
    }
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The lines of stdout as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Runs the command with paths and words as arguments.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> Ran {
    run_with(args, &TestClock::default(), false, false)
}

pub(crate) fn run_with(args: &[&str], clock: &dyn Clock, terminal: bool, no_color: bool) -> Ran {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = run_to(args, clock, terminal, no_color, &mut stdout, &mut stderr);
    Ran { exit, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

pub(crate) fn run_to(
    args: &[&str],
    clock: &dyn Clock,
    terminal: bool,
    no_color: bool,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Exit {
    let args = std::iter::once("otlp-mmap").chain(args.iter().copied()).map(OsString::from);
    otlp_mmap::run(args, &mut Io { stdout, stderr, clock, terminal, no_color })
}

/// The text of a path.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
