"""Where measurements go beside the file: to the metric readers of the process."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from logging import getLogger
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.metrics import CallbackOptions

from ...._native import Switch
from .exceptions import MetricsTimeoutError
from .measurement import Measurement
from .metric_reader_storage import MetricReaderStorage
from .point import MetricsData
from .sdk_configuration import SdkConfiguration

_logger = getLogger(__name__)

_DEFAULT_TIMEOUT_MILLIS = 10_000


class MeasurementConsumer(ABC):
    """Takes measurements and lets metric readers collect them."""

    @abstractmethod
    def consume_measurement(self, measurement: Measurement) -> None:
        """Takes a measurement of a synchronous instrument."""

    @abstractmethod
    def register_asynchronous_instrument(self, instrument: Any) -> None:
        """Has an instrument's callbacks called from now on."""

    @abstractmethod
    def collect(self, metric_reader: Any, timeout_millis: float = _DEFAULT_TIMEOUT_MILLIS) -> MetricsData | None:
        """What a metric reader is to see now."""


class SynchronousMeasurementConsumer(MeasurementConsumer):
    """Hands measurements to every metric reader's storage at once.

    Args:
        sdk_config: of the provider.
        metric_readers: the first ones.
    """

    def __init__(self, sdk_config: SdkConfiguration, metric_readers: Iterable[Any]) -> None:
        self._sdk_config = sdk_config
        # Replaced whole, so that it can be walked without the lock.
        self._reader_storages = {reader: self._storage(reader) for reader in metric_readers}
        self._has_readers = Switch(bool(self._reader_storages))
        self._async_instruments: list[Any] = []
        self._lock = Lock()

    def _storage(self, reader: Any) -> MetricReaderStorage:
        return MetricReaderStorage(
            self._sdk_config,
            reader._instrument_class_temporality,
            reader._instrument_class_aggregation,
            reader._instrument_class_cardinality_limit,
        )

    def _after_fork(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = Lock()

    def consume_measurement(self, measurement: Measurement) -> None:
        """Takes a measurement of a synchronous instrument."""
        is_exemplar = self._is_exemplar(measurement)
        for storage in self._reader_storages.values():
            storage.consume_measurement(measurement, is_exemplar)

    def _is_exemplar(self, measurement: Measurement) -> bool:
        return self._sdk_config.exemplar_filter.should_sample(
            measurement.value, measurement.time_unix_nano, measurement.attributes, measurement.context
        )

    def register_asynchronous_instrument(self, instrument: Any) -> None:
        """Has an instrument's callbacks called from now on."""
        with self._lock:
            self._async_instruments.append(instrument)

    def observe(self) -> None:
        """Calls every callback, and records what they observe into the file."""
        with self._lock:
            for instrument in self._async_instruments:
                self._observe(instrument, CallbackOptions())

    def _observe(self, instrument: Any, options: CallbackOptions, deadline: float = math.inf) -> list[Measurement]:
        measurements = list(instrument.callback(options) or ())
        try:
            instrument._record(measurements)
        except Exception:
            _logger.exception("What instrument %s observed was not recorded", instrument.name)
        if time_ns() >= deadline:
            raise MetricsTimeoutError("Timed out while executing callback")
        return measurements

    def collect(self, metric_reader: Any, timeout_millis: float = _DEFAULT_TIMEOUT_MILLIS) -> MetricsData | None:
        """What a metric reader is to see now. Callbacks are called, and recorded into the file too.

        Raises:
            MetricsTimeoutError: the callbacks took longer.
        """
        with self._lock:
            storage = self._reader_storages[metric_reader]
            deadline = time_ns() + timeout_millis * 1_000_000
            for instrument in self._async_instruments:
                remaining = (deadline - time_ns()) / 1_000_000
                options = CallbackOptions(timeout_millis=min(remaining, _DEFAULT_TIMEOUT_MILLIS))
                for measurement in self._observe(instrument, options, deadline):
                    storage.consume_measurement(measurement, self._is_exemplar(measurement))
            return storage.collect()

    def add_metric_reader(self, metric_reader: Any) -> None:
        """Lets one more metric reader see measurements."""
        with self._lock:
            self._reader_storages = {**self._reader_storages, metric_reader: self._storage(metric_reader)}
            self._has_readers.turn(True)

    def remove_metric_reader(self, metric_reader: Any) -> None:
        """Lets a metric reader see no more."""
        with self._lock:
            storages = dict(self._reader_storages)
            storages.pop(metric_reader)
            self._reader_storages = storages
            self._has_readers.turn(bool(storages))
