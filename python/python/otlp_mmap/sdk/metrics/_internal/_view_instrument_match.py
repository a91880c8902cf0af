"""The series of one instrument as one view has them, for one metric reader of the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.util.types import Attributes

from .aggregation import Aggregation, DefaultAggregation, _Aggregation, _SumAggregation
from .measurement import Measurement
from .point import AggregationTemporality, DataPointT
from .view import View

_DEFAULT_CARDINALITY_LIMIT = 2000
_OVERFLOW_ATTRIBUTES = {"otel.metric.overflow": True}


def _hash_attributes(value: Any) -> tuple[Any, ...]:
    """A key for clean attributes. It tells apart what Python takes for equal, as True, 1 and 1.0."""
    if isinstance(value, Mapping):
        entries = sorted(value.items(), key=lambda entry: str(entry[0]))
        return ("mapping", tuple((key, _hash_attributes(element)) for key, element in entries))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return ("sequence", tuple(_hash_attributes(element) for element in value))
    return (type(value).__name__, value)


_OVERFLOW_KEY = _hash_attributes(_OVERFLOW_ATTRIBUTES)


class _ViewInstrumentMatch:
    """One metric stream.

    Args:
        view: that selects the instrument.
        instrument: whose measurements these are.
        instrument_class_aggregation: of the reader, where the view has the `DefaultAggregation`.
        cardinality_limit: most series, without the overflow series.
        reset_on_collect: a collection ends all series; the next measurement begins new ones.
    """

    def __init__(
        self,
        view: View,
        instrument: Any,
        instrument_class_aggregation: Mapping[type, Aggregation],
        cardinality_limit: int = _DEFAULT_CARDINALITY_LIMIT,
        reset_on_collect: bool = False,
    ) -> None:
        self._view = view
        self._instrument = instrument
        self._cardinality_limit = cardinality_limit
        self._reset_on_collect = reset_on_collect
        self._name = view._name or instrument.name
        self._description = view._description or instrument.description
        self._creates = view._aggregation
        if isinstance(self._creates, DefaultAggregation):
            self._creates = instrument_class_aggregation[instrument.__class__]
        # Serves for its class alone, and finds wrong arguments before the first measurement.
        self._aggregation = self._create(None, 0)
        self._lock = Lock()
        self._attributes_aggregation: dict[Any, _Aggregation] = {}
        self._last_collection: int | None = None

    def _create(self, attributes: Attributes, start_time_unix_nano: int) -> _Aggregation:
        factory = self._view._exemplar_reservoir_factory
        return self._creates._create_aggregation(self._instrument, attributes, factory, start_time_unix_nano)

    def conflicts(self, other: _ViewInstrumentMatch) -> bool:
        """Whether the metrics of two streams cannot be told apart."""
        if (self._name, self._instrument.unit) != (other._name, other._instrument.unit):
            return False
        own, others = self._aggregation, other._aggregation
        if isinstance(own, _SumAggregation) and isinstance(others, _SumAggregation):
            return (own._instrument_is_monotonic, own._instrument_aggregation_temporality) == (
                others._instrument_is_monotonic,
                others._instrument_aggregation_temporality,
            )
        return own.__class__ is others.__class__

    def consume_measurement(self, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
        """Takes a measurement into its series."""
        attributes = dict(measurement.attributes or {})
        if self._view._attribute_keys is not None:
            attributes = {key: value for key, value in attributes.items() if key in self._view._attribute_keys}
        key = _hash_attributes(attributes)
        if self._reset_on_collect:
            # Otherwise a collection could end the series before it has the measurement.
            with self._lock:
                self._series(key, attributes).aggregate(measurement, should_sample_exemplar)
            return
        series = self._attributes_aggregation.get(key)
        if series is None:
            with self._lock:
                series = self._series(key, attributes)
        series.aggregate(measurement, should_sample_exemplar)

    def _series(self, key: Any, attributes: Attributes) -> _Aggregation:
        """The series, made if it is new, or the overflow series. Called under the lock."""
        if key not in self._attributes_aggregation:
            if len(self._attributes_aggregation) >= self._cardinality_limit:
                key, attributes = _OVERFLOW_KEY, dict(_OVERFLOW_ATTRIBUTES)
            if key not in self._attributes_aggregation:
                self._attributes_aggregation[key] = self._create(attributes, self._last_collection or time_ns())
        return self._attributes_aggregation[key]

    def collect(
        self, collection_aggregation_temporality: AggregationTemporality, collection_start_nanos: int
    ) -> Sequence[DataPointT] | None:
        """The points of the series that have one; None: there are none."""
        with self._lock:
            every = list(self._attributes_aggregation.values())
            if self._reset_on_collect and collection_aggregation_temporality is AggregationTemporality.DELTA:
                self._attributes_aggregation = {}
                self._last_collection = collection_start_nanos
            points = [series.collect(collection_aggregation_temporality, collection_start_nanos) for series in every]
        return [point for point in points if point is not None] or None
