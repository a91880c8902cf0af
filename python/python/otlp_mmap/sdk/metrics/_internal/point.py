"""Metrics as readers and exporters get them: the messages of OTLP as data classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from json import dumps, loads
from typing import Any

from opentelemetry.util.types import Attributes

from ...resources import Resource
from ...util.instrumentation import InstrumentationScope
from .exemplar import Exemplar


class AggregationTemporality(IntEnum):
    """What the values of a sum or histogram count from."""

    UNSPECIFIED = 0
    DELTA = 1
    """The last collection."""
    CUMULATIVE = 2
    """The start."""


class _Message:
    """Something with a form in JSON."""

    def to_json(self, indent: int | None = 4) -> str:
        """As a JSON object."""
        return dumps(self._to_dict(), indent=indent)

    def _to_dict(self) -> dict[str, Any]:
        raise NotImplementedError


class _Point(_Message):
    def _to_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class NumberDataPoint(_Point):
    """The value of one series of a sum or gauge."""

    attributes: Attributes
    start_time_unix_nano: int | None
    time_unix_nano: int
    value: int | float
    exemplars: Sequence[Exemplar] = field(default_factory=list)


@dataclass(frozen=True)
class HistogramDataPoint(_Point):
    """One series of a histogram with explicit boundaries."""

    attributes: Attributes
    start_time_unix_nano: int
    time_unix_nano: int
    count: int
    sum: int | float
    bucket_counts: Sequence[int]
    explicit_bounds: Sequence[float]
    min: float
    max: float
    exemplars: Sequence[Exemplar] = field(default_factory=list)


@dataclass(frozen=True)
class Buckets(_Point):
    """Counts of an exponential histogram, the first that of the bucket `offset`."""

    offset: int
    bucket_counts: Sequence[int]


@dataclass(frozen=True)
class ExponentialHistogramDataPoint(_Point):
    """One series of an exponential histogram."""

    attributes: Attributes
    start_time_unix_nano: int
    time_unix_nano: int
    count: int
    sum: int | float
    scale: int
    zero_count: int
    positive: Buckets
    negative: Buckets
    flags: int
    min: float
    max: float
    exemplars: Sequence[Exemplar] = field(default_factory=list)


@dataclass(frozen=True)
class Sum(_Message):
    """A metric that is added up."""

    data_points: Sequence[NumberDataPoint]
    aggregation_temporality: AggregationTemporality
    is_monotonic: bool

    def _to_dict(self) -> dict[str, Any]:
        return {
            "data_points": _all(self.data_points),
            "aggregation_temporality": self.aggregation_temporality,
            "is_monotonic": self.is_monotonic,
        }


@dataclass(frozen=True)
class Gauge(_Message):
    """A metric of which the last value counts."""

    data_points: Sequence[NumberDataPoint]

    def _to_dict(self) -> dict[str, Any]:
        return {"data_points": _all(self.data_points)}


@dataclass(frozen=True)
class Histogram(_Message):
    """A distribution over explicit buckets."""

    data_points: Sequence[HistogramDataPoint]
    aggregation_temporality: AggregationTemporality

    def _to_dict(self) -> dict[str, Any]:
        points = _all(self.data_points)
        return {"data_points": points, "aggregation_temporality": self.aggregation_temporality}


@dataclass(frozen=True)
class ExponentialHistogram(_Message):
    """A distribution over exponential buckets."""

    data_points: Sequence[ExponentialHistogramDataPoint]
    aggregation_temporality: AggregationTemporality

    def _to_dict(self) -> dict[str, Any]:
        points = _all(self.data_points)
        return {"data_points": points, "aggregation_temporality": self.aggregation_temporality}


DataT = Sum | Gauge | Histogram | ExponentialHistogram
DataPointT = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint


@dataclass(frozen=True)
class Metric(_Message):
    """A metric with its points."""

    name: str
    description: str | None
    unit: str | None
    data: DataT

    def _to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description or "",
            "unit": self.unit or "",
            "data": loads(self.data.to_json()),
        }


@dataclass(frozen=True)
class ScopeMetrics(_Message):
    """The metrics of an instrumentation scope."""

    scope: InstrumentationScope
    metrics: Sequence[Metric]
    schema_url: str

    def _to_dict(self) -> dict[str, Any]:
        return {
            "scope": loads(self.scope.to_json()),
            "metrics": _all(self.metrics),
            "schema_url": self.schema_url,
        }


@dataclass(frozen=True)
class ResourceMetrics(_Message):
    """The metrics of a resource."""

    resource: Resource
    scope_metrics: Sequence[ScopeMetrics]
    schema_url: str

    def _to_dict(self) -> dict[str, Any]:
        return {
            "resource": loads(self.resource.to_json()),
            "scope_metrics": _all(self.scope_metrics),
            "schema_url": self.schema_url,
        }


@dataclass(frozen=True)
class MetricsData(_Message):
    """What one collection found."""

    resource_metrics: Sequence[ResourceMetrics]

    def _to_dict(self) -> dict[str, Any]:
        return {"resource_metrics": _all(self.resource_metrics)}


def _all(messages: Sequence[_Message]) -> list[Any]:
    """Through the methods of the messages, which may be foreign or overridden."""
    return [loads(message.to_json()) for message in messages]
