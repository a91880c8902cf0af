"""The meter provider, and what meters and metric readers share."""

from __future__ import annotations

import os
import weakref
from atexit import register, unregister
from collections.abc import Callable, Sequence
from logging import getLogger
from os import environ
from threading import Lock
from time import time_ns
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry import metrics as api
from opentelemetry.metrics import NoOpMeter
from opentelemetry.util.types import Attributes

from ..._recording import Recording
from ..._shared_internal import is_sdk_disabled
from ...environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from ...resources import Resource, _get_process_dependent_resource
from ...util.instrumentation import InstrumentationScope
from ._file import FileStreams
from ._observer import Observer
from .exceptions import MetricsTimeoutError
from .exemplar import AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, ExemplarFilter, TraceBasedExemplarFilter
from .instrument import (
    _Counter,
    _Gauge,
    _Histogram,
    _ObservableCounter,
    _ObservableGauge,
    _ObservableUpDownCounter,
    _UpDownCounter,
)
from .measurement_consumer import SynchronousMeasurementConsumer
from .meter import Meter
from .meter_config import (
    _default_meter_configurator,
    _disable_meter_configurator,
    _MeterConfig,
    _MeterConfiguratorT,
    _ProxyMeterConfig,
    _RuleBasedMeterConfigurator,
)
from .sdk_configuration import SdkConfiguration

if TYPE_CHECKING:
    from .export import MetricReader
    from .view import View

__all__ = [
    "Meter",
    "MeterProvider",
    "SynchronousMeasurementConsumer",
    "_Counter",
    "_Gauge",
    "_Histogram",
    "_MeterConfig",
    "_ObservableCounter",
    "_ObservableGauge",
    "_ObservableUpDownCounter",
    "_ProxyMeterConfig",
    "_RuleBasedMeterConfigurator",
    "_UpDownCounter",
    "_default_meter_configurator",
    "_disable_meter_configurator",
]

_logger = getLogger(__name__)

