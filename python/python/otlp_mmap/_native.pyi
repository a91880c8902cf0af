"""The extension module: a writer and a reader of recordings, and the command line. Use them from `otlp_mmap`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias, TypedDict, final, type_check_only

from typing_extensions import Self

from .aggregation import Aggregation, TemporalityLike
from .model import Event, Fault, FileInfo, Metric, Span, SpanContext

__all__ = ["Reader", "Writer", "__version__", "main"]

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
