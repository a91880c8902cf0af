"""A thin adapter: the OpenTelemetry API on an `otlp_mmap.Writer`, as much of it as the demo needs.

Every span is sampled, there are no limits, and asynchronous instruments observe nothing. As the specification
asks, nothing here raises into the application: what cannot be recorded is left out, and said once in the log.
"""

from __future__ import annotations

import functools
import logging
import random
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import time_ns
from types import TracebackType
from typing import Any, ParamSpec

from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util._decorator import _agnosticcontextmanager
from opentelemetry.util.types import AnyValue, Attributes

import otlp_mmap
from otlp_mmap import Writer

P = ParamSpec("P")

_log = logging.getLogger(__name__)

_RECORDED = (str, bool, int, float, bytes, type(None), list, tuple, dict)
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200
_DEFAULT_BOUNDARIES = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)


def quietly(method: Callable[P, None]) -> Callable[P, None]:
    """Keeps exceptions from the application; the first one of each method is logged."""
    said = threading.Event()

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception:
            if not said.is_set():
                said.set()
                _log.warning("telemetry was not recorded; this is said once", exc_info=True)

    return call


def recordable(attributes: Attributes) -> dict[str, Any]:
    """Attributes of the types that can be recorded; values of other types become text."""
    return {
        str(key): value if isinstance(value, _RECORDED) else str(value) for key, value in (attributes or {}).items()
    }


def wire_context(context: SpanContext) -> otlp_mmap.SpanContext | None:
    """A span context as the writer takes it; `None` if it is not valid."""
    if not context.is_valid:
        return None
    return {
        "trace_id": context.trace_id.to_bytes(16, "big"),
        "span_id": context.span_id.to_bytes(8, "big"),
        "flags": int(context.trace_flags),
    }


class Scopes:
    """The instrumentation scopes of one resource, each defined once."""

    def __init__(self, writer: Writer, resource: Mapping[str, Any]) -> None:
        self.writer = writer
        self._resource = writer.create_resource(dict(resource))
        self._lock = threading.Lock()
        self._refs: dict[object, int] = {}

    def ref(self, name: str, version: str | None, schema_url: str | None, attributes: Attributes) -> int:
        """The reference of a scope."""
        known = recordable(attributes)
        key = (name, version, schema_url, repr(known))
        with self._lock:
            if key not in self._refs:
                self._refs[key] = self.writer.create_instrumentation_scope(
                    self._resource, name, version, known, schema_url=schema_url
                )
            return self._refs[key]