_EXEMPLAR_FILTERS: dict[str, type[ExemplarFilter]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def _get_exemplar_filter(exemplar_filter: str) -> ExemplarFilter:
    if exemplar_filter not in _EXEMPLAR_FILTERS:
        raise ValueError(f"Unknown exemplar filter '{exemplar_filter}'.")
    return _EXEMPLAR_FILTERS[exemplar_filter]()


class MeterProvider(api.MeterProvider):
    """Gives out meters, whose measurements go into the recording.

    Asynchronous instruments are observed into the recording every `OTEL_METRIC_EXPORT_INTERVAL` milliseconds, by a
    thread that the first of them starts, and at `force_flush` and `shutdown`. Metric readers are a second way beside
    the recording, paid for only if there is one; each has series of its own.

    Args:
        metric_readers: see what is measured, in this process.
        resource: whose metrics these are; by default `Resource.create({})`.
        exemplar_filter: which measurements become exemplars; by default as `OTEL_METRICS_EXEMPLAR_FILTER` says.
        shutdown_on_exit: whether the provider shuts down when the interpreter ends.
        views: which instruments become which metric streams.
        recording: to record into; by default that of the process.
    """

    _all_metric_readers_lock = Lock()
    _all_metric_readers: ClassVar[weakref.WeakSet[MetricReader]] = weakref.WeakSet()

    def __init__(
        self,
        metric_readers: Sequence[MetricReader] = (),
        resource: Resource | None = None,
        exemplar_filter: ExemplarFilter | None = None,
        shutdown_on_exit: bool = True,
        views: Sequence[View] = (),
        *,
        recording: Recording | None = None,
        _meter_configurator: _MeterConfiguratorT | None = None,
    ) -> None:
        self._lock = Lock()
        self._meter_lock = Lock()
        self._sdk_config = SdkConfiguration(
            exemplar_filter or _get_exemplar_filter(environ.get(OTEL_METRICS_EXEMPLAR_FILTER, "trace_based")),
            Resource.create({}) if resource is None else resource,
            views,
        )
        self._metric_readers: Sequence[MetricReader] = metric_readers
        self._measurement_consumer = SynchronousMeasurementConsumer(
            sdk_config=self._sdk_config, metric_readers=metric_readers
        )
        self._streams = FileStreams(self._sdk_config, recording)
        self._observer = Observer(self._measurement_consumer.observe)
        self._disabled = is_sdk_disabled()
        self._meters: dict[InstrumentationScope, Meter] = {}
        self._meter_configurator = _meter_configurator or _default_meter_configurator
        self._shutdown = False
        self._atexit_handler: Callable[..., None] | None = register(self.shutdown) if shutdown_on_exit else None
        for metric_reader in metric_readers:
            self._register(metric_reader)
        self._after_fork_in_child()

    def _register(self, metric_reader: MetricReader) -> None:
        with self._all_metric_readers_lock:
            if metric_reader in self._all_metric_readers:
                raise Exception(
                    f"MetricReader {metric_reader} has been registered already in other MeterProvider instance"
                )
            self._all_metric_readers.add(metric_reader)
        metric_reader._set_collect_callback(self._measurement_consumer.collect)
        metric_reader._set_meter_provider(self)

    def _after_fork_in_child(self) -> None:
        """Has a forked child call `_handle_fork`, as long as the provider lives."""
        handle_fork = weakref.WeakMethod(self._handle_fork)

        def after_in_child() -> None:
            handle = handle_fork()
            if handle is not None:
                handle()

        os.register_at_fork(after_in_child=after_in_child)

    def _handle_fork(self) -> None:
        """In a forked child, whose only thread this is: locks that others held are held for ever."""
        self._lock = Lock()
        self._meter_lock = Lock()
        type(self)._all_metric_readers_lock = Lock()
        self._measurement_consumer._after_fork()
        for meter in self._meters.values():
            meter._after_fork()
        self._update_resource(_get_process_dependent_resource())
        self._observer.after_fork()

    def _update_resource(self, resource: Resource) -> None:
        with self._meter_lock:
            self._sdk_config.resource = self._sdk_config.resource.merge(resource)

    def _set_meter_configurator(self, *, meter_configurator: _MeterConfiguratorT) -> None:
        """Takes another configurator, for the meters that there are and those to come."""
        with self._meter_lock:
            self._meter_configurator = meter_configurator
            for scope, meter in self._meters.items():
                meter._set_meter_config(self._apply_meter_configurator(scope))

    def _apply_meter_configurator(self, instrumentation_scope: InstrumentationScope) -> _MeterConfig:
        try:
            return self._meter_configurator(instrumentation_scope)
        except Exception:
            message = "The meter configurator failed for scope '%s', which gets the default configuration"
            _logger.exception(message, instrumentation_scope.name)
            return _MeterConfig.default()

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> api.Meter:
        """The meter of an instrumentation scope, the same one for the same scope.

        Args:
            name: of the scope; without one, nothing is measured.
            version: of the scope.
            schema_url: of the scope.
            attributes: of the scope.
        """
        if self._disabled:
            return NoOpMeter(name, version=version, schema_url=schema_url)
        if self._shutdown:
            _logger.warning("A shutdown `MeterProvider` can not provide a `Meter`")
            return NoOpMeter(name, version=version, schema_url=schema_url)
        if not name:
            _logger.warning("Meter name cannot be None or empty.")
            return NoOpMeter(name, version=version, schema_url=schema_url)
        scope = InstrumentationScope(name, version, schema_url, attributes)
        with self._meter_lock:
            if scope not in self._meters:
                self._meters[scope] = Meter(
                    scope,
                    self._measurement_consumer,
                    _meter_config=self._apply_meter_configurator(scope),
                    _streams=self._streams,
                    _observed=self._observer.start,
                )
            return self._meters[scope]

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Observes asynchronous instruments and has every metric reader flush.

        Raises:
            Exception: a metric reader failed, or had no time left.
        """
        self._observer.observe_once()
        self._each_reader("force_flush", "collect", timeout_millis, MetricsTimeoutError)
        return True

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Observes asynchronous instruments a last time, and shuts down every metric reader.

        Raises:
            Exception: a metric reader failed, or had no time left.
        """
        with self._lock:
            was_shut_down, self._shutdown = self._shutdown, True
        if was_shut_down:
            _logger.warning("shutdown can only be called once")
            return
        if self._atexit_handler is not None:
            unregister(self._atexit_handler)
            self._atexit_handler = None
        started = time_ns()
        self._observer.stop(min(timeout_millis, _LAST_OBSERVATION_MILLIS))
        self._each_reader("shutdown", "shutdown", timeout_millis - (time_ns() - started) / 10**6, Exception)

    def _each_reader(self, method: str, what: str, timeout_millis: float, timeout_error: type[Exception]) -> None:
        deadline = time_ns() + timeout_millis * 10**6
        errors: list[tuple[Any, Exception]] = []
        for metric_reader in self._metric_readers:
            now = time_ns()
            try:
                if now >= deadline:
                    raise timeout_error(f"no time was left for {method}")
                getattr(metric_reader, method)(timeout_millis=(deadline - now) / 10**6)
            except Exception as error:
                errors.append((metric_reader, error))
        if errors:
            failed = "\n".join(f"{metric_reader.__class__.__name__}: {error!r}" for metric_reader, error in errors)
            raise Exception(
                f"MeterProvider.{method} failed because the following metric readers failed during {what}:\n{failed}"
            )

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Lets one more metric reader see what is measured from now on."""
        with self._all_metric_readers_lock:
            if metric_reader in self._all_metric_readers:
                _logger.warning("MetricReader '%s' has been registered already!", metric_reader)
                return
            self._measurement_consumer.add_metric_reader(metric_reader)
            metric_reader._set_collect_callback(self._measurement_consumer.collect)
            self._all_metric_readers.add(metric_reader)
            self._metric_readers = [*self._metric_readers, metric_reader]

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Shuts down a metric reader, which sees nothing any more."""
        with self._all_metric_readers_lock:
            if metric_reader not in self._all_metric_readers:
                _logger.warning("MetricReader '%s' has not been registered!", metric_reader)
                return
            self._measurement_consumer.remove_metric_reader(metric_reader)
            metric_reader._set_collect_callback(None)
            metric_reader.shutdown()
            self._all_metric_readers.remove(metric_reader)
            self._metric_readers = [reader for reader in self._metric_readers if reader is not metric_reader]


_LAST_OBSERVATION_MILLIS = 5_000
