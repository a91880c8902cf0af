"""Metric readers and exporters of the process: a way of metrics beside the file."""

from __future__ import annotations

import math
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from logging import getLogger
from os import linesep
from sys import stdout
from threading import Event, Lock, RLock, Thread
from time import perf_counter, time_ns
from typing import IO, Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.metrics import MeterProvider
from typing_extensions import final

from ....environment_variables import OTEL_METRIC_EXPORT_TIMEOUT
from .._observer import environment_millis
from .._observer import export_interval_millis as default_interval_millis
from .._view_instrument_match import _DEFAULT_CARDINALITY_LIMIT
from ..aggregation import Aggregation, DefaultAggregation
from ..exceptions import MetricsTimeoutError
from ..instrument import (
    INSTRUMENT_CLASSES,
    Counter,
    Gauge,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from ..point import AggregationTemporality, MetricsData
from ..view import is_limit
from ._collections import Collections

_logger = getLogger(__name__)

InstrumentCardinalityKey = (
    type[Counter]
    | type[UpDownCounter]
    | type[Histogram]
    | type[Gauge]
    | type[ObservableCounter]
    | type[ObservableUpDownCounter]
    | type[ObservableGauge]
)

CardinalityLimits = dict[InstrumentCardinalityKey, int]


class MetricExportResult(Enum):
    """What became of an export."""

    SUCCESS = 0
    FAILURE = 1


class MetricExporter(ABC):
    """Sends metrics somewhere.

    Args:
        preferred_temporality: for the metric reader, see `MetricReader`.
        preferred_aggregation: for the metric reader, see `MetricReader`.
    """

    def __init__(
        self,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
    ) -> None:
        self._preferred_temporality = preferred_temporality
        self._preferred_aggregation = preferred_aggregation

    @abstractmethod
    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Sends metrics. Never called by two threads at once."""

    @abstractmethod
    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Sends what it has kept back."""

    @abstractmethod
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Ends; called once."""


def _as_json(metrics_data: MetricsData) -> str:
    return metrics_data.to_json() + linesep


class ConsoleMetricExporter(MetricExporter):
    """Prints metrics, for a look at them.

    Args:
        out: where to.
        formatter: makes text of metrics; by default JSON.
        preferred_temporality: see `MetricReader`.
        preferred_aggregation: see `MetricReader`.
    """

    def __init__(
        self,
        out: IO[str] = stdout,
        formatter: Callable[[MetricsData], str] = _as_json,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation)
        self.out = out
        self.formatter = formatter

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Prints."""
        self.out.write(self.formatter(metrics_data))
        self.out.flush()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Has nothing to do."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Has nothing to do."""


class MetricReader(ABC):
    """Collects metrics. Each reader has series of its own, beside those of the file.

    Args:
        preferred_temporality: of instrument classes; cumulative for those that are missing.
        preferred_aggregation: of instrument classes, where a view has the `DefaultAggregation`.
        cardinality_limits: most series of a stream, without its overflow series, by instrument class; 2,000 for
            those that are missing. A view's own limit goes first.
        otel_component_type: what the reader calls itself in metrics about it; by default its class.
    """

    def __init__(
        self,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
        cardinality_limits: CardinalityLimits | None = None,
        *,
        otel_component_type: object = None,
    ) -> None:
        for temporality in (preferred_temporality or {}).values():
            if temporality not in (AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA):
                raise Exception(f"Invalid temporality value found {temporality}")
        for limited, limit in (cardinality_limits or {}).items():
            if limited not in INSTRUMENT_CLASSES:
                raise ValueError(f"Invalid instrument class found {limited}")
            if not is_limit(limit):
                raise ValueError(f"Cardinality limit for {limited} must be a positive integer, got {limit!r}")
        self._preferred_temporality = preferred_temporality
        self._instrument_class_temporality = _by_class(preferred_temporality, AggregationTemporality.CUMULATIVE)
        self._instrument_class_aggregation = _by_class(preferred_aggregation, DefaultAggregation())
        self._instrument_class_cardinality_limit = _by_class(cardinality_limits, _DEFAULT_CARDINALITY_LIMIT)
        self._collect: Callable[..., MetricsData | None] | None = None
        self._component_type = str(
            getattr(otel_component_type, "value", otel_component_type) or type(self).__qualname__
        )
        self._collections = Collections(self._component_type)

    @final
    def collect(self, timeout_millis: float = 10_000) -> None:
        """Has the callbacks of asynchronous instruments called, and hands what there is to `_receive_metrics`.

        Raises:
            MetricsTimeoutError: the callbacks took longer.
        """
        if self._collect is None:
            _logger.warning("Cannot call collect on a MetricReader until it is registered on a MeterProvider")
            return
        started = perf_counter()
        try:
            metrics_data = self._collect(self, timeout_millis=timeout_millis)
        finally:
            self._collections.record(perf_counter() - started)
        if metrics_data is not None:
            self._receive_metrics(metrics_data, timeout_millis=timeout_millis)

    @final
    def _set_collect_callback(self, func: Callable[..., MetricsData | None] | None) -> None:
        """Called by the meter provider."""
        self._collect = func

    def _set_meter_provider(self, meter_provider: MeterProvider) -> None:
        """Called by the meter provider, which measures its readers too."""
        self._collections = Collections(self._component_type, meter_provider)

    @abstractmethod
    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        """Gets what `collect` found."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collects."""
        self.collect(timeout_millis=timeout_millis)
        return True

    @abstractmethod
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Ends; called by the meter provider's `shutdown`."""


def _by_class(preferred: Any, default: Any) -> dict[type, Any]:
    """A value for each class that meters make, from those given for public classes."""
    for instrument_class in preferred or {}:
        if instrument_class not in INSTRUMENT_CLASSES:
            raise Exception(f"Invalid instrument class found {instrument_class}")
    return {made: (preferred or {}).get(public, default) for public, made in INSTRUMENT_CLASSES.items()}


class InMemoryMetricReader(MetricReader):
    """Collects when it is asked, for tests.

    Args:
        preferred_temporality: see `MetricReader`.
        preferred_aggregation: see `MetricReader`.
        cardinality_limits: see `MetricReader`.
    """

    def __init__(
        self,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
        cardinality_limits: CardinalityLimits | None = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation, cardinality_limits)
        self._lock = RLock()
        self._metrics_data: MetricsData | None = None

    def get_metrics_data(self) -> MetricsData | None:
        """The metrics now; None: there are none."""
        with self._lock:
            self.collect()
            metrics_data, self._metrics_data = self._metrics_data, None
        return metrics_data

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        with self._lock:
            self._metrics_data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Has nothing to do."""


class PeriodicExportingMetricReader(MetricReader):
    """Collects at an interval, by a thread of its own, and hands metrics to an exporter, one export at a time.

    Args:
        exporter: gets the metrics.
        export_interval_millis: milliseconds between collections, by default `OTEL_METRIC_EXPORT_INTERVAL` or 60,000;
            `math.inf`: only `collect` and `force_flush` do.
        export_timeout_millis: of a collection, by default `OTEL_METRIC_EXPORT_TIMEOUT` or 30,000.
        cardinality_limits: see `MetricReader`.

    Raises:
        ValueError: the interval is not larger than zero.
    """

    def __init__(
        self,
        exporter: MetricExporter,
        export_interval_millis: float | None = None,
        export_timeout_millis: float | None = None,
        cardinality_limits: CardinalityLimits | None = None,
    ) -> None:
        super().__init__(
            exporter._preferred_temporality,
            exporter._preferred_aggregation,
            cardinality_limits,
            otel_component_type="periodic_metric_reader",
        )
        self._exporter = exporter
        if export_interval_millis is None:
            export_interval_millis = default_interval_millis()
        if export_timeout_millis is None:
            export_timeout_millis = environment_millis(OTEL_METRIC_EXPORT_TIMEOUT, 30_000)
        self._export_interval_millis = export_interval_millis
        self._export_timeout_millis = export_timeout_millis
        if self._export_interval_millis <= 0:
            raise ValueError(f"interval value {self._export_interval_millis} is invalid: it must be larger than zero")
        self._export_lock = Lock()
        self._lock = Lock()
        self._shutdown = False
        self._shutdown_event = Event()
        self._daemon_thread: Thread | None = None
        if self._export_interval_millis < math.inf:
            self._start()
            at_fork = weakref.WeakMethod(self._at_fork_reinit)

            def after_in_child() -> None:
                reinit = at_fork()
                if reinit is not None:
                    reinit()

            os.register_at_fork(after_in_child=after_in_child)

    def _start(self) -> None:
        self._daemon_thread = Thread(name="OtelPeriodicExportingMetricReader", target=self._ticker, daemon=True)
        self._daemon_thread.start()

    def _at_fork_reinit(self) -> None:
        """In a forked child: the thread is the parent's alone, and other threads may have held the locks."""
        self._export_lock = Lock()
        self._lock = Lock()
        if not self._shutdown:
            self._shutdown_event = Event()
            self._start()

    def _ticker(self) -> None:
        interval = self._export_interval_millis / 1000
        while not self._shutdown_event.wait(interval):
            self._tick(self._export_timeout_millis, "the next is due in %s seconds", interval)
        # What was measured since.
        self._tick(self._export_interval_millis, "it was the last")

    def _tick(self, timeout_millis: float, then: str, *arguments: object) -> None:
        try:
            self.collect(timeout_millis=timeout_millis)
        except MetricsTimeoutError:
            _logger.warning("A collection of metrics timed out; " + then, *arguments, exc_info=True)
        except Exception:
            _logger.exception("A collection of metrics failed; " + then, *arguments)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            with self._export_lock:
                self._exporter.export(metrics_data, timeout_millis=timeout_millis)
        except Exception:
            _logger.exception("Exception while exporting metrics")
        finally:
            detach(token)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collects, and has the exporter send what it has kept back."""
        super().force_flush(timeout_millis=timeout_millis)
        self._exporter.force_flush(timeout_millis=timeout_millis)
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collects a last time and ends, with the exporter."""
        deadline = time_ns() + timeout_millis * 10**6
        with self._lock:
            was_shut_down, self._shutdown = self._shutdown, True
        if was_shut_down:
            _logger.warning("Can't shutdown multiple times")
            return
        self._shutdown_event.set()
        if self._daemon_thread is not None:
            self._daemon_thread.join(timeout=max(deadline - time_ns(), 0) / 10**9)
        self._exporter.shutdown(timeout_millis=max(deadline - time_ns(), 0) / 10**6)