class TracerProvider(trace.TracerProvider):
    """Gives out tracers that record."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """A tracer of the instrumentation scope; one that does nothing if the scope cannot be recorded."""
        try:
            scope = self._scopes.ref(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        except Exception:
            _log.warning("no tracer for %r", instrumenting_module_name, exc_info=True)
            return trace.NoOpTracer()
        return Tracer(self._scopes.writer, scope)


class Tracer(trace.Tracer):
    """Starts spans of one instrumentation scope."""

    def __init__(self, writer: Writer, scope: int) -> None:
        self._writer = writer
        self._scope = scope

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Starts a span; its parent is the current span of the context."""
        parent = trace.get_current_span(context).get_span_context()
        trace_id = parent.trace_id if parent.is_valid else random.getrandbits(128) or 1
        state = parent.trace_state if parent.is_valid else None
        span_id = random.getrandbits(64) or 1
        own = SpanContext(trace_id, span_id, False, TraceFlags(TraceFlags.SAMPLED), state)
        span = Span(self._writer, self._scope, own, kind, (record_exception, set_status_on_exception))
        span.start(name, parent, start_time, attributes)
        for link in links or ():
            span.add_link(link.context, link.attributes)
        return span

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[trace.Span]:
        """Starts a span, makes it the current one, and ends it."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(span, end_on_exit, record_exception, set_status_on_exception):
            yield span


class Span(trace.Span):
    """A span that is recorded as it goes, so that a crash leaves what is known of it."""

    def __init__(
        self, writer: Writer, scope: int, context: SpanContext, kind: SpanKind, on_exception: tuple[bool, bool]
    ) -> None:
        self._writer = writer
        self._context = context
        self._on_exception = on_exception
        # What every call on this span begins with.
        self._self = (scope, context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"))
        self._recording = False
        self._status = StatusCode.UNSET
        self.kind = kind

    @quietly
    def start(self, name: str, parent: SpanContext, start_time: int | None, attributes: Attributes) -> None:
        """Records the start; without it the span records nothing."""
        remote = _HAS_IS_REMOTE | (_IS_REMOTE if parent.is_remote else 0)
        self._writer.record_span_start(
            *self._self,
            parent.span_id.to_bytes(8, "big") if parent.is_valid else None,
            int(self._context.trace_flags) | remote,
            name,
            self.kind.value + 1,  # the API counts from INTERNAL = 0, OTLP from UNSPECIFIED = 0
            time_ns() if start_time is None else start_time,
            recordable(attributes),
            trace_state=self._context.trace_state.to_header(),
        )
        self._recording = True

    def get_span_context(self) -> SpanContext:
        """The span's ids and flags."""
        return self._context

    def is_recording(self) -> bool:
        """Whether it has started and not ended."""
        return self._recording

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Sets one attribute."""
        self.set_attributes({key: value})

    @quietly
    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Sets attributes."""
        if self._recording:
            self._writer.record_span_attributes(*self._self, recordable(attributes))

    @quietly
    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Adds an event."""
        if self._recording:
            time = time_ns() if timestamp is None else timestamp
            self._writer.record_span_event(*self._self, name, time, recordable(attributes))

    @quietly
    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Adds a link."""
        linked = wire_context(context)
        if self._recording and linked is not None:
            state = context.trace_state.to_header()
            self._writer.record_span_link(*self._self, linked, recordable(attributes), trace_state=state)

    @quietly
    def update_name(self, name: str) -> None:
        """Renames the span."""
        if self._recording:
            self._writer.record_span_name(*self._self, name)

    @quietly
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Sets the status; OK is final, and UNSET changes nothing."""
        code, message = (
            (status.status_code, status.description) if isinstance(status, Status) else (status, description)
        )
        if self._recording and code is not StatusCode.UNSET and self._status is not StatusCode.OK:
            self._status = code
            self._writer.record_span_status(*self._self, code.value, message if code is StatusCode.ERROR else None)

    @quietly
    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Adds an event "exception"."""
        details = {
            "exception.type": f"{type(exception).__module__}.{type(exception).__qualname__}",
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**details, **(attributes or {})}, timestamp)

    @quietly
    def end(self, end_time: int | None = None) -> None:
        """Ends the span, once."""
        if self._recording:
            self._recording = False
            self._writer.record_span_end(*self._self, time_ns() if end_time is None else end_time)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if exc_val is not None and self._recording:
            record_exception, set_status = self._on_exception
            if record_exception:
                self.record_exception(exc_val, escaped=True)
            if set_status:
                self.set_status(StatusCode.ERROR, f"{type(exc_val).__name__}: {exc_val}")
        self.end()


class MeterProvider(metrics.MeterProvider):
    """Gives out meters that record."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> metrics.Meter:
        """A meter of the instrumentation scope; one that does nothing if the scope cannot be recorded."""
        try:
            scope = self._scopes.ref(name, version, schema_url, attributes)
        except Exception:
            _log.warning("no meter for %r", name, exc_info=True)
            return metrics.NoOpMeter(name, version, schema_url)
        return Meter(self._scopes.writer, scope, name, version, schema_url)


class Instrument:
    """A synchronous instrument: its measurements go to one metric stream."""

    _writer: Writer
    _stream: int = 0

    @quietly
    def bind(self, writer: Writer, scope: int, text: tuple[str, str, str], aggregation: Any) -> None:
        """Defines the metric stream; without it the instrument records nothing."""
        self._writer = writer
        self._stream = writer.create_metric_stream(scope, *text, aggregation)

    @quietly
    def measure(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Records one measurement."""
        if self._stream:
            span = wire_context(trace.get_current_span(context).get_span_context())
            self._writer.record_measurement(self._stream, recordable(attributes), time_ns(), amount, span)


