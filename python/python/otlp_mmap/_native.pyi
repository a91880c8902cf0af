"""The extension module: a writer and a reader of recordings, and the command line. Use them from `otlp_mmap`."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, final, type_check_only

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.util.types import AnyValue, Attributes
from opentelemetry.util.types import Attributes as _InstrumentAttributes
from typing_extensions import Self, disjoint_base

from .aggregation import Aggregation, TemporalityLike
from .model import Event, Fault, FileInfo, Metric, Span, SpanContext

__all__ = [
    "Counter",
    "CurrentSpan",
    "Gauge",
    "Histogram",
    "Instrument",
    "Logger",
    "LoggingHandler",
    "NonRecordingSpan",
    "Reader",
    "SpanHooks",
    "Switch",
    "Tracer",
    "UpDownCounter",
    "Writer",
    "_Span",
    "__version__",
    "_load_logs",
    "_load_metrics",
    "_load_traces",
    "main",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_Value: TypeAlias = str | bool | int | float | bytes | Sequence[_Value] | Mapping[str, _Value] | None
_Attributes: TypeAlias = Mapping[str, _Value] | None
_Overflow: TypeAlias = Literal["overwrite-oldest", "discard-newest", "block"]

@type_check_only
class _SumFields(TypedDict):
    aggregation_temporality: TemporalityLike
    is_monotonic: bool

@type_check_only
class _HistogramFields(TypedDict):
    aggregation_temporality: TemporalityLike
    bucket_boundaries: Sequence[float]

@type_check_only
class _ExponentialHistogramFields(TypedDict):
    aggregation_temporality: TemporalityLike
    max_buckets: int
    max_scale: int

@type_check_only
class _Gauge(TypedDict):
    gauge: Mapping[str, object]

@type_check_only
class _Sum(TypedDict):
    sum: _SumFields

@type_check_only
class _Histogram(TypedDict):
    histogram: _HistogramFields

@type_check_only
class _ExponentialHistogram(TypedDict):
    exp_histogram: _ExponentialHistogramFields

_Aggregation: TypeAlias = Aggregation | _Gauge | _Sum | _Histogram | _ExponentialHistogram

__version__: str

def main(args: Sequence[str]) -> int:
    """Runs the command line `otlp-mmap` with `args`, the program's name first, and returns its exit code."""

