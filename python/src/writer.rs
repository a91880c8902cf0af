//! `Writer`: the writer crate's calls with Python's arguments.
//!
//! Every argument is converted before the writer is called, so a bad one records nothing. The interpreter is
//! released for a call that can wait: any under the policy "block", and for opening, flushing and closing.

#![allow(clippy::doc_markdown)] // what stands before a Python item is its docstring

use crate::argument::{self, dropped, event_name, ids, or_else, scope};
use crate::attributes::{Body, Entries};
use crate::call::{Calls, Refused, find, recorded};
use crate::config::{policy, set};
use crate::error::from_writer;
use crate::{aggregation, reader};
use otlp_mmap_writer as recorder;
use otlp_mmap_writer::{Config, MetricRef, Overflow, ResourceRef, ScopeRef, Signal, StringRef, Text};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Records spans, events and measurements into a memory-mapped file.
///
/// What a call has recorded survives the death of the process at any later instant. Threads share a writer; a
/// forked child gets a file of its own with its first call, and its references stay valid. As a context manager
/// it closes at the end.
///
/// Attributes are mappings from str to str, bool, int (64 bits), float, bytes, None, and lists, tuples and dicts
/// of these; None for the whole is the empty mapping. Times are unix nanoseconds.
///
/// A bad argument raises `InvalidTypeError` or `InvalidValueError` (`UnknownReferenceError` for a reference,
/// `UnknownSpanError` for a span that is not in flight), and nothing is recorded. What is lost for want of room
/// raises nothing. Both are counted, see `losses`.
///
/// Args:
///     path: the file to create, which must not exist, or a directory, in which the file is named
///         `<service>.<pid>.<id>.otlpmm`.
///     service_name: for that name; by default `OTEL_SERVICE_NAME`, or the program's name.
///     segment_size: bytes of a segment, a multiple of 4,096; no record is larger. By default 131,072.
///     span_segments: segments for spans, by default 64.
///     event_segments: segments for events, by default 48.
///     measurement_segments: segments for exemplars and raw measurements, by default 16.
///     active_blocks: blocks of 256 bytes for spans in flight, by default 4,096.
///     cells_size: bytes for metric series, by default 4 MiB.
///     dictionary_size: bytes for strings and definitions, by default 4 MiB.
///     overflow: what happens when every segment is in use: "overwrite-oldest" (by default), "discard-newest", or
///         "block", which waits for the exporter to free one.
///     block_timeout: the longest wait of "block" in seconds.
///     cardinality_limit: most series of a metric stream, by default 2,000; the last one takes what is over it.
///     crc: whether records carry a checksum, by default true.
///     stream_measurements: whether every measurement is also recorded by itself, by default false.
///
/// Raises:
///     OSError: the file cannot be created; `FileExistsError` if there is one.
#[pyclass(frozen, module = "otlp_mmap")]
pub(crate) struct Writer {
    pub(crate) calls: Calls,
}

