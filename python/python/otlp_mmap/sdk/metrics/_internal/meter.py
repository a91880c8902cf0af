"""Meters: makers of instruments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import getLogger
from threading import Lock
from typing import Any, TypeVar, cast

from opentelemetry import metrics as api
from opentelemetry.metrics import CallbackT

from ...util.instrumentation import InstrumentationScope
from ._file import FileStreams
from .instrument import (
    _Asynchronous,
    _Counter,
    _Gauge,
    _Histogram,
    _Instrument,
    _ObservableCounter,
    _ObservableGauge,
    _ObservableUpDownCounter,
    _UpDownCounter,
)
from .measurement_consumer import MeasurementConsumer
from .meter_config import _MeterConfig, _ProxyMeterConfig

_logger = getLogger(__name__.rpartition(".")[0])

_InstrumentT = TypeVar("_InstrumentT", bound=_Instrument)


class Meter(api.Meter):
    """Makes instruments. Made by `MeterProvider.get_meter`; safe to share between threads.

    A name that is used again gives the same instrument, if everything else is the same; if not, a second one, and a
    warning.

    Args:
        instrumentation_scope: of the meter.
        measurement_consumer: gets what metric readers of the process are to see.
    """

    def __init__(
        self,
        instrumentation_scope: InstrumentationScope,
        measurement_consumer: MeasurementConsumer,
        *,
        _meter_config: _MeterConfig | None = None,
        _streams: FileStreams | None = None,
        _observed: Callable[[], None] | None = None,
    ) -> None:
        scope = instrumentation_scope
        super().__init__(name=scope.name, version=scope.version, schema_url=scope.schema_url)
        self._instrumentation_scope = instrumentation_scope
        self._measurement_consumer = measurement_consumer
        self._meter_config = _ProxyMeterConfig(_meter_config or _MeterConfig.default())
        self._streams = _streams
        self._observed = _observed
        self._instrument_id_instrument: dict[str, Any] = {}
        self._instrument_registration_lock = Lock()

    def _is_enabled(self) -> bool:
        return self._meter_config.is_enabled

    def _set_meter_config(self, meter_config: _MeterConfig) -> None:
        self._meter_config.update(meter_config)

    def _after_fork(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._instrument_registration_lock = Lock()

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """An instrument that counts what only ever grows."""
        return self._create(_Counter, name, unit, description)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        """An instrument that counts what grows and shrinks."""
        return self._create(_UpDownCounter, name, unit, description)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> api._Gauge:
        """An instrument that keeps the last value."""
        return self._create(_Gauge, name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """An instrument of values whose distribution matters.

        Args:
            name: of the instrument.
            unit: of the values.
            description: for people.
            explicit_bucket_boundaries_advisory: boundaries of the buckets, unless a view has others.
        """
        advisory = explicit_bucket_boundaries_advisory
        if advisory is not None and not _are_numbers(advisory):
            _logger.warning("explicit_bucket_boundaries_advisory must be a sequence of numbers")
            advisory = None
        return self._create(_Histogram, name, unit, description, advisory)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        """An instrument whose callbacks observe a sum that only ever grows."""
        return self._create_observable(_ObservableCounter, name, callbacks, unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        """An instrument whose callbacks observe a sum that grows and shrinks."""
        return self._create_observable(_ObservableUpDownCounter, name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        """An instrument whose callbacks observe a value."""
        return self._create_observable(_ObservableGauge, name, callbacks, unit, description)

    def _create(
        self, kind: type[_InstrumentT], name: str, unit: str, description: str, advisory: Sequence[float] | None = None
    ) -> _InstrumentT:
        arguments = (unit, description) if advisory is None else (unit, description, advisory)
        return self._registered(kind, name, unit, description, advisory, arguments)

    def _create_observable(
        self, kind: type[_InstrumentT], name: str, callbacks: Sequence[CallbackT] | None, unit: str, description: str
    ) -> _InstrumentT:
        return self._registered(kind, name, unit, description, None, (callbacks, unit, description))

    def _registered(
        self,
        kind: type[_InstrumentT],
        name: str,
        unit: str,
        description: str,
        advisory: Sequence[float] | None,
        arguments: tuple[Any, ...],
    ) -> _InstrumentT:
        """The instrument that is registered already, or a new one."""
        with self._instrument_registration_lock:
            given = () if advisory is None else (advisory,)
            status = self._register_instrument(name, kind, unit, description, *given)
            # One whose arguments were refused is registered too, but was never made.
            is_new = status.instrument_id not in self._instrument_id_instrument
            if is_new:
                made = self._made(kind, name, arguments)
                self._warn_of_others(made)
                self._instrument_id_instrument[status.instrument_id] = made
                is_recorded = self._streams is not None and self._streams.define(made)
            instrument: _InstrumentT = self._instrument_id_instrument[status.instrument_id]
        if is_new and isinstance(instrument, _Asynchronous):
            self._measurement_consumer.register_asynchronous_instrument(instrument)
            if is_recorded and self._observed is not None:
                self._observed()
        if status.conflict:
            public = kind.__mro__[1].__name__
            self._log_instrument_registration_conflict(name, public, unit, description, status)
        return instrument

    def _made(self, kind: type[_InstrumentT], name: str, arguments: tuple[Any, ...]) -> _InstrumentT:
        make = cast("Callable[..., _InstrumentT]", kind)
        scope, consumer = self._instrumentation_scope, self._measurement_consumer
        return make(name, scope, consumer, *arguments, _meter_config=self._meter_config)

    def _warn_of_others(self, made: _Instrument) -> None:
        """Logs that an instrument has the name of another one. Both are measured, as metrics of one name."""
        others = self._instrument_id_instrument.values()
        if any(other.name == made.name for other in others):
            message = "An instrument with name %s has been created already with another type, unit or description"
            _logger.warning(message, made.name)


def _are_numbers(advisory: object) -> bool:
    if not isinstance(advisory, Sequence):
        return False
    return all(isinstance(boundary, (float, int)) for boundary in advisory)