@final
class Writer:
    """Records spans, events and measurements into a memory-mapped file.

    What a call has recorded survives the death of the process at any later instant. Threads share a writer; a
    forked child gets a file of its own with its first call, and its references stay valid. As a context manager
    it closes at the end.

    Attributes are mappings from str to str, bool, int (64 bits), float, bytes, None, and lists, tuples and dicts
    of these; None for the whole is the empty mapping. Times are unix nanoseconds.

    A bad argument raises `InvalidTypeError` or `InvalidValueError` (`UnknownReferenceError` for a reference,
    `UnknownSpanError` for a span that is not in flight), and nothing is recorded. What is lost for want of room
    raises nothing. Both are counted, see `losses`.

    Args:
        path: the file to create, which must not exist, or a directory, in which the file is named
            `<service>.<pid>.<id>.otlpmm`.
        service_name: for that name; by default `OTEL_SERVICE_NAME`, or the program's name.
        segment_size: bytes of a segment, a multiple of 4,096; no record is larger. By default 131,072.
        span_segments: segments for spans, by default 64.
        event_segments: segments for events, by default 48.
        measurement_segments: segments for exemplars and raw measurements, by default 16.
        active_blocks: blocks of 256 bytes for spans in flight, by default 4,096.
        cells_size: bytes for metric series, by default 4 MiB.
        dictionary_size: bytes for strings and definitions, by default 4 MiB.
        overflow: what happens when every segment is in use: "overwrite-oldest" (by default), "discard-newest", or
            "block", which waits for the exporter to free one.
        block_timeout: the longest wait of "block" in seconds.
        cardinality_limit: most series of a metric stream, by default 2,000; the last one takes what is over it.
        crc: whether records carry a checksum, by default true.
        stream_measurements: whether every measurement is also recorded by itself, by default false.

    Raises:
        OSError: the file cannot be created; `FileExistsError` if there is one.
    """

    def __new__(
        cls,
        path: str | os.PathLike[str],
        *,
        service_name: str | None = None,
        segment_size: int | None = None,
        span_segments: int | None = None,
        event_segments: int | None = None,
        measurement_segments: int | None = None,
        active_blocks: int | None = None,
        cells_size: int | None = None,
        dictionary_size: int | None = None,
        overflow: _Overflow | None = None,
        block_timeout: float | None = None,
        cardinality_limit: int | None = None,
        crc: bool | None = None,
        stream_measurements: bool | None = None,
    ) -> Self: ...
    @property
    def path(self) -> Path:
        """The file of this process. A forked child gets one of its own with its first call."""
    def record_string(self, string: str) -> int:
        """Puts a string into the dictionary, once, and returns its reference.

        Raises:
            InvalidValueError: the string is longer than 4,096 bytes.
            CapacityError: the dictionary is full.
        """
    def create_resource(self, attributes: _Attributes, schema_url: str | None = None) -> int:
        """Defines a resource and returns its reference."""
    def create_instrumentation_scope(
        self,
        resource_ref: int,
        name: str,
        version: str | None = None,
        attributes: _Attributes = None,
        *,
        schema_url: str | None = None,
    ) -> int:
        """Defines an instrumentation scope of a resource and returns its reference."""
    def create_metric_stream(
        self,
        instrumentation_scope_ref: int,
        name: str,
        description: str,
        unit: str,
        aggregation: _Aggregation,
        *,
        cardinality_limit: int | None = None,
    ) -> int:
        """Defines a metric stream of an instrumentation scope and returns its reference.

        Args:
            instrumentation_scope_ref: from `create_instrumentation_scope`.
            name: not empty.
            description: may be empty.
            unit: as UCUM writes it; may be empty.
            aggregation: a dict with one key, or the class of that name:
                `{"gauge": {}}`, `Gauge`;
                `{"sum": {"aggregation_temporality": ..., "is_monotonic": ...}}`, `Sum`;
                `{"histogram": {"aggregation_temporality": ..., "bucket_boundaries": [...]}}`, `Histogram`;
                `{"exp_histogram": {"aggregation_temporality": ..., "max_buckets": ..., "max_scale": ...}}`,
                `ExponentialHistogram`. A temporality is "DELTA" (1) or "CUMULATIVE" (2).
            cardinality_limit: most series of the stream, the overflow series included, 2 at least; by default, and
                at most, the writer's.
        """
    def record_measurement(
        self,
        metric_ref: int,
        attributes: _Attributes,
        time_unix_nano: int,
        value: float,
        span_context: SpanContext | None = None,
    ) -> None:
        """Adds a measurement to the series that a metric stream has for these attributes.

        Args:
            metric_ref: from `create_metric_stream`.
            attributes: of the series.
            time_unix_nano: unix nanoseconds.
            value: an int of 64 bits stays an integer; not negative for a monotonic sum.
            span_context: the span it was made in: a dict of `trace_id`, `span_id` and `flags`. A sampled one
                (bit 0 of the flags) also makes the measurement an exemplar.
        """
    def record_event(
        self,
        instrumentation_scope_ref: int,
        span_context: SpanContext | None,
        event_name_ref: int | None,
        time_unix_nano: int,
        attributes: _Attributes,
        *,
        severity_number: int | None = None,
        severity_text: str | None = None,
        body: _Value = None,
        observed_time_unix_nano: int | None = None,
        dropped_attributes_count: int | None = None,
    ) -> None:
        """Records an event: an OTLP log record.

        Args:
            instrumentation_scope_ref: from `create_instrumentation_scope`.
            span_context: the span it happened in: a dict of `trace_id` (16 bytes), `span_id` (8 bytes) and `flags`;
                or None.
            event_name_ref: its name, from `record_string`; 0 or None: it has no name.
            time_unix_nano: when it happened, unix nanoseconds; 0: unknown.
            attributes: of the event.
            severity_number: OTLP's, 1 to 24; 0: not said.
            severity_text: the severity as the source names it.
            body: any value that an attribute can have.
            observed_time_unix_nano: when it was seen, unix nanoseconds; by default its time.
            dropped_attributes_count: attributes that the caller left out.
        """
    def record_span_start(
        self,
        instrumentation_scope_ref: int,
        trace_id: bytes,
        span_id: bytes,
        parent_span_id: bytes | None,
        flags: int,
        name: str,
        kind: int,
        start_time_unix_nano: int,
        attributes: _Attributes,
        *,
        trace_state: str | None = None,
    ) -> None:
        """Records that a span has started. Until it ends, readers list it as in flight, also after a crash.

        Args:
            instrumentation_scope_ref: from `create_instrumentation_scope`.
            trace_id: 16 bytes, not all zero.
            span_id: 8 bytes, not all zero; not in flight already.
            parent_span_id: 8 bytes; zeros or None for a root span.
            flags: OTLP's span flags: W3C trace flags in bits 0-7, "has is_remote" and "is_remote" in bits 8 and 9.
            name: of the span.
            kind: OTLP's number, see `SpanKind`.
            start_time_unix_nano: unix nanoseconds.
            attributes: those that are known now.
            trace_state: W3C trace state.
        """
    def record_span_attributes(
        self, instrumentation_scope_ref: int, trace_id: bytes, span_id: bytes, attributes: _Attributes
    ) -> None:
        """Adds attributes to a span in flight; one whose key it has replaces the value."""
    def record_span_event(
        self,
        instrumentation_scope_ref: int,
        trace_id: bytes,
        span_id: bytes,
        name: str,
        time_unix_nano: int,
        attributes: _Attributes,
        *,
        dropped_attributes_count: int | None = None,
    ) -> None:
        """Adds an event to a span in flight.

        Args:
            instrumentation_scope_ref: the span's.
            trace_id: the span's, 16 bytes.
            span_id: the span's, 8 bytes.
            name: of the event.
            time_unix_nano: when it happened, unix nanoseconds.
            attributes: of the event.
            dropped_attributes_count: attributes that the caller left out.
        """
    def record_span_link(
        self,
        instrumentation_scope_ref: int,
        trace_id: bytes,
        span_id: bytes,
        span_context: SpanContext,
        attributes: _Attributes,
        *,
        trace_state: str | None = None,
        dropped_attributes_count: int | None = None,
    ) -> None:
        """Adds a link to a span in flight.

        Args:
            instrumentation_scope_ref: the span's.
            trace_id: the span's, 16 bytes.
            span_id: the span's, 8 bytes.
            span_context: the linked span: a dict of `trace_id`, `span_id` and `flags`.
            attributes: of the link.
            trace_state: W3C trace state of the linked span.
            dropped_attributes_count: attributes that the caller left out.
        """
    def record_span_status(
        self,
        instrumentation_scope_ref: int,
        trace_id: bytes,
        span_id: bytes,
        code: int,
        message: str | None = None,
    ) -> None:
        """Sets the status of a span in flight; `code` is OTLP's number, see `StatusCode`."""
    def record_span_name(self, instrumentation_scope_ref: int, trace_id: bytes, span_id: bytes, name: str) -> None:
        """Gives a span in flight a new name."""
    def record_span_dropped(
        self,
        instrumentation_scope_ref: int,
        trace_id: bytes,
        span_id: bytes,
        *,
        attributes: int | None = None,
        events: int | None = None,
        links: int | None = None,
    ) -> None:
        """Adds to the counts of what the caller left out of a span in flight: attributes, events, links."""
    def record_span_end(
        self, instrumentation_scope_ref: int, trace_id: bytes, span_id: bytes, end_time_unix_nano: int
    ) -> None:
        """Records that a span has ended: from now on it is held whole, as a record.

        Args:
            instrumentation_scope_ref: the span's.
            trace_id: the span's, 16 bytes.
            span_id: the span's, 8 bytes.
            end_time_unix_nano: unix nanoseconds.

        Raises:
            UnknownSpanError: the span was never started, or has ended already.
        """
    def losses(self) -> dict[str, dict[str, int]]:
        """Counts by signal ("spans", "events", "measurements") and then by what happened, see `Reader.losses`."""
    def flush(self) -> None:
        """Has the operating system write the file to its disk, and waits until it has.

        That is for a crash of the machine; a crash of the process loses nothing that was recorded.
        """
    def close(self) -> None:
        """Marks the recording as closed in order. Spans in flight stay listed; later calls raise `ClosedError`."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        _exc_value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Reader:
    """Reads a recording, or a directory of recordings: live, or after the process died.

    Args:
        path: a file, or a directory of `*.otlpmm` files.

    Raises:
        OSError: the path cannot be opened.
        DamagedFileError: the file is no recording, or its header is damaged.
    """

    def __new__(cls, path: str | os.PathLike[str]) -> Self: ...
    @property
    def path(self) -> Path:
        """The path the reader was opened with."""
    def spans(self) -> list[Span]:
        """The ended spans that are still held, sorted by end time."""
    def spans_in_flight(self) -> list[Span]:
        """The spans that have started and not ended, sorted by start time; of a dead process, those it died in."""
    def events(self) -> list[Event]:
        """The events (log records) that are still held, sorted by time."""
    def metrics(self) -> list[Metric]:
        """The metric series with their cumulative values, each file's own."""
    def losses(self) -> dict[str, dict[str, int]]:
        """Counts by signal ("spans", "events", "measurements") and then by what happened, over all files.

        "recorded" counts the records ever published, "overwritten" those of them that gave way to newer ones.
        The others count what was not recorded, and why ("discarded", "block_timeout", "no_space", "busy",
        "cells_full", "invalid", "closed", "definition_lost", "exemplar_lost"), or was recorded less well than it
        was given ("truncated", "dictionary_full", "spilled", "cardinality_overflow").
        """
    def files(self) -> list[FileInfo]:
        """Header and state of every file, by name."""
    def faults(self) -> list[Fault]:
        """The damage in the files, found by checking every structure; a file that cannot be read is one fault."""

