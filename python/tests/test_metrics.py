"""Metric streams of every aggregation, their series, exemplars and limits."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from typing import Any

import pytest

from otlp_mmap import ExponentialHistogram, Gauge, Histogram, Reader, Sum, Temporality, Writer
from otlp_mmap.model import Exemplar, ExponentialHistogramPoint, HistogramPoint, Metric, MetricStream, NumberPoint

from .conftest import Recording
from .telemetry import EPOCH, RESOURCE, SCOPE, define_scope

AGGREGATIONS: list[tuple[Any, Any]] = [
    ({"gauge": {}}, Gauge()),
    ({"sum": {"aggregation_temporality": "DELTA", "is_monotonic": True}}, Sum(Temporality.DELTA, is_monotonic=True)),
    ({"sum": {"aggregation_temporality": 2, "is_monotonic": False}}, Sum("CUMULATIVE", is_monotonic=False)),
    (
        {"histogram": {"aggregation_temporality": "CUMULATIVE", "bucket_boundaries": [0, 5, 10.5]}},
        Histogram(Temporality.CUMULATIVE, (0.0, 5.0, 10.5)),
    ),
    ({"histogram": {"aggregation_temporality": 1, "bucket_boundaries": ()}}, Histogram("DELTA", [])),
    (
        {"exp_histogram": {"aggregation_temporality": Temporality.DELTA, "max_buckets": 20, "max_scale": 3}},
        ExponentialHistogram(1, 20, 3),
    ),
]


def define(recording: Recording, aggregation: Any, name: str = "metric") -> int:
    """Defines a metric stream."""
    return recording.writer.create_metric_stream(recording.scope, name, "what it is", "{thing}", aggregation)


def only(recording: Recording) -> Metric:
    """The only series there is."""
    (metric,) = recording.reader.metrics()
    return metric


@pytest.mark.parametrize(("as_dict", "as_class"), AGGREGATIONS)
def test_aggregations_as_dictionaries_and_as_classes(recording: Recording, as_dict: Any, as_class: Any) -> None:
    for number, aggregation in enumerate((as_dict, as_class)):
        metric = define(recording, aggregation, f"metric {number}")
        recording.writer.record_measurement(metric, {}, EPOCH, 1)
    first, second = sorted(recording.reader.metrics(), key=lambda metric: metric.stream.name)
    assert first.stream.aggregation == second.stream.aggregation
    assert first.stream == MetricStream(SCOPE, "metric 0", "what it is", "{thing}", first.stream.aggregation)
    found = first.stream.aggregation.as_dict()
    ((kind, fields),) = as_dict.items()
    if "aggregation_temporality" in fields:
        temporality = fields["aggregation_temporality"]
        fields = {
            **fields,
            "aggregation_temporality": Temporality[temporality] if isinstance(temporality, str) else temporality,
        }
    if "bucket_boundaries" in fields:
        fields = {**fields, "bucket_boundaries": list(fields["bucket_boundaries"])}
    assert found == {kind: fields}


def test_gauge(recording: Recording) -> None:
    metric = define(recording, Gauge())
    for value in (1, 2.5, -7):
        recording.writer.record_measurement(metric, {"a": 1}, EPOCH + 5, value)
        assert only(recording).point == NumberPoint(value)
        assert repr(only(recording).point) == repr(NumberPoint(value))
    assert only(recording).time_unix_nano == EPOCH + 5


@pytest.mark.parametrize(
    ("values", "total"),
    [([1, 2, 3], 6), ([1.5, 2], 3.5), ([2**62, 2**61], 2**62 + 2**61), ([-5, 3], -2), ([0], 0), ([0.0], 0.0)],
)
def test_sum(recording: Recording, values: list[float], total: float) -> None:
    before = time.time_ns()
    metric = define(recording, Sum("CUMULATIVE", is_monotonic=False))
    for value in values:
        recording.writer.record_measurement(metric, {}, EPOCH, value)
    found = only(recording)
    assert found.point == NumberPoint(total)
    assert repr(found.point) == repr(NumberPoint(total))
    assert found.time_unix_nano == EPOCH
    assert found.attributes == {}
    assert not found.overflow
    assert min(before, EPOCH) <= found.start_time_unix_nano <= time.time_ns()


def test_histogram(recording: Recording) -> None:
    metric = define(recording, Histogram("DELTA", [0, 10, 100]))
    values = [-1, 0, 0.5, 10, 10.1, 100, 1e9]
    for value in values:
        recording.writer.record_measurement(metric, {}, EPOCH, value)
    assert only(recording).point == HistogramPoint(len(values), math.fsum(values), -1, 1e9, (2, 2, 2, 1))


@pytest.mark.parametrize("seed", range(5))
def test_exponential_histogram(recording: Recording, seed: int) -> None:
    rng = random.Random(seed)
    metric = define(recording, ExponentialHistogram("CUMULATIVE", 160, 20))
    values = [rng.choice([1, -1]) * rng.lognormvariate(0, rng.choice([0.1, 1, 5])) for _ in range(300)] + [0, 0.0, 4]
    for value in values:
        recording.writer.record_measurement(metric, {}, EPOCH, value)
    point = only(recording).point
    assert isinstance(point, ExponentialHistogramPoint)
    assert (point.count, point.zero_count) == (len(values), 2)
    assert point.sum == pytest.approx(sum(values))
    assert (point.min, point.max) == (min(values), max(values))
    for sign, buckets in ((1, point.positive), (-1, point.negative)):
        assert len(buckets.counts) <= 160
        expected = sorted(sign * value for value in values if sign * value > 0)
        assert sum(buckets.counts) == len(expected)
        at = 0
        for index, count in enumerate(buckets.counts, buckets.offset):
            low, high = (2.0 ** (bound * 2.0**-point.scale) for bound in (index, index + 1))
            for value in expected[at : at + count]:
                assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
            at += count


def test_series_by_attributes_in_any_order(recording: Recording) -> None:
    metric = define(recording, Sum("CUMULATIVE", is_monotonic=True))
    recording.writer.record_measurement(metric, {"a": 1, "b": [1, 2]}, EPOCH, 1)
    recording.writer.record_measurement(metric, {"b": (1, 2), "a": 1}, EPOCH, 10)
    recording.writer.record_measurement(metric, {"a": 1.0, "b": [1, 2]}, EPOCH, 100)
    recording.writer.record_measurement(metric, {"a": "1", "b": [1, 2]}, EPOCH, 1000)
    recording.writer.record_measurement(metric, None, EPOCH, 10000)
    found = {
        repr(list(series.attributes.items())): series.point.value
        for series in recording.reader.metrics()
        if isinstance(series.point, NumberPoint)
    }
    assert found == {
        "[('a', 1), ('b', [1, 2])]": 11,
        "[('a', 1.0), ('b', [1, 2])]": 100,
        "[('a', '1'), ('b', [1, 2])]": 1000,
        "[]": 10000,
    }


def test_exemplars_of_sampled_spans(recording: Recording) -> None:
    metric = define(recording, Histogram("CUMULATIVE", [1, 2]))
    sampled, other = b"t" * 16, b"o" * 16
    recording.writer.record_measurement(metric, {"a": 1}, EPOCH, 1.5)
    recording.writer.record_measurement(
        metric, {"a": 1}, EPOCH + 1, 1.5, {"trace_id": other, "span_id": b"s" * 8, "flags": 0}
    )
    recording.writer.record_measurement(
        metric, {"a": 1}, EPOCH + 2, 2.5, {"trace_id": sampled, "span_id": b"s" * 8, "flags": 1}
    )
    series = only(recording)
    assert series.exemplars == (Exemplar(EPOCH + 2, 2.5, sampled, b"s" * 8, {}),)
    assert isinstance(series.point, HistogramPoint)
    assert series.point.count == 3


def test_cardinality_limit(path: Path) -> None:
    with Writer(path, cardinality_limit=10) as writer:
        scope = define_scope(writer, RESOURCE, SCOPE)
        metric = writer.create_metric_stream(scope, "metric", "", "", Sum("DELTA", is_monotonic=True))
        for number in range(30):
            writer.record_measurement(metric, {"number": number}, EPOCH, 1)
        losses = writer.losses()
    metrics = Reader(path).metrics()
    (overflow,) = [metric for metric in metrics if metric.overflow]
    assert len(metrics) == 10
    assert overflow.attributes == {"otel.metric.overflow": True}
    assert overflow.point == NumberPoint(21)
    assert losses["measurements"]["cardinality_overflow"] == 21


def test_a_stream_without_measurements_has_no_series(recording: Recording) -> None:
    for number, (_, aggregation) in enumerate(AGGREGATIONS):
        define(recording, aggregation, f"metric {number}")
    assert recording.reader.metrics() == []
