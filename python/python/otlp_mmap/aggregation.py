"""How the measurements of a metric stream are aggregated.

Each class stands for the dictionary that `Writer.create_metric_stream` takes as well: `Sum("DELTA", True)` for
`{"sum": {"aggregation_temporality": "DELTA", "is_monotonic": True}}`. The `Reader` returns these classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, TypeAlias


class Temporality(IntEnum):
    """OTLP's `AggregationTemporality`: what an exporter is to report. The file itself holds cumulative values."""

    DELTA = 1
    CUMULATIVE = 2


TemporalityLike: TypeAlias = Temporality | Literal["DELTA", "CUMULATIVE"] | int
"""A temporality, its name, or its OTLP number."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The last value."""

    def as_dict(self) -> dict[str, dict[str, object]]:
        """The dictionary that stands for it."""
        return {"gauge": {}}


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of all values; `is_monotonic`: no value is negative."""

    aggregation_temporality: TemporalityLike
    is_monotonic: bool

    def as_dict(self) -> dict[str, dict[str, object]]:
        """The dictionary that stands for it."""
        return {
            "sum": {
                "aggregation_temporality": self.aggregation_temporality,
                "is_monotonic": self.is_monotonic,
            }
        }


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of the buckets `(-inf, b0], (b0, b1], ..., (bn, +inf)`; the boundaries ascend."""

    aggregation_temporality: TemporalityLike
    bucket_boundaries: Sequence[float]

    def as_dict(self) -> dict[str, dict[str, object]]:
        """The dictionary that stands for it."""
        boundaries: object = self.bucket_boundaries
        return {
            "histogram": {
                "aggregation_temporality": self.aggregation_temporality,
                # What has no elements is for the writer to refuse: it names the field.
                "bucket_boundaries": list(boundaries) if isinstance(boundaries, Iterable) else boundaries,
            }
        }


@dataclass(frozen=True, slots=True)
class ExponentialHistogram:
    """A base-2 exponential histogram with at most `max_buckets` of each sign and a scale of at most `max_scale`."""

    aggregation_temporality: TemporalityLike
    max_buckets: int = 160
    max_scale: int = 20

    def as_dict(self) -> dict[str, dict[str, object]]:
        """The dictionary that stands for it."""
        return {
            "exp_histogram": {
                "aggregation_temporality": self.aggregation_temporality,
                "max_buckets": self.max_buckets,
                "max_scale": self.max_scale,
            }
        }


Aggregation: TypeAlias = Gauge | Sum | Histogram | ExponentialHistogram