class Counter(Instrument, metrics.NoOpCounter):
    """A sum that only grows."""

    add = Instrument.measure


class UpDownCounter(Instrument, metrics.NoOpUpDownCounter):
    """A sum."""

    add = Instrument.measure


class Histogram(Instrument, metrics.NoOpHistogram):
    """A histogram with explicit boundaries."""

    record = Instrument.measure


class Gauge(Instrument, metrics._Gauge):
    """A last value."""

    def __init__(self, name: str, unit: str = "", description: str = "") -> None:
        """Takes what the API gives to every instrument."""

    set = Instrument.measure


class Meter(metrics.NoOpMeter):
    """Makes instruments of one instrumentation scope."""

    def __init__(self, writer: Writer, scope: int, name: str, version: str | None, schema_url: str | None) -> None:
        super().__init__(name, version, schema_url)
        self._writer = writer
        self._scope = scope

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """A counter."""
        counter = Counter(name, unit, description)
        self._bind(counter, name, unit, description, _sum(is_monotonic=True))
        return counter

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """A counter that goes both ways."""
        counter = UpDownCounter(name, unit, description)
        self._bind(counter, name, unit, description, _sum(is_monotonic=False))
        return counter

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """A gauge."""
        gauge = Gauge(name, unit, description)
        self._bind(gauge, name, unit, description, {"gauge": {}})
        return gauge

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A histogram."""
        histogram = Histogram(name, unit, description)
        boundaries = explicit_bucket_boundaries_advisory or _DEFAULT_BOUNDARIES
        aggregation = {"aggregation_temporality": "CUMULATIVE", "bucket_boundaries": list(boundaries)}
        self._bind(histogram, name, unit, description, {"histogram": aggregation})
        return histogram

    def _bind(self, instrument: Instrument, name: str, unit: str, description: str, aggregation: Any) -> None:
        instrument.bind(self._writer, self._scope, (name, description, unit), aggregation)


def _sum(*, is_monotonic: bool) -> dict[str, Any]:
    return {"sum": {"aggregation_temporality": "CUMULATIVE", "is_monotonic": is_monotonic}}


class LoggerProvider(_logs.LoggerProvider):
    """Gives out loggers that record."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> _logs.Logger:
        """A logger of the instrumentation scope; one that does nothing if the scope cannot be recorded."""
        try:
            scope = self._scopes.ref(name, version, schema_url, attributes)
        except Exception:
            _log.warning("no logger for %r", name, exc_info=True)
            return _logs.NoOpLogger(name, version, schema_url)
        return Logger(self._scopes.writer, scope, name, version, schema_url)


class Logger(_logs.NoOpLogger):
    """Records log records of one instrumentation scope as events."""

    def __init__(self, writer: Writer, scope: int, name: str, version: str | None, schema_url: str | None) -> None:
        super().__init__(name, version, schema_url)
        self._writer = writer
        self._scope = scope

    @quietly
    def emit(self, record: _logs.LogRecord | None = None, **fields: Any) -> None:
        """Records a log record, or one of these fields."""
        record = _logs.LogRecord(**fields) if record is None else record
        span = trace.get_current_span(record.context).get_span_context()
        observed = record.observed_timestamp or time_ns()
        self._writer.record_event(
            self._scope,
            wire_context(span),
            self._writer.record_string(record.event_name) if record.event_name else None,
            record.timestamp or observed,
            recordable(record.attributes),
            severity_number=record.severity_number.value if record.severity_number else None,
            severity_text=record.severity_text,
            body=record.body,
            observed_time_unix_nano=observed,
        )

    def enabled(self, **_: Any) -> bool:
        """It is."""
        return True


def install(writer: Writer, resource: Mapping[str, Any]) -> None:
    """Makes the writer what the OpenTelemetry API of this process records with."""
    scopes = Scopes(writer, resource)
    trace.set_tracer_provider(TracerProvider(scopes))
    metrics.set_meter_provider(MeterProvider(scopes))
    _logs.set_logger_provider(LoggerProvider(scopes))
