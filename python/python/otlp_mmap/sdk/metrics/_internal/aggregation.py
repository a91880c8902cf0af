"""How measurements become points: the aggregations of views, and what they do for metric readers of the process.

The aggregations (`SumAggregation`, ...) are configuration. What they create (`_SumAggregation`, ...) holds one series
of one metric reader, in memory; the series of the file are aggregated in the file, see `_file`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from logging import getLogger
from threading import Lock
from typing import Any

from opentelemetry.metrics import Asynchronous, Synchronous
from opentelemetry.util.types import Attributes

from . import instrument as _instrument
from ._buckets import Buckets as _Counts
from ._buckets import index_at_scale, scale_change
from .exemplar import Exemplar, ExemplarReservoirBuilder
from .measurement import Measurement
from .point import (
    AggregationTemporality,
    Buckets,
    DataPointT,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
)

_logger = getLogger(__name__)

_DELTA = AggregationTemporality.DELTA

_DEFAULT_EXPLICIT_BUCKET_HISTOGRAM_AGGREGATION_BOUNDARIES: Sequence[float] = (
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0,
)  # fmt: skip

MIN_MAX_SIZE = 2
MAX_MAX_SIZE = 16384

_ReservoirFactory = Callable[[type["_Aggregation"]], ExemplarReservoirBuilder]


class _Aggregation(ABC):
    """One series of one metric reader.

    Args:
        attributes: of the series.
        reservoir_builder: makes its exemplar reservoir.
    """

    def __init__(self, attributes: Attributes, reservoir_builder: ExemplarReservoirBuilder) -> None:
        self._attributes = attributes
        self._reservoir = reservoir_builder()
        self._lock = Lock()

    def aggregate(self, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
        """Takes a measurement."""
        with self._lock:
            self._add(measurement.value)
        if should_sample_exemplar:
            self._reservoir.offer(
                measurement.value, measurement.time_unix_nano, measurement.attributes, measurement.context
            )

    def collect(
        self, collection_aggregation_temporality: AggregationTemporality, collection_start_nano: int
    ) -> DataPointT | None:
        """The point of the series, at the time given; None: there is none."""
        with self._lock:
            return self._point(collection_aggregation_temporality, collection_start_nano)

    @abstractmethod
    def _add(self, value: float) -> None: ...

    @abstractmethod
    def _point(self, temporality: AggregationTemporality, now: int) -> DataPointT | None: ...

    def _exemplars(self) -> Sequence[Exemplar]:
        return self._reservoir.collect(self._attributes)


class _DropAggregation(_Aggregation):
    """Of measurements that a view drops."""

    def aggregate(self, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
        """Does nothing."""

    def _add(self, value: float) -> None: ...

    def _point(self, temporality: AggregationTemporality, now: int) -> None: ...


class _Periodic(_Aggregation):
    """A series whose points say since when they count.

    What a synchronous instrument measures is added up: cumulative points keep it, delta points begin anew.
    What an asynchronous one observes is a total already: only what the last collection observed makes a point, and
    delta points are differences of these.
    """

    def __init__(
        self,
        attributes: Attributes,
        reservoir_builder: ExemplarReservoirBuilder,
        instrument_aggregation_temporality: AggregationTemporality,
        start_time_unix_nano: int,
    ) -> None:
        super().__init__(attributes, reservoir_builder)
        self._observes_totals = instrument_aggregation_temporality is not _DELTA
        self._start_time_unix_nano = start_time_unix_nano
        self._is_empty = True
        self._reset()

    @abstractmethod
    def _reset(self) -> None:
        """Begins anew."""

    def _period(self, temporality: AggregationTemporality, now: int) -> int:
        """The start of the point that is made now; a delta point is the start of the next."""
        start = self._start_time_unix_nano
        if temporality is _DELTA:
            self._start_time_unix_nano = now
        return start

    def _begin_anew(self, temporality: AggregationTemporality) -> None:
        if temporality is _DELTA or self._observes_totals:
            self._is_empty = True
            self._reset()


class _SumAggregation(_Periodic):
    """A sum."""

    def __init__(
        self,
        attributes: Attributes,
        instrument_is_monotonic: bool,
        instrument_aggregation_temporality: AggregationTemporality,
        start_time_unix_nano: int,
        reservoir_builder: ExemplarReservoirBuilder,
    ) -> None:
        super().__init__(attributes, reservoir_builder, instrument_aggregation_temporality, start_time_unix_nano)
        self._instrument_is_monotonic = instrument_is_monotonic
        self._instrument_aggregation_temporality = instrument_aggregation_temporality
        self._last_total: int | float = 0

    def _reset(self) -> None:
        self._value: int | float = 0

    def _add(self, value: float) -> None:
        self._is_empty = False
        self._value += value

    def _point(self, temporality: AggregationTemporality, now: int) -> NumberDataPoint | None:
        if self._is_empty:
            if not self._observes_totals:
                self._period(temporality, now)
            return None
        value = self._value
        if self._observes_totals and temporality is _DELTA:
            value, self._last_total = value - self._last_total, value
        start = self._period(temporality, now)
        self._begin_anew(temporality)
        return NumberDataPoint(self._attributes, start, now, value, self._exemplars())


class _LastValueAggregation(_Aggregation):
    """A last value."""

    def __init__(
        self, attributes: Attributes, reservoir_builder: ExemplarReservoirBuilder, instrument_is_synchronous: bool
    ) -> None:
        super().__init__(attributes, reservoir_builder)
        self._instrument_is_synchronous = instrument_is_synchronous
        self._value: int | float | None = None

    def _add(self, value: float) -> None:
        self._value = value

    def _point(self, temporality: AggregationTemporality, now: int) -> NumberDataPoint | None:
        value = self._value
        if value is None:
            return None
        if temporality is _DELTA or not self._instrument_is_synchronous:
            self._value = None
        return NumberDataPoint(self._attributes, None, now, value, self._exemplars())


class _HistogramAggregation(_Periodic):
    """What both kinds of histogram have."""

    _record_min_max = True

    def _reset(self) -> None:
        self._sum: int | float = 0
        self._min = math.inf
        self._max = -math.inf

    def _add(self, value: float) -> None:
        self._is_empty = False
        self._sum += value
        if self._record_min_max:
            self._min = min(self._min, value)
            self._max = max(self._max, value)

    def _point(self, temporality: AggregationTemporality, now: int) -> DataPointT | None:
        if self._is_empty:
            self._period(temporality, now)
            return None
        point = self._histogram(self._period(temporality, now), now)
        self._begin_anew(temporality)
        return point

    @abstractmethod
    def _histogram(self, start: int, now: int) -> DataPointT: ...


class _ExplicitBucketHistogramAggregation(_HistogramAggregation):
    """A histogram with explicit boundaries."""

    def __init__(
        self,
        attributes: Attributes,
        instrument_aggregation_temporality: AggregationTemporality,
        start_time_unix_nano: int,
        reservoir_builder: ExemplarReservoirBuilder,
        boundaries: Sequence[float] | None = None,
        record_min_max: bool = True,
    ) -> None:
        self._boundaries = tuple(check_boundaries(boundaries))
        self._record_min_max = record_min_max
        builder = partial(reservoir_builder, boundaries=self._boundaries)
        super().__init__(attributes, builder, instrument_aggregation_temporality, start_time_unix_nano)

    def _reset(self) -> None:
        super()._reset()
        self._value = [0] * (len(self._boundaries) + 1)

    def _add(self, value: float) -> None:
        super()._add(value)
        self._value[bisect_left(self._boundaries, value)] += 1

    def _histogram(self, start: int, now: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            self._attributes, start, now, sum(self._value), self._sum, tuple(self._value), self._boundaries,
            self._min, self._max, self._exemplars(),
        )  # fmt: skip


def check_boundaries(boundaries: Sequence[float] | None) -> Sequence[float]:
    """The boundaries, by default those of the specification.

    Raises:
        ValueError: one is not finite, or they do not increase.
    """
    if boundaries is None:
        return _DEFAULT_EXPLICIT_BUCKET_HISTOGRAM_AGGREGATION_BOUNDARIES
    for index, boundary in enumerate(boundaries):
        if not math.isfinite(boundary):
            raise ValueError(f"invalid boundary: {boundary!r}")
        if index and boundaries[index - 1] >= boundary:
            raise ValueError("boundaries must be strictly increasing")
    return boundaries


class _ExponentialBucketHistogramAggregation(_HistogramAggregation):
    """A base-2 exponential histogram."""

    def __init__(
        self,
        attributes: Attributes,
        reservoir_builder: ExemplarReservoirBuilder,
        instrument_aggregation_temporality: AggregationTemporality,
        start_time_unix_nano: int,
        max_size: int = 160,
        max_scale: int = 20,
        record_min_max: bool = True,
    ) -> None:
        check_max_size(max_size)
        if max_scale > 20:
            _logger.warning("max_scale is %s, larger than the recommended value of 20", max_scale)
        self._max_size = max_size
        self._max_scale = max_scale
        self._record_min_max = record_min_max
        builder = partial(reservoir_builder, size=min(20, max_size))
        super().__init__(attributes, builder, instrument_aggregation_temporality, start_time_unix_nano)

    def _reset(self) -> None:
        super()._reset()
        self._zero_count = 0
        self._scale = self._max_scale
        self._positive = _Counts(self._max_size)
        self._negative = _Counts(self._max_size)

    def _add(self, value: float) -> None:
        super()._add(value)
        if value == 0:
            self._zero_count += 1
            return
        buckets = self._positive if value > 0 else self._negative
        index = index_at_scale(abs(value), self._scale)
        change = scale_change(*buckets.range_with(index), self._max_size)
        if change:
            self._scale -= change
            self._positive.downscale(change)
            self._negative.downscale(change)
            index >>= change
        buckets.increment(index)

    def _histogram(self, start: int, now: int) -> ExponentialHistogramDataPoint:
        count = self._zero_count + self._positive.total + self._negative.total
        scale = 0 if count == self._zero_count else self._scale
        positive = Buckets(self._positive.first, self._positive.counts())
        negative = Buckets(self._negative.first, self._negative.counts())
        return ExponentialHistogramDataPoint(
            self._attributes, start, now, count, self._sum, scale, self._zero_count, positive, negative, 0,
            self._min, self._max, self._exemplars(),
        )  # fmt: skip


def check_max_size(max_size: int) -> None:
    """Checks how many buckets of each sign an exponential histogram may have.

    Raises:
        ValueError: too few, or too many.
    """
    if max_size < MIN_MAX_SIZE:
        raise ValueError(f"Buckets max size {max_size} is smaller than minimum max size {MIN_MAX_SIZE}")
    if max_size > MAX_MAX_SIZE:
        raise ValueError(f"Buckets max size {max_size} is larger than maximum max size {MAX_MAX_SIZE}")


class Aggregation(ABC):
    """How a view aggregates."""

    @abstractmethod
    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        """A series of a metric reader that is aggregated like this."""


def _is_monotonic(instrument: object) -> bool:
    return isinstance(instrument, (_instrument.Counter, _instrument.ObservableCounter))


def _measured(instrument: object) -> AggregationTemporality:
    """What the measurements of an instrument are: parts of a sum, or totals."""
    if isinstance(instrument, Synchronous):
        return AggregationTemporality.DELTA
    if isinstance(instrument, Asynchronous):
        return AggregationTemporality.CUMULATIVE
    return AggregationTemporality.UNSPECIFIED


class DefaultAggregation(Aggregation):
    """The aggregation that the instrument asks for.

    Counters of all kinds: `SumAggregation`; histograms: `ExplicitBucketHistogramAggregation`; gauges:
    `LastValueAggregation`.
    """

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        aggregation = default_for(instrument)
        return aggregation._create_aggregation(instrument, attributes, reservoir_factory, start_time_unix_nano)


def default_for(instrument: object) -> Aggregation:
    """The aggregation that an instrument asks for."""
    sums = (
        _instrument.Counter,
        _instrument.UpDownCounter,
        _instrument.ObservableCounter,
        _instrument.ObservableUpDownCounter,
    )
    if isinstance(instrument, sums):
        return SumAggregation()
    if isinstance(instrument, _instrument.Histogram):
        return ExplicitBucketHistogramAggregation()
    if isinstance(instrument, (_instrument.Gauge, _instrument.ObservableGauge)):
        return LastValueAggregation()
    raise Exception(f"Invalid instrument type {type(instrument)} found")


class SumAggregation(Aggregation):
    """The sum of the measurements."""

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        builder = reservoir_factory(_SumAggregation)
        monotonic = _is_monotonic(instrument)
        return _SumAggregation(attributes, monotonic, _measured(instrument), start_time_unix_nano, builder)


class LastValueAggregation(Aggregation):
    """The last measurement, and its time."""

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        builder = reservoir_factory(_LastValueAggregation)
        return _LastValueAggregation(attributes, builder, isinstance(instrument, Synchronous))


class ExplicitBucketHistogramAggregation(Aggregation):
    """Counts of the measurements between boundaries, their sum, minimum and maximum.

    Args:
        boundaries: in increasing order; by default those the instrument advises, or those of the specification.
        record_min_max: whether metric readers get minimum and maximum; the file has them always.
    """

    def __init__(self, boundaries: Sequence[float] | None = None, record_min_max: bool = True) -> None:
        self._boundaries = boundaries
        self._record_min_max = record_min_max

    def boundaries_for(self, instrument: object) -> Sequence[float]:
        """The boundaries, those that the instrument advises, or those of the specification.

        Raises:
            ValueError: one is not finite, or they do not increase.
        """
        advised = getattr(getattr(instrument, "_advisory", None), "explicit_bucket_boundaries", None)
        return check_boundaries(advised if self._boundaries is None else self._boundaries)

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        return _ExplicitBucketHistogramAggregation(
            attributes,
            _measured(instrument),
            start_time_unix_nano,
            reservoir_factory(_ExplicitBucketHistogramAggregation),
            self.boundaries_for(instrument),
            self._record_min_max,
        )


class ExponentialBucketHistogramAggregation(Aggregation):
    """Counts of the measurements in exponential buckets, their sum, minimum and maximum.

    Args:
        max_size: most buckets of each sign, without that of zero.
        max_scale: highest scale.
        record_min_max: whether metric readers get minimum and maximum; the file has them always.
    """

    def __init__(self, max_size: int = 160, max_scale: int = 20, record_min_max: bool = True) -> None:
        self._max_size = max_size
        self._max_scale = max_scale
        self._record_min_max = record_min_max

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        return _ExponentialBucketHistogramAggregation(
            attributes,
            reservoir_factory(_ExponentialBucketHistogramAggregation),
            _measured(instrument),
            start_time_unix_nano,
            self._max_size,
            self._max_scale,
            self._record_min_max,
        )


class DropAggregation(Aggregation):
    """No metric: measurements are ignored."""

    def _create_aggregation(
        self,
        instrument: Any,
        attributes: Attributes,
        reservoir_factory: _ReservoirFactory,
        start_time_unix_nano: int,
    ) -> _Aggregation:
        return _DropAggregation(attributes, reservoir_factory(_DropAggregation))
