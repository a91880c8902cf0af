"""Telemetry of tests: what the code under test recorded, as objects.

`Telemetry` has providers of its own, which are the global ones of OpenTelemetry while its `with` block runs. They
record into a temporary file, as they do in an application, and keep the finished spans, the metrics and the log
records in memory. Their objects have the fields of the official SDK's.

    import logging

    from opentelemetry import metrics, trace
    from otlp_mmap.testing import Telemetry

    tracer = trace.get_tracer("shop")
    orders = metrics.get_meter("shop").create_counter("orders")

    def order(tea):
        with tracer.start_as_current_span("order", attributes={"tea": tea}):
            logging.getLogger("shop").warning("no %s left", tea)
            orders.add(1, {"tea": tea})

    def test_an_order():
        with Telemetry(log_level=logging.INFO) as telemetry:
            order("green")
        span = telemetry.span("order")
        assert span.attributes == {"tea": "green"}
        assert telemetry.logs[0].log_record.body == "no green left"
        assert telemetry.logs[0].log_record.span_id == span.context.span_id
        (point,) = telemetry.metric("orders").data.data_points
        assert (point.value, point.attributes) == (1, {"tea": "green"})

With pytest, a fixture gives each test a `Telemetry` of its own:

    @pytest.fixture
    def telemetry():
        with Telemetry() as telemetry:
            yield telemetry
"""

from __future__ import annotations

import gc
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import trace as trace_api
from opentelemetry._logs import _internal as logs_api
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_api
from typing_extensions import Self

from . import Reader, Writer
from .sdk._logs import LoggerProvider, LoggingHandler, ReadableLogRecord
from .sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from .sdk._recording import Recording
from .sdk.metrics import MeterProvider
from .sdk.metrics.export import InMemoryMetricReader, Metric, MetricsData
from .sdk.metrics.view import View
from .sdk.resources import Resource
from .sdk.trace import ReadableSpan, TracerProvider
from .sdk.trace.export import SimpleSpanProcessor
from .sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from .sdk.trace.sampling import ALWAYS_ON, Sampler

__all__ = ["Telemetry"]

_Item = TypeVar("_Item")


class Telemetry:
    """Providers for tests, and what they recorded. Works once, as a context manager.

    While the `with` block runs, its providers are the global ones, also for tracers, loggers and instruments that
    modules got from the API when there was none. Behind the block, what was recorded can still be looked at, and the
    global providers are those from before. Blocks may lie within one another, but not in several threads at once.

    Args:
        resource: of the telemetry, by default `Resource.create({})`.
        sampler: of spans, by default all are recorded.
        views: of metrics.
        log_level: the standard library's `logging` is recorded from this level on; by default not at all.
    """

    def __init__(
        self,
        *,
        resource: Resource | None = None,
        sampler: Sampler = ALWAYS_ON,
        views: Sequence[View] = (),
        log_level: int | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="otlp-mmap-")
        self._writer = Writer(Path(self._directory.name) / "test.otlpmm")
        recording = Recording(self._writer)
        resource = Resource.create({}) if resource is None else resource
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self._reader = InMemoryMetricReader()
        self._last_metrics: MetricsData | None = None
        self._is_over = False
        self.tracer_provider = TracerProvider(sampler, resource, shutdown_on_exit=False, recording=recording)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider(
            [self._reader], resource, shutdown_on_exit=False, views=views, recording=recording
        )
        self.logger_provider = LoggerProvider(resource, shutdown_on_exit=False, recording=recording)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self._log_level = log_level
        self._handler = LoggingHandler(log_level or logging.NOTSET, self.logger_provider)

    def __enter__(self) -> Self:
        self._before = _get_globals()
        _set_globals((self.tracer_provider, self.meter_provider, self.logger_provider))
        if self._log_level is not None:
            root = logging.getLogger()
            self._root_level = root.level
            root.setLevel(min(root.level, self._log_level))
            root.addHandler(self._handler)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._log_level is not None:
            logging.getLogger().removeHandler(self._handler)
            logging.getLogger().setLevel(self._root_level)
        _set_globals(self._before)
        self._last_metrics = self._reader.get_metrics_data()
        self._is_over = True
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()
        self.logger_provider.shutdown()
        self._file = Reader(self._writer.path)
        self._writer.close()
        self._directory.cleanup()

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended, in the order of their ends."""
        return self._spans.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """The one span of a name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        return _only("span", name, [(span.name, span) for span in self.spans])

    @property
    def logs(self) -> tuple[ReadableLogRecord, ...]:
        """The log records, in the order in which they were emitted."""
        return self._logs.get_finished_logs()

    @property
    def metrics_data(self) -> MetricsData | None:
        """The metrics, by resource and instrumentation scope; None: there are none."""
        return self._last_metrics if self._is_over else self._reader.get_metrics_data()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, of whatever instrumentation scope. Sums and histograms are totals from the beginning."""
        data = self.metrics_data
        of_resources = data.resource_metrics if data else []
        return tuple(metric for one in of_resources for scope in one.scope_metrics for metric in scope.metrics)

    def metric(self, name: str) -> Metric:
        """The one metric of a name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        return _only("metric", name, [(metric.name, metric) for metric in self.metrics])

    @property
    def reader(self) -> Reader:
        """A reader of the file."""
        return self._file if self._is_over else Reader(self._writer.path)

    def clear(self) -> None:
        """Forgets the finished spans and the log records. The file and the metrics keep what they have."""
        self._spans.clear()
        self._logs.clear()


def _only(what: str, name: str, found: Sequence[tuple[str, _Item]]) -> _Item:
    matching = [item for found_name, item in found if found_name == name]
    if len(matching) != 1:
        names = ", ".join(repr(found_name) for found_name, _ in found) or "none"
        raise AssertionError(f"{len(matching)} {what}s are called {name!r}; there are: {names}")
    return matching[0]


_Globals = tuple[Any, Any, Any]


def _get_globals() -> _Globals:
    return trace_api._TRACER_PROVIDER, metrics_api._METER_PROVIDER, logs_api._LOGGER_PROVIDER


def _set_globals(providers: _Globals) -> None:
    """Sets the global providers, which the API itself does only once."""
    api: Any
    for api, name, provider in (
        (trace_api, "_TRACER_PROVIDER", providers[0]),
        (metrics_api, "_METER_PROVIDER", providers[1]),
        (logs_api, "_LOGGER_PROVIDER", providers[2]),
    ):
        setattr(api, name, provider)
        getattr(api, f"{name}_SET_ONCE")._done = provider is not None
    _set_meters(providers[1])
    # What modules got from the API before there was a provider; it remembers its provider from its first use on.
    for proxy in gc.get_objects():
        if type(proxy) is trace_api.ProxyTracer:
            proxy._real_tracer = None
        elif type(proxy) is logs_api.ProxyLogger:
            proxy._real_logger = None


def _set_meters(provider: Any) -> None:
    """The same for meters and instruments, which the API itself tells of their provider."""
    proxies = metrics_api._PROXY_METER_PROVIDER
    proxies.on_set_meter_provider(NoOpMeterProvider() if provider is None else provider)
    if provider is None:
        proxies._real_meter_provider = None
        for meter in proxies._meters:
            meter._real_meter = None