# Traces: `otlp_mmap.sdk.trace`.

@final
class SpanHooks:
    """Where the spans of a provider are shown to its processors.

    Args:
        processor: the one that is called, usually one that calls others.
        is_active: False: it has nobody to call yet, see `activate`.
    """

    def __new__(cls, processor: object, is_active: bool = True) -> Self: ...
    def activate(self) -> None:
        """From now on the processor is called."""
    @property
    def processor(self) -> Any:
        """The processor that is called."""

@disjoint_base
class Tracer:
    """Starts spans. What it starts them with is set by `_set_up`; until then they record nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _set_up(
        self,
        *,
        writer: Writer | None,
        scope_ref: int,
        is_enabled: bool,
        sampler: object,
        id_generator: object,
        limits: object,
        hooks: SpanHooks | None,
        resource: object,
        instrumentation_scope: object,
        instrumentation_info: object,
        metrics: object = None,
    ) -> None:
        """Sets what spans are started with from now on.

        Args:
            writer: of the file; None: there is no file.
            scope_ref: of the instrumentation scope in the file; 0: spans are not in the file.
            is_enabled: False: spans record nothing.
            sampler: object with `should_sample`.
            id_generator: object with `generate_trace_id` and `generate_span_id`.
            limits: a `SpanLimits`.
            hooks: the processors.
            resource: shown by the spans.
            instrumentation_scope: shown by the spans.
            instrumentation_info: shown by the spans.
            metrics: counts the spans; None: they are not counted.
        """
    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Starts a span, without making it the current one.

        Args:
            name: of the span.
            context: has the parent; by default the current context.
            kind: a `SpanKind`.
            attributes: known at the start; samplers see them.
            links: to other spans.
            start_time: unix nanoseconds; by default now.
            record_exception: whether an exception that leaves the span's `with` block is recorded.
            set_status_on_exception: whether it also sets the status.
        """
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Starts a span and makes it the current one, for a `with` block or for each call of a decorated function.

        Args:
            name: of the span.
            context: has the parent; by default the current context.
            kind: a `SpanKind`.
            attributes: known at the start; samplers see them.
            links: to other spans.
            start_time: unix nanoseconds; by default now.
            record_exception: whether an exception that leaves the block is recorded.
            set_status_on_exception: whether it also sets the status.
            end_on_exit: whether the span ends with the block.
        """

@final
class CurrentSpan:
    """What `Tracer.start_as_current_span` returns: a context manager, and a decorator of functions, sync or async."""

    def __enter__(self) -> trace.Span: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        _exc_tb: TracebackType | None,
    ) -> None: ...
    def __call__(self, func: _Function) -> _Function: ...
    def _recreate_cm(self) -> CurrentSpan:
        """Another object with the same arguments: calls that run at the same time must not share one."""

@final
class NonRecordingSpan:
    """The API's `NonRecordingSpan`, whose context is made only when it is asked for."""

    def get_span_context(self) -> trace.SpanContext:
        """The context of the span."""
    def is_recording(self) -> bool:
        """False."""
    def end(self, end_time: int | None = None) -> None:
        """Does nothing."""
    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Does nothing."""
    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Does nothing."""
    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Does nothing."""
    def add_link(self, context: trace.SpanContext, attributes: Attributes = None) -> None:
        """Does nothing."""
    def update_name(self, name: str) -> None:
        """Does nothing."""
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Does nothing."""
    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool | None = None,
    ) -> None:
        """Does nothing."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object, **kwargs: object) -> None: ...

@final
class _Span:
    """A span.

    A tracer starts it. It is in the file from then on, with all that is set later; readers list it as in flight
    until it ends. Times are unix nanoseconds.
    """

    def __new__(
        cls,
        name: str,
        context: trace.SpanContext,
        parent: trace.SpanContext | None = None,
        sampler: object = None,
        trace_config: object = None,
        resource: object = None,
        attributes: Attributes = None,
        events: Sequence[Any] | None = None,
        links: Sequence[Link] | None = None,
        kind: SpanKind | None = None,
        span_processor: object = None,
        instrumentation_info: object = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        limits: object = None,
        instrumentation_scope: object = None,
        *,
        record_end_metrics: object = None,
    ) -> Self: ...
    def get_span_context(self) -> trace.SpanContext:
        """The span's context: ids, flags and trace state."""
    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Sets one attribute; the value of a key that is there is replaced.

        Prefer attributes at the start of the span: samplers see only those.
        """
    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Sets attributes; the values of keys that are there are replaced.

        Prefer attributes at the start of the span: samplers see only those.
        """
    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Adds an event."""
    def add_link(self, context: trace.SpanContext, attributes: Attributes = None) -> None:
        """Adds a link to another span."""
    def update_name(self, name: str) -> None:
        """Gives the span another name."""
    def is_recording(self) -> bool:
        """Whether the span still takes what is set: it has not ended."""
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Sets the status. OK is final, and UNSET is ignored."""
    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Records an exception as an event named "exception", with its type, message and stack trace."""
    def start(self, start_time: int | None = None, parent_context: Context | None = None) -> None:
        """Starts a span that was made without a tracer."""
    def end(self, end_time: int | None = None) -> None:
        """Ends the span, now or at `end_time`; it takes nothing more."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        _exc_tb: TracebackType | None,
    ) -> None: ...
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def context(self) -> trace.SpanContext:
        """The span's context: ids, flags and trace state."""
    @property
    def parent(self) -> trace.SpanContext | None:
        """Context of the parent; None for a root span."""
    @property
    def kind(self) -> SpanKind:
        """Its kind."""
    @property
    def start_time(self) -> int | None:
        """When it started."""
    @property
    def end_time(self) -> int | None:
        """When it ended; None: it has not."""
    @property
    def status(self) -> Status:
        """Its status."""
    @property
    def attributes(self) -> Mapping[str, AnyValue]:
        """Its attributes, read-only."""
    @property
    def events(self) -> tuple[Any, ...]:
        """Its events."""
    @property
    def links(self) -> tuple[Link, ...]:
        """Its links."""
    @property
    def dropped_attributes(self) -> int:
        """Attributes that it left out."""
    @property
    def dropped_events(self) -> int:
        """Events that it left out."""
    @property
    def dropped_links(self) -> int:
        """Links that it left out."""
    @property
    def resource(self) -> Any:
        """The resource that it is of."""
    @property
    def instrumentation_scope(self) -> Any:
        """The instrumentation scope that it is of."""
    @property
    def instrumentation_info(self) -> Any:
        """Deprecated: `instrumentation_scope`."""
    @property
    def _span_processor(self) -> Any:
        """The processor that sees it start and end; None: there is none."""
    def _readable_span(self) -> Any:
        """What the span is now, as an object that does not change any more."""
    def to_json(self, indent: int | None = ...) -> str:
        """The span as a JSON text."""

