//! Records OpenTelemetry spans, events and metrics into a memory-mapped file.
//!
//! What a call has recorded is in the page cache when it returns: it survives `SIGKILL`, the OOM killer and a
//! segmentation fault of the process. The format is `format-spec/SPEC.md`; `otlp-mmap-reader` reads it.
//!
//! ```
//! use otlp_mmap_writer::{Config, KeyValue, SpanKind, SpanStart, Text, Value, Writer};
//!
//! let directory = tempfile::tempdir()?;
//! let writer = Writer::create(Config::new(directory.path().join("demo.otlpmm")))?;
//! let resource = writer.create_resource(&[KeyValue { key: "service.name", value: Value::String("demo") }], None)?;
//! let scope = writer.create_instrumentation_scope(resource, "demo", Some("1.0"), None, &())?;
//! let span = writer.start_span(&SpanStart {
//!     scope,
//!     trace_id: [1; 16],
//!     span_id: [2; 8],
//!     parent_span_id: [0; 8],
//!     trace_state: "",
//!     flags: 1,
//!     name: Text::Str("GET /"),
//!     kind: SpanKind::Server,
//!     start_time_unix_nano: 1_700_000_000_000_000_000,
//!     attributes: &[KeyValue { key: "http.route", value: Value::String("/") }],
//! })?;
//! writer.end_span(span, 1_700_000_000_001_000_000)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a record: [`Writer`] (finds this process's recorder) -> `record` (encodes into a scratch buffer)
//! -> `spans` (the table of spans in flight) -> `pool` (publishes into a segment) -> `mapping` (the file).
//! Measurements go from `define` to `metrics` (finds the series) and `cells` (aggregates in place). Cold paths
//! have files of their own: `storage`, `claim`, `fit`, `fork`.
//!
//! With `--cfg loom` this crate is no recorder: its atomics are a model checker's, and `models` is all there is
//! to run.
#![cfg_attr(loom, allow(dead_code, unused_imports))]

mod attribute_set;
mod blocks;
mod cells;
mod claim;
mod clock;
mod config;
mod define;
mod dictionary;
mod encode;
mod error;
mod exponential;
mod fit;
mod fork;
mod layout;
mod mapping;
mod metrics;
#[cfg(all(test, loom))]
mod models;
mod pool;
mod record;
mod recorder;
mod registry;
mod scratch;
mod span_index;
mod spans;
#[cfg_attr(loom, path = "models/storage.rs")]
mod storage;
mod sync;
mod telemetry;
#[cfg(all(test, not(loom)))]
mod testing;
mod writer;

pub use config::{Config, Overflow};
pub use encode::Encoder;
pub use error::Error;
pub use fork::process_token;
pub use otlp_mmap_format::{Counter, Signal};
pub use telemetry::{
    Aggregation, AnyValue, Attributes, Event, Key, KeyValue, Link, MetricRef, MetricStream, Number,
    ResourceRef, ScopeRef, SeriesRef, SpanContext, SpanEvent, SpanKind, SpanRef, SpanStart, StatusCode,
    StringRef, Temporality, Text, Value,
};
pub use writer::Writer;

/// The README's examples, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
