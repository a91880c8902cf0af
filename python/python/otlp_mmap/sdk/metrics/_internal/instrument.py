"""The instruments: native hot methods, and what is cold about them.

`add`, `record` and `set` are native. They record into the file; what they measure goes to `_offer` too, if a metric
reader of the process is registered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from logging import getLogger
from time import time_ns
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import metrics as api
from opentelemetry.context import Context, get_current
from opentelemetry.metrics import CallbackOptions, CallbackT
from opentelemetry.metrics._internal.instrument import _MetricsHistogramAdvisory
from opentelemetry.util.types import Attributes
from typing_extensions import Self

from ...._native import Counter as NativeCounter
from ...._native import Gauge as NativeGauge
from ...._native import Histogram as NativeHistogram
from ...._native import Instrument as NativeInstrument
from ...._native import Switch
from ...._native import UpDownCounter as NativeUpDownCounter
from .measurement import Measurement

if TYPE_CHECKING:
    from ...util.instrumentation import InstrumentationScope
    from .measurement_consumer import MeasurementConsumer
    from .meter_config import _ProxyMeterConfig

_logger = getLogger(__name__)


class _Instrument:
    """What every instrument has.

    Args:
        name: as the API allows it; upper and lower case are the same.
        instrumentation_scope: of the meter.
        measurement_consumer: gets what metric readers of the process are to see.
        unit: of the measurements.
        description: for people.
    """

    name: str
    unit: str
    description: str
    instrumentation_scope: InstrumentationScope

    def _begin(
        self,
        name: str,
        instrumentation_scope: InstrumentationScope,
        measurement_consumer: MeasurementConsumer,
        unit: str,
        description: str,
        meter_config: _ProxyMeterConfig | None,
    ) -> None:
        checked = api.Instrument._check_name_unit_description(name, unit, description)
        if checked["name"] is None:
            raise Exception(f"Expected ASCII string of maximum length 255 characters but got {name}")
        if checked["unit"] is None:
            raise Exception(f"Expected ASCII string of maximum length 63 characters but got {unit}")
        self.name = checked["name"].lower()
        self.unit = checked["unit"]
        self.description = cast("str", checked["description"])
        self.instrumentation_scope = instrumentation_scope
        self._measurement_consumer = measurement_consumer
        self._meter_config = meter_config
        offered = getattr(measurement_consumer, "_has_readers", None)
        # Anything but the SDK's own consumer gets every measurement.
        native = cast("NativeInstrument", self)
        native._connect(
            None if meter_config is None else meter_config._switch, offered if isinstance(offered, Switch) else None
        )

    def _is_enabled(self) -> bool:
        return self._meter_config is None or self._meter_config.is_enabled


class _Synchronous(_Instrument):
    """An instrument that its user calls."""

    def __init__(
        self,
        name: str,
        instrumentation_scope: InstrumentationScope,
        measurement_consumer: MeasurementConsumer,
        unit: str = "",
        description: str = "",
        *,
        _meter_config: _ProxyMeterConfig | None = None,
    ) -> None:
        self._begin(name, instrumentation_scope, measurement_consumer, unit, description, _meter_config)

    def _offer(self, amount: float, attributes: Attributes, context: Context | None) -> None:
        """Called by the native methods if a metric reader of the process is to see the measurement."""
        context = get_current() if context is None else context
        self._measurement_consumer.consume_measurement(Measurement(amount, time_ns(), self, context, attributes))


class _Asynchronous(_Instrument, NativeInstrument):
    """An instrument that calls its user."""

    def __init__(
        self,
        name: str,
        instrumentation_scope: InstrumentationScope,
        measurement_consumer: MeasurementConsumer,
        callbacks: Sequence[CallbackT] | None = None,
        unit: str = "",
        description: str = "",
        *,
        _meter_config: _ProxyMeterConfig | None = None,
    ) -> None:
        self._begin(name, instrumentation_scope, measurement_consumer, unit, description, _meter_config)
        self._callbacks = [_as_function(callback) for callback in callbacks or ()]

    def callback(self, callback_options: CallbackOptions) -> Iterable[Measurement]:
        """Calls the callbacks. What one raises is logged, and the others are called all the same."""
        if not self._is_enabled():
            return
        for callback in self._callbacks:
            try:
                for observation in callback(callback_options):
                    if math.isfinite(observation.value):
                        context = get_current() if observation.context is None else observation.context
                        yield Measurement(observation.value, time_ns(), self, context, observation.attributes)
                    else:
                        message = "A callback of instrument %s observed %s, which is not finite: it was left out"
                        _logger.warning(message, self.name, observation.value)
            except Exception:  # noqa: PERF203 - the others go on
                _logger.exception("Callback failed for instrument %s.", self.name)

    def _record(self, measurements: Sequence[Measurement]) -> None:
        """Records what the callbacks observed into the file."""
        observations: list[tuple[float, object, object]] = [
            (found.value, found.attributes, found.context) for found in measurements
        ]
        self._record_observations(observations, measurements[-1].time_unix_nano if measurements else 0)


def _as_function(callback: CallbackT) -> Callable[[CallbackOptions], Iterable[Any]]:
    """A callback as a function. A generator is advanced to its first `yield`, which gets the options."""
    if not isinstance(callback, Generator):
        return callback
    next(callback)

    def send(options: CallbackOptions) -> Iterable[Any]:
        try:
            return callback.send(options)
        except StopIteration:
            return []

    return send


def _refuse_direct_use(cls: type, public: type) -> None:
    if cls is public:
        raise TypeError(f"{cls.__name__} must be instantiated via a meter.")


class Counter(NativeCounter, _Synchronous, api.Counter):
    """Counts what only ever grows. Made by `Meter.create_counter`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, Counter)
        return super().__new__(cls)