def _load_traces() -> None:
    """Looks up what tracers and spans need of Python: an interpreter that is ending imports nothing any more."""

# Logs: `otlp_mmap.sdk._logs`.

def _load_logs() -> None:
    """Looks up what loggers need of Python: an interpreter that is ending imports nothing any more."""

@disjoint_base
class Logger:
    """Records log records of one instrumentation scope.

    Args:
        writer: of the file; None: only processors get the records.
        max_attributes: of a log record; None: any number.
        max_attribute_length: most characters of a text; None: any number.
    """

    def __new__(
        cls, writer: Writer | None, max_attributes: int | None = None, max_attribute_length: int | None = None
    ) -> Self: ...
    def emit(
        self,
        record: object = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: AnyValue | None = None,
        attributes: Attributes = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Records a log record: one that was made before, or one of the arguments.

        Args:
            record: an API `LogRecord`, or a `ReadWriteLogRecord`.
            timestamp: when it happened, unix nanoseconds.
            observed_timestamp: when it was seen, unix nanoseconds; by default now.
            context: whose span it belongs to; by default the current one.
            severity_number: a `SeverityNumber`.
            severity_text: the severity as the source names it.
            body: any value that an attribute can have.
            attributes: of the record.
            event_name: what kind of event it is.
            exception: adds the attributes `exception.*`; `attributes` may have others in their place.
        """
    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Whether a log record with these properties would go anywhere.

        The file takes every record, so this is False only if the logger is disabled, or if there is no file and no
        processor wants the record.
        """
    def _set_enabled(self, is_enabled: bool) -> None:
        """Switches the logger on or off."""
    def _set_processed(self, is_processed: bool) -> None:
        """Whether `_emit_processed` gets the records first."""
    def _forget_scope(self) -> None:
        """Has the logger ask `_find_scope` for its instrumentation scope again, with its next record."""
    def _record(self, log_record: LogRecord, dropped_attributes: int = 0, scope: int | None = None) -> None:
        """Records an API `LogRecord` whose limits and exception have been dealt with.

        Args:
            log_record: the record.
            dropped_attributes: that it does not have any more.
            scope: reference of another instrumentation scope than the logger's.
        """

@disjoint_base
class LoggingHandler:
    """Records what the standard library's `logging` hands it. A subclass is also a `logging.Handler`.

    The arguments are the subclass's.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _configure(
        self,
        *,
        code_attributes: bool = True,
        event_names: bool = False,
        text_bodies: bool = False,
        is_translated: bool = False,
    ) -> None:
        """Says what becomes of a record.

        Args:
            code_attributes: whether records say which line logged them.
            event_names: whether `otel.event.name` (and `event.name`) among a record's extra attributes is its name.
            text_bodies: whether a message that is no text is recorded as its text.
            is_translated: whether a subclass translates records itself.
        """
    def handle(self, record: logging.LogRecord) -> Any:
        """Emits a record that the handler's filters let through, and returns whether they do.

        There is no lock around `emit`: the recorder needs none.
        """
    def emit(self, record: logging.LogRecord) -> None:
        """Records a record. What goes wrong is handled as `logging` is configured to."""

@disjoint_base
class Instrument:
    """What every instrument has: where its measurements go. Extended in Python, never used by itself."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Self: ...
    def _connect(self, enabled: Switch | None, offered: Switch | None) -> None:
        """Makes switches say whether to measure, and whether to offer measurements to metric readers. Once."""
    def _record_into(
        self, writer: Writer, streams: Sequence[tuple[int, Sequence[str] | None, bool]], exemplar_filter: object
    ) -> None:
        """Has measurements recorded into streams of a file. Once.

        Args:
            writer: of the file.
            streams: of each the reference, the attribute keys that its series keep (None: all), and whether it is
                a sum of which totals are observed.
            exemplar_filter: 0: none is kept; 1: those in the context of a sampled span; 2: all; or an
                `ExemplarFilter`.
        """
    def _record_observations(self, observations: list[tuple[float, object, object]], time_unix_nano: int) -> None:
        """Records what the callbacks of an asynchronous instrument have observed together, at one time.

        Args:
            observations: tuples of value, attributes and context.
            time_unix_nano: unix nanoseconds.
        """

class Counter(Instrument):
    """Counts what only ever grows."""

    def add(self, amount: float, attributes: _InstrumentAttributes = None, context: Context | None = None) -> None:
        """Adds an amount, which must not be negative."""

class UpDownCounter(Instrument):
    """Counts what grows and shrinks."""

    def add(self, amount: float, attributes: _InstrumentAttributes = None, context: Context | None = None) -> None:
        """Adds an amount, which may be negative."""

class Histogram(Instrument):
    """Records values whose distribution matters."""

    def record(self, amount: float, attributes: _InstrumentAttributes = None, context: Context | None = None) -> None:
        """Records an amount, which must not be negative."""

class Gauge(Instrument):
    """Keeps the last value."""

    def set(self, amount: float, attributes: _InstrumentAttributes = None, context: Context | None = None) -> None:
        """Sets the value."""

@final
class Switch:
    """A switch that Python sets and that native calls look at."""

    def __new__(cls, on: bool) -> Self: ...
    @property
    def on(self) -> bool:
        """Whether it is on."""
    def turn(self, on: bool) -> None:
        """Turns it on or off."""

def _load_metrics() -> None:
    """Looks up what instruments need of Python: an interpreter that is ending imports nothing any more."""
