"""Views: which instruments become which metric streams."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from opentelemetry.metrics import Instrument

from .aggregation import Aggregation, DefaultAggregation, _Aggregation, _ExplicitBucketHistogramAggregation
from .exemplar import (
    AlignedHistogramBucketExemplarReservoir,
    ExemplarReservoirBuilder,
    SimpleFixedSizeExemplarReservoir,
)


def _default_reservoir_factory(aggregation_type: type[_Aggregation]) -> ExemplarReservoirBuilder:
    """The reservoir that the specification has for an aggregation."""
    if issubclass(aggregation_type, _ExplicitBucketHistogramAggregation):
        return AlignedHistogramBucketExemplarReservoir
    return SimpleFixedSizeExemplarReservoir


class View:
    """Selects instruments and says what metric stream becomes of them.

    Instruments that no view selects become the stream of a `DefaultAggregation`; one that several select becomes
    several streams.

    Args:
        instrument_type: selects instruments of this class.
        instrument_name: selects instruments of this name; `*` and `?` stand for any characters or character, but
            not together with `name`.
        meter_name: selects instruments of meters of this name.
        meter_version: selects instruments of meters of this version.
        meter_schema_url: selects instruments of meters of this schema URL.
        name: of the stream; by default the instrument's.
        description: of the stream; by default the instrument's.
        attribute_keys: the attributes that tell series apart; by default all. Exemplars keep the others.
        aggregation: of the stream, by default the `DefaultAggregation`.
        exemplar_reservoir_factory: makes the reservoirs of metric readers. The file keeps every measurement that
            the provider's exemplar filter lets pass.
        instrument_unit: selects instruments of this unit; `*` and `?` as in names.
        aggregation_cardinality_limit: most series of the stream, without the overflow series; by default the metric
            reader's. In the file the recording's own limit holds as well.
    """

    _default_aggregation = DefaultAggregation()

    def __init__(
        self,
        instrument_type: type[Instrument] | None = None,
        instrument_name: str | None = None,
        meter_name: str | None = None,
        meter_version: str | None = None,
        meter_schema_url: str | None = None,
        name: str | None = None,
        description: str | None = None,
        attribute_keys: set[str] | None = None,
        aggregation: Aggregation | None = None,
        exemplar_reservoir_factory: Callable[[type[_Aggregation]], ExemplarReservoirBuilder] | None = None,
        instrument_unit: str | None = None,
        aggregation_cardinality_limit: int | None = None,
    ) -> None:
        if aggregation_cardinality_limit is not None and not is_limit(aggregation_cardinality_limit):
            raise ValueError(
                f"aggregation_cardinality_limit must be a positive integer, got {aggregation_cardinality_limit!r}"
            )
        criteria = (instrument_type, instrument_name, instrument_unit, meter_name, meter_version, meter_schema_url)
        if all(criterion is None for criterion in criteria):
            raise Exception(f"Some instrument selection criteria must be provided for View {name}")
        if name is not None and instrument_name is not None and any(wild in instrument_name for wild in "*?"):
            raise Exception(f"View {name} declared with wildcard characters in instrument_name")
        self._instrument_type = instrument_type
        self._instrument_name = instrument_name
        self._instrument_unit = instrument_unit
        self._meter_name = meter_name
        self._meter_version = meter_version
        self._meter_schema_url = meter_schema_url
        self._name = name
        self._description = description
        self._attribute_keys = attribute_keys
        self._aggregation = aggregation or self._default_aggregation
        self._exemplar_reservoir_factory = exemplar_reservoir_factory or _default_reservoir_factory
        self._aggregation_cardinality_limit = aggregation_cardinality_limit

    def _match(self, instrument: Any) -> bool:
        """Whether the view selects an instrument."""
        if self._instrument_type is not None and not isinstance(instrument, self._instrument_type):
            return False
        # Names of instruments are in lower case.
        if self._instrument_name is not None and not fnmatchcase(instrument.name, self._instrument_name.lower()):
            return False
        if self._instrument_unit is not None and not fnmatchcase(instrument.unit, self._instrument_unit):
            return False
        scope = instrument.instrumentation_scope
        return (
            self._meter_name in (None, scope.name)
            and self._meter_version in (None, scope.version)
            and self._meter_schema_url in (None, scope.schema_url)
        )


def is_limit(value: object) -> bool:
    """Whether this can be a cardinality limit."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