// The arguments are OTLP's; none can be left out or bundled without changing the calls.
#[allow(clippy::too_many_arguments)]
#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (
        path, *, service_name=None, segment_size=None, span_segments=None, event_segments=None,
        measurement_segments=None, active_blocks=None, cells_size=None, dictionary_size=None,
        overflow=None, block_timeout=None, cardinality_limit=None, crc=None, stream_measurements=None,
    ))]
    fn new(
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        service_name: Option<&Bound<'_, PyAny>>,
        segment_size: Option<&Bound<'_, PyAny>>,
        span_segments: Option<&Bound<'_, PyAny>>,
        event_segments: Option<&Bound<'_, PyAny>>,
        measurement_segments: Option<&Bound<'_, PyAny>>,
        active_blocks: Option<&Bound<'_, PyAny>>,
        cells_size: Option<&Bound<'_, PyAny>>,
        dictionary_size: Option<&Bound<'_, PyAny>>,
        overflow: Option<&Bound<'_, PyAny>>,
        block_timeout: Option<&Bound<'_, PyAny>>,
        cardinality_limit: Option<&Bound<'_, PyAny>>,
        crc: Option<&Bound<'_, PyAny>>,
        stream_measurements: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut config = Config::new(argument::path(path)?);
        config.service_name = argument::optional_text("service_name", service_name)?.map(str::to_owned);
        set(&mut config.segment_size, "segment_size", segment_size, argument::u32)?;
        set(&mut config.span_segments, "span_segments", span_segments, argument::u32)?;
        set(&mut config.event_segments, "event_segments", event_segments, argument::u32)?;
        set(&mut config.measurement_segments, "measurement_segments", measurement_segments, argument::u32)?;
        set(&mut config.active_blocks, "active_blocks", active_blocks, argument::u32)?;
        set(&mut config.cells_size, "cells_size", cells_size, argument::u64)?;
        set(&mut config.dictionary_size, "dictionary_size", dictionary_size, argument::u64)?;
        set(&mut config.cardinality_limit, "cardinality_limit", cardinality_limit, argument::u32)?;
        set(&mut config.crc, "crc", crc, argument::boolean)?;
        set(&mut config.stream_measurements, "stream_measurements", stream_measurements, argument::boolean)?;
        config.overflow = policy(py, overflow, block_timeout)?;
        let waits = matches!(config.overflow, Overflow::Block { .. });
        let writer =
            py.detach(|| recorder::Writer::create(config)).map_err(|error| from_writer(py, &error))?;
        Ok(Self { calls: Calls { writer, waits } })
    }

    /// The file of this process. A forked child gets one of its own with its first call.
    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<PathBuf> {
        self.calls.writer.path().map_err(|error| from_writer(py, &error))
    }

    /// Puts a string into the dictionary, once, and returns its reference.
    ///
    /// Raises:
    ///     InvalidValueError: the string is longer than 4,096 bytes.
    ///     CapacityError: the dictionary is full.
    fn record_string(&self, py: Python<'_>, string: &Bound<'_, PyAny>) -> PyResult<u32> {
        self.calls.of(Signal::Events, || {
            let string = argument::text("string", string)?;
            self.calls.define(py, &[], |writer| writer.record_string(string).map(StringRef::raw))
        })
    }

    /// Defines a resource and returns its reference.
    #[pyo3(signature = (attributes, schema_url=None))]
    fn create_resource(
        &self,
        attributes: &Bound<'_, PyAny>,
        schema_url: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        self.calls.of(Signal::Events, || {
            let entries = Entries::new("attributes", Some(attributes))?;
            let schema_url = argument::optional_text("schema_url", schema_url)?;
            self.calls.define(attributes.py(), &[&entries], |writer| {
                writer.create_resource(&entries, schema_url).map(ResourceRef::raw)
            })
        })
    }

    /// Defines an instrumentation scope of a resource and returns its reference.
    #[pyo3(signature = (resource_ref, name, version=None, attributes=None, *, schema_url=None))]
    fn create_instrumentation_scope(
        &self,
        resource_ref: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
        attributes: Option<&Bound<'_, PyAny>>,
        schema_url: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        self.calls.of(Signal::Events, || {
            let resource = ResourceRef::from_raw(argument::reference("resource_ref", resource_ref)?);
            let name = argument::text("name", name)?;
            let version = argument::optional_text("version", version)?;
            let entries = Entries::new("attributes", attributes)?;
            let schema_url = argument::optional_text("schema_url", schema_url)?;
            self.calls.define(resource_ref.py(), &[&entries], |writer| {
                writer
                    .create_instrumentation_scope(resource, name, version, schema_url, &entries)
                    .map(ScopeRef::raw)
            })
        })
    }

    /// Defines a metric stream of an instrumentation scope and returns its reference.
    ///
    /// Args:
    ///     instrumentation_scope_ref: from `create_instrumentation_scope`.
    ///     name: not empty.
    ///     description: may be empty.
    ///     unit: as UCUM writes it; may be empty.
    ///     aggregation: a dict with one key, or the class of that name:
    ///         `{"gauge": {}}`, `Gauge`;
    ///         `{"sum": {"aggregation_temporality": ..., "is_monotonic": ...}}`, `Sum`;
    ///         `{"histogram": {"aggregation_temporality": ..., "bucket_boundaries": [...]}}`, `Histogram`;
    ///         `{"exp_histogram": {"aggregation_temporality": ..., "max_buckets": ..., "max_scale": ...}}`,
    ///         `ExponentialHistogram`. A temporality is "DELTA" (1) or "CUMULATIVE" (2).
    ///     cardinality_limit: most series of the stream, the overflow series included, 2 at least; by default, and
    ///         at most, the writer's.
    #[pyo3(signature = (
        instrumentation_scope_ref, name, description, unit, aggregation, *, cardinality_limit=None
    ))]
    fn create_metric_stream(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        description: &Bound<'_, PyAny>,
        unit: &Bound<'_, PyAny>,
        aggregation: &Bound<'_, PyAny>,
        cardinality_limit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        self.calls.of(Signal::Measurements, || {
            let scope = scope(instrumentation_scope_ref)?;
            let aggregation = aggregation::parse(aggregation)?;
            let stream = recorder::MetricStream {
                name: argument::text("name", name)?,
                description: argument::text("description", description)?,
                unit: argument::text("unit", unit)?,
                aggregation: aggregation.borrow(),
            };
            let limit =
                cardinality_limit.map(|limit| argument::u32("cardinality_limit", limit)).transpose()?;
            self.calls.define(name.py(), &[], |writer| {
                let metric = match limit {
                    None => writer.create_metric_stream(scope, &stream),
                    Some(limit) => writer.create_limited_metric_stream(scope, &stream, limit),
                };
                metric.map(MetricRef::raw)
            })
        })
    }

    /// Adds a measurement to the series that a metric stream has for these attributes.
    ///
    /// Args:
    ///     metric_ref: from `create_metric_stream`.
    ///     attributes: of the series.
    ///     time_unix_nano: unix nanoseconds.
    ///     value: an int of 64 bits stays an integer; not negative for a monotonic sum.
    ///     span_context: the span it was made in: a dict of `trace_id`, `span_id` and `flags`. A sampled one
    ///         (bit 0 of the flags) also makes the measurement an exemplar.
    #[pyo3(signature = (metric_ref, attributes, time_unix_nano, value, span_context=None))]
    fn record_measurement(
        &self,
        metric_ref: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
        time_unix_nano: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        span_context: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Measurements, || {
            let metric = MetricRef::from_raw(argument::reference("metric_ref", metric_ref)?);
            let entries = Entries::new("attributes", Some(attributes))?;
            let time = argument::time("time_unix_nano", time_unix_nano)?;
            let value = argument::number("value", value)?;
            let context = span_context.map(argument::span_context).transpose()?;
            self.calls.record(metric_ref.py(), &[&entries], |writer| {
                writer.record_measurement(metric, &entries, time, value, context.as_ref())
            })
        })
    }

    /// Records an event: an OTLP log record.
    ///
    /// Args:
    ///     instrumentation_scope_ref: from `create_instrumentation_scope`.
    ///     span_context: the span it happened in: a dict of `trace_id` (16 bytes), `span_id` (8 bytes) and `flags`;
    ///         or None.
    ///     event_name_ref: its name, from `record_string`; 0 or None: it has no name.
    ///     time_unix_nano: when it happened, unix nanoseconds; 0: unknown.
    ///     attributes: of the event.
    ///     severity_number: OTLP's, 1 to 24; 0: not said.
    ///     severity_text: the severity as the source names it.
    ///     body: any value that an attribute can have.
    ///     observed_time_unix_nano: when it was seen, unix nanoseconds; by default its time.
    ///     dropped_attributes_count: attributes that the caller left out.
    #[pyo3(signature = (
        instrumentation_scope_ref, span_context, event_name_ref, time_unix_nano, attributes, *,
        severity_number=None, severity_text=None, body=None, observed_time_unix_nano=None,
        dropped_attributes_count=None,
    ))]
    fn record_event(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        span_context: Option<&Bound<'_, PyAny>>,
        event_name_ref: Option<&Bound<'_, PyAny>>,
        time_unix_nano: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
        severity_number: Option<&Bound<'_, PyAny>>,
        severity_text: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
        observed_time_unix_nano: Option<&Bound<'_, PyAny>>,
        dropped_attributes_count: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Events, || {
            let py = time_unix_nano.py();
            let scope = scope(instrumentation_scope_ref)?;
            let context = span_context.map(argument::span_context).transpose()?;
            let name = event_name(event_name_ref)?;
            let time_unix_nano = argument::time("time_unix_nano", time_unix_nano)?;
            let entries = Entries::new("attributes", Some(attributes))?;
            let severity_number = or_else(0, "severity_number", severity_number, argument::u32)?;
            let severity_text = argument::optional_text("severity_text", severity_text)?.unwrap_or("");
            let body = body.map(|body| Body::new("body", body));
            let observed_time_unix_nano =
                or_else(time_unix_nano, "observed_time_unix_nano", observed_time_unix_nano, argument::time)?;
            let dropped_attributes_count = dropped(dropped_attributes_count)?;
            let result = self.calls.run(py, |writer| {
                writer.record_event(&recorder::Event {
                    scope,
                    context,
                    name,
                    time_unix_nano,
                    observed_time_unix_nano,
                    severity_number,
                    severity_text,
                    body: body.as_ref().map(|body| body as &dyn recorder::AnyValue),
                    attributes: &entries,
                    dropped_attributes_count,
                })
            });
            match body.and_then(|body| body.failure(py)) {
                Some(error) => Err(Refused::ByWriter(error)),
                None => recorded(py, &[&entries], result),
            }
        })
    }

    /// Records that a span has started. Until it ends, readers list it as in flight, also after a crash.
    ///
    /// Args:
    ///     instrumentation_scope_ref: from `create_instrumentation_scope`.
    ///     trace_id: 16 bytes, not all zero.
    ///     span_id: 8 bytes, not all zero; not in flight already.
    ///     parent_span_id: 8 bytes; zeros or None for a root span.
    ///     flags: OTLP's span flags: W3C trace flags in bits 0-7, "has is_remote" and "is_remote" in bits 8 and 9.
    ///     name: of the span.
    ///     kind: OTLP's number, see `SpanKind`.
    ///     start_time_unix_nano: unix nanoseconds.
    ///     attributes: those that are known now.
    ///     trace_state: W3C trace state.
    #[pyo3(signature = (
        instrumentation_scope_ref, trace_id, span_id, parent_span_id, flags, name, kind, start_time_unix_nano,
        attributes, *, trace_state=None,
    ))]
    fn record_span_start(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        parent_span_id: Option<&Bound<'_, PyAny>>,
        flags: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        kind: &Bound<'_, PyAny>,
        start_time_unix_nano: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
        trace_state: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let scope = scope(instrumentation_scope_ref)?;
            let (trace_id, span_id) = ids(trace_id, span_id)?;
            let parent_span_id = or_else([0; 8], "parent_span_id", parent_span_id, argument::id)?;
            let flags = argument::u32("flags", flags)?;
            let text = argument::text("name", name)?;
            let kind = argument::span_kind("kind", kind)?;
            let start_time_unix_nano = argument::time("start_time_unix_nano", start_time_unix_nano)?;
            let entries = Entries::new("attributes", Some(attributes))?;
            let trace_state = argument::optional_text("trace_state", trace_state)?.unwrap_or("");
            self.calls.record(name.py(), &[&entries], |writer| {
                let start = recorder::SpanStart {
                    scope,
                    trace_id,
                    span_id,
                    parent_span_id,
                    trace_state,
                    flags,
                    name: Text::Str(text),
                    kind,
                    start_time_unix_nano,
                    attributes: &entries,
                };
                writer.record_span_start(&start).map(drop)
            })
        })
    }

    /// Adds attributes to a span in flight; one whose key it has replaces the value.
    fn record_span_attributes(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let entries = Entries::new("attributes", Some(attributes))?;
            self.calls.record(attributes.py(), &[&entries], |writer| {
                writer.set_attributes(find(writer, scope, ids)?, &entries)
            })
        })
    }

    /// Adds an event to a span in flight.
    ///
    /// Args:
    ///     instrumentation_scope_ref: the span's.
    ///     trace_id: the span's, 16 bytes.
    ///     span_id: the span's, 8 bytes.
    ///     name: of the event.
    ///     time_unix_nano: when it happened, unix nanoseconds.
    ///     attributes: of the event.
    ///     dropped_attributes_count: attributes that the caller left out.
    #[pyo3(signature = (
        instrumentation_scope_ref, trace_id, span_id, name, time_unix_nano, attributes, *,
        dropped_attributes_count=None,
    ))]
    fn record_span_event(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        time_unix_nano: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
        dropped_attributes_count: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let text = argument::text("name", name)?;
            let time_unix_nano = argument::time("time_unix_nano", time_unix_nano)?;
            let entries = Entries::new("attributes", Some(attributes))?;
            let dropped_attributes_count = dropped(dropped_attributes_count)?;
            self.calls.record(name.py(), &[&entries], |writer| {
                let event = recorder::SpanEvent {
                    name: Text::Str(text),
                    time_unix_nano,
                    attributes: &entries,
                    dropped_attributes_count,
                };
                writer.add_event(find(writer, scope, ids)?, &event)
            })
        })
    }

    /// Adds a link to a span in flight.
    ///
    /// Args:
    ///     instrumentation_scope_ref: the span's.
    ///     trace_id: the span's, 16 bytes.
    ///     span_id: the span's, 8 bytes.
    ///     span_context: the linked span: a dict of `trace_id`, `span_id` and `flags`.
    ///     attributes: of the link.
    ///     trace_state: W3C trace state of the linked span.
    ///     dropped_attributes_count: attributes that the caller left out.
    #[pyo3(signature = (
        instrumentation_scope_ref, trace_id, span_id, span_context, attributes, *, trace_state=None,
        dropped_attributes_count=None,
    ))]
    fn record_span_link(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        span_context: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
        trace_state: Option<&Bound<'_, PyAny>>,
        dropped_attributes_count: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let context = argument::span_context(span_context)?;
            let entries = Entries::new("attributes", Some(attributes))?;
            let trace_state = argument::optional_text("trace_state", trace_state)?.unwrap_or("");
            let dropped_attributes_count = dropped(dropped_attributes_count)?;
            self.calls.record(span_context.py(), &[&entries], |writer| {
                let link =
                    recorder::Link { context, trace_state, attributes: &entries, dropped_attributes_count };
                writer.add_link(find(writer, scope, ids)?, &link)
            })
        })
    }

    /// Sets the status of a span in flight; `code` is OTLP's number, see `StatusCode`.
    #[pyo3(signature = (instrumentation_scope_ref, trace_id, span_id, code, message=None))]
    fn record_span_status(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        code: &Bound<'_, PyAny>,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let message = argument::optional_text("message", message)?.unwrap_or("");
            let status = argument::status_code("code", code)?;
            self.calls.record(code.py(), &[], |writer| {
                writer.set_status(find(writer, scope, ids)?, status, message)
            })
        })
    }

    /// Gives a span in flight a new name.
    fn record_span_name(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let text = argument::text("name", name)?;
            self.calls.record(name.py(), &[], |writer| writer.update_name(find(writer, scope, ids)?, text))
        })
    }

    /// Adds to the counts of what the caller left out of a span in flight: attributes, events, links.
    #[pyo3(signature = (instrumentation_scope_ref, trace_id, span_id, *, attributes=None, events=None, links=None))]
    fn record_span_dropped(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        attributes: Option<&Bound<'_, PyAny>>,
        events: Option<&Bound<'_, PyAny>>,
        links: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let py = trace_id.py();
            let (scope, ids) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let attributes = or_else(0, "attributes", attributes, argument::u32)?;
            let events = or_else(0, "events", events, argument::u32)?;
            let links = or_else(0, "links", links, argument::u32)?;
            self.calls.record(py, &[], |writer| {
                writer.add_dropped(find(writer, scope, ids)?, attributes, events, links)
            })
        })
    }

    /// Records that a span has ended: from now on it is held whole, as a record.
    ///
    /// Args:
    ///     instrumentation_scope_ref: the span's.
    ///     trace_id: the span's, 16 bytes.
    ///     span_id: the span's, 8 bytes.
    ///     end_time_unix_nano: unix nanoseconds.
    ///
    /// Raises:
    ///     UnknownSpanError: the span was never started, or has ended already.
    fn record_span_end(
        &self,
        instrumentation_scope_ref: &Bound<'_, PyAny>,
        trace_id: &Bound<'_, PyAny>,
        span_id: &Bound<'_, PyAny>,
        end_time_unix_nano: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.calls.of(Signal::Spans, || {
            let (scope, (trace_id, span_id)) = (scope(instrumentation_scope_ref)?, ids(trace_id, span_id)?);
            let end = argument::time("end_time_unix_nano", end_time_unix_nano)?;
            self.calls.record(end_time_unix_nano.py(), &[], |writer| {
                writer.record_span_end(scope, trace_id, span_id, end)
            })
        })
    }

    /// Counts by signal ("spans", "events", "measurements") and then by what happened, see `Reader.losses`.
    fn losses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let path = self.path(py)?;
        let file = self.calls.writer.file().map_err(|error| from_writer(py, &error))?;
        reader::losses_of(py, file, &path)
    }

    /// Has the operating system write the file to its disk, and waits until it has.
    ///
    /// That is for a crash of the machine; a crash of the process loses nothing that was recorded.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.calls.writer.flush()).map_err(|error| from_writer(py, &error))
    }

    /// Marks the recording as closed in order. Spans in flight stay listed; later calls raise `ClosedError`.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.calls.writer.close());
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        _exc_value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }
}