class UpDownCounter(NativeUpDownCounter, _Synchronous, api.UpDownCounter):
    """Counts what grows and shrinks. Made by `Meter.create_up_down_counter`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, UpDownCounter)
        return super().__new__(cls)


class Histogram(NativeHistogram, _Synchronous, api.Histogram):
    """Records values whose distribution matters. Made by `Meter.create_histogram`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, Histogram)
        return super().__new__(cls)

    def __init__(
        self,
        name: str,
        instrumentation_scope: InstrumentationScope,
        measurement_consumer: MeasurementConsumer,
        unit: str = "",
        description: str = "",
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
        *,
        _meter_config: _ProxyMeterConfig | None = None,
    ) -> None:
        self._begin(name, instrumentation_scope, measurement_consumer, unit, description, _meter_config)
        self._advisory = _MetricsHistogramAdvisory(explicit_bucket_boundaries=explicit_bucket_boundaries_advisory)


class Gauge(NativeGauge, _Synchronous, api._Gauge):
    """Keeps the last value. Made by `Meter.create_gauge`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, Gauge)
        return super().__new__(cls)


class ObservableCounter(_Asynchronous, api.ObservableCounter):
    """Observes a sum that only ever grows. Made by `Meter.create_observable_counter`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, ObservableCounter)
        return super().__new__(cls)


class ObservableUpDownCounter(_Asynchronous, api.ObservableUpDownCounter):
    """Observes a sum that grows and shrinks. Made by `Meter.create_observable_up_down_counter`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, ObservableUpDownCounter)
        return super().__new__(cls)


class ObservableGauge(_Asynchronous, api.ObservableGauge):
    """Observes a value. Made by `Meter.create_observable_gauge`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses direct use."""
        _refuse_direct_use(cls, ObservableGauge)
        return super().__new__(cls)


# What meters make.
class _Counter(Counter):
    pass


class _UpDownCounter(UpDownCounter):
    pass


class _Histogram(Histogram):
    pass


class _Gauge(Gauge):
    pass


class _ObservableCounter(ObservableCounter):
    pass


class _ObservableUpDownCounter(ObservableUpDownCounter):
    pass


class _ObservableGauge(ObservableGauge):
    pass


INSTRUMENT_CLASSES: dict[type, type] = {
    Counter: _Counter,
    UpDownCounter: _UpDownCounter,
    Histogram: _Histogram,
    Gauge: _Gauge,
    ObservableCounter: _ObservableCounter,
    ObservableUpDownCounter: _ObservableUpDownCounter,
    ObservableGauge: _ObservableGauge,
}
"""The class that meters make, by the public one."""
