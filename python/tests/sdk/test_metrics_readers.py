"""Metric readers of the process: series of their own beside the file, cumulative or since the last collection."""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import Observation

from otlp_mmap.sdk import metrics as sdk
from otlp_mmap.sdk.metrics import MeterProvider, MetricsTimeoutError
from otlp_mmap.sdk.metrics._internal._buckets import index_at_scale
from otlp_mmap.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from otlp_mmap.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    View,
)

from .metrics import messages, recorded

DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
EVERY = (
    sdk.Counter,
    sdk.UpDownCounter,
    sdk.Histogram,
    sdk._Gauge,
    sdk.ObservableCounter,
    sdk.ObservableUpDownCounter,
    sdk.ObservableGauge,
)


def points(data: MetricsData | None) -> dict[str, Any]:
    """The points of each metric, by its name."""
    found: dict[str, Any] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found.setdefault(metric.name, []).extend(metric.data.data_points)
    return found


def values(data: MetricsData | None) -> dict[str, list[Any]]:
    """The values (or counts) of each metric."""
    return {
        name: [getattr(of, "value", getattr(of, "count", None)) for of in of_it] for name, of_it in points(data).items()
    }


def test_a_delta_reader_gets_what_came_since_the_last_collection(tmp_path: Path) -> None:
    delta = InMemoryMetricReader(preferred_temporality=dict.fromkeys(EVERY, DELTA))
    cumulative = InMemoryMetricReader()
    totals = iter(range(100, 1000, 10))
    with recorded(tmp_path, metric_readers=[delta, cumulative]) as metrics:
        counter = metrics.meter.create_counter("counter")
        histogram = metrics.meter.create_histogram("histogram")
        metrics.meter.create_observable_counter("observed", [lambda _: [Observation(next(totals))]])
        for amounts in ([1, 2], [], [5]):
            for amount in amounts:
                counter.add(amount)
                histogram.record(amount)
            found = points(delta.get_metrics_data())
            if amounts:
                (point,) = found["histogram"]
                assert (point.count, point.sum) == (len(amounts), sum(amounts))
                assert (point.min, point.max) == (min(amounts), max(amounts))
                assert [of.value for of in found["counter"]] == [sum(amounts)]
            else:
                assert set(found) == {"observed"}
            assert [of.value for of in found["observed"]] == [100 if amounts == [1, 2] else 10]
        everything = points(cumulative.get_metrics_data())
        assert [of.value for of in everything["counter"]] == [8]
        (point,) = everything["histogram"]
        assert (point.count, point.min, point.max) == (3, 1, 5)
        assert [of.value for of in everything["observed"]] == [130]
        assert metrics.values() == {("counter", ()): 8, ("histogram", ()): 3, ("observed", ()): 130}


def test_periods_of_delta_points_follow_one_another(tmp_path: Path) -> None:
    reader = InMemoryMetricReader(preferred_temporality={sdk.Counter: DELTA})
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        counter = metrics.meter.create_counter("counter")
        found = []
        for _ in range(3):
            counter.add(1)
            found += points(reader.get_metrics_data())["counter"]
        assert all(point.start_time_unix_nano < point.time_unix_nano for point in found)
        assert [point.time_unix_nano for point in found[:-1]] == [point.start_time_unix_nano for point in found[1:]]


def test_a_reader_aggregates_as_it_prefers(tmp_path: Path) -> None:
    reader = InMemoryMetricReader(
        preferred_aggregation={
            sdk.Counter: LastValueAggregation(),
            sdk.Histogram: ExponentialBucketHistogramAggregation(max_size=4, max_scale=20),
        }
    )
    views = [View(instrument_name="viewed", aggregation=ExplicitBucketHistogramAggregation([1], record_min_max=False))]
    with recorded(tmp_path, metric_readers=[reader], views=views) as metrics:
        counter = metrics.meter.create_counter("counter")
        exponential, viewed = metrics.meter.create_histogram("exponential"), metrics.meter.create_histogram("viewed")
        counter.add(1)
        counter.add(5)
        for amount in (0, 1, 2, 8):
            exponential.record(amount)
            viewed.record(amount)
        found = points(reader.get_metrics_data())
        assert [of.value for of in found["counter"]] == [5]
        (point,) = found["exponential"]
        assert (point.scale, point.zero_count, point.count, point.sum) == (0, 1, 4, 11)
        assert (point.positive.offset, list(point.positive.bucket_counts)) == (-1, [1, 1, 0, 1])
        (point,) = found["viewed"]
        assert (point.bucket_counts, point.explicit_bounds) == ((2, 2), (1,))
        assert (point.min, point.max) == (math.inf, -math.inf)
        # The file follows the views and the defaults alone.
        assert metrics.values() == {("counter", ()): 6, ("exponential", ()): 4, ("viewed", ()): 4}


@pytest.mark.parametrize("scale", [-10, -2, -1, 0, 1, 2, 7, 20])
def test_buckets_hold_the_values_between_their_bounds(scale: int) -> None:
    for value in (1e-300, 0.1, 0.5, 1, 1.0000001, 1.5, 2, 3, 4, 5, 1000, 1024, 1e300, 5e-324):
        index = index_at_scale(value, scale)
        bound = max(value, 2.0**-1022)
        low, high = index / 2.0**scale, (index + 1) / 2.0**scale
        assert low < math.log2(bound) + 1e-9, (value, index)
        assert math.log2(bound) <= high + 1e-9, (value, index)
        if math.frexp(bound)[0] == 0.5:
            assert low < math.log2(bound) <= high, (value, index)


def test_limits_of_a_reader_are_its_own(tmp_path: Path) -> None:
    reader = InMemoryMetricReader(cardinality_limits={sdk.Counter: 2})
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        counter = metrics.meter.create_counter("counter")
        for user in range(5):
            counter.add(1, {"user": user})
        found = points(reader.get_metrics_data())["counter"]
        assert [(of.attributes, of.value) for of in found] == [
            ({"user": 0}, 1),
            ({"user": 1}, 1),
            ({"otel.metric.overflow": True}, 3),
        ]
        assert len(metrics.series()) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        {"preferred_temporality": {sdk.Counter: AggregationTemporality.UNSPECIFIED}},
        {"preferred_temporality": {int: DELTA}},
        {"preferred_aggregation": {int: LastValueAggregation()}},
        {"cardinality_limits": {int: 5}},
        {"cardinality_limits": {sdk.Counter: 0}},
    ],
)
def test_wrong_arguments_of_a_reader_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"Invalid|positive"):
        InMemoryMetricReader(**arguments)


def test_readers_come_and_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = InMemoryMetricReader()
    with recorded(tmp_path) as metrics:
        counter = metrics.meter.create_counter("counter")
        counter.add(1)
        assert reader.get_metrics_data() is None
        assert "registered" in messages(caplog)[0]
        metrics.provider.add_metric_reader(reader)
        metrics.provider.add_metric_reader(reader)
        assert "registered already" in messages(caplog)[0]
        counter.add(2)
        assert values(reader.get_metrics_data()) == {"counter": [2]}
        with pytest.raises(Exception, match="registered already"):
            MeterProvider([reader], shutdown_on_exit=False)
        metrics.provider.remove_metric_reader(reader)
        metrics.provider.remove_metric_reader(reader)
        assert "not been registered" in messages(caplog)[0]
        counter.add(4)
        assert reader.get_metrics_data() is None
        assert metrics.values() == {("counter", ()): 7}


class Exporter(MetricExporter):
    """Keeps what it gets."""

    def __init__(self, **preferred: Any) -> None:
        super().__init__(**preferred)
        self.got: list[MetricsData] = []
        self.calls: list[str] = []
        self.running = 0
        self.arrived = threading.Event()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        """Keeps metrics, and sees that nobody else is at it."""
        self.running += 1
        assert self.running == 1
        self.got.append(metrics_data)
        self.running -= 1
        self.arrived.set()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Is noted."""
        self.calls.append("force_flush")
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """Is noted."""
        self.calls.append("shutdown")


def test_a_periodic_reader_exports_at_its_interval_at_a_flush_and_at_the_end(tmp_path: Path) -> None:
    exporter = Exporter(preferred_temporality={sdk.Counter: DELTA})
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=5)
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        counter = metrics.meter.create_counter("counter")
        counter.add(1)
        assert exporter.arrived.wait(30)
        counter.add(2)
        metrics.provider.force_flush()
        counter.add(4)
        metrics.provider.shutdown()
        assert exporter.calls == ["force_flush", "shutdown"]
        assert sum(value for data in exporter.got for value in values(data)["counter"]) == 7


def test_an_exporter_that_raises_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Raising(Exporter):
        def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
            raise ConnectionError

    reader = PeriodicExportingMetricReader(Raising(), export_interval_millis=math.inf)
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        metrics.meter.create_counter("counter").add(1)
        metrics.provider.force_flush()
        assert "exporting" in messages(caplog)[0]


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_must_be_larger_than_zero(interval: float) -> None:
    with pytest.raises(ValueError, match="larger than zero"):
        PeriodicExportingMetricReader(Exporter(), export_interval_millis=interval)


def test_the_failures_of_readers_are_told_together(tmp_path: Path) -> None:
    class Broken(InMemoryMetricReader):
        def force_flush(self, timeout_millis: float = 0) -> bool:
            raise ZeroDivisionError

        def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
            raise KeyError("broken")

    sound = InMemoryMetricReader()
    with recorded(tmp_path, metric_readers=[Broken(), sound, Broken()]) as metrics:
        with pytest.raises(Exception, match=r"(?s)force_flush failed.*ZeroDivisionError.*ZeroDivisionError"):
            metrics.provider.force_flush()
        with pytest.raises(Exception, match=r"(?s)shutdown failed.*KeyError.*KeyError"):
            metrics.provider.shutdown()


def test_a_collection_that_takes_too_long_is_told(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    waited = threading.Event()
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        slow = [lambda _: [Observation(1)] if waited.wait(0.05) is None else [Observation(2)]]
        metrics.meter.create_observable_gauge("slow", slow)
        with pytest.raises(MetricsTimeoutError):
            reader.collect(timeout_millis=1)
        # What was observed is in the file all the same.
        assert metrics.values() == {("slow", ()): 2}


def test_shutdown_is_for_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recorded(tmp_path) as metrics:
        metrics.provider.shutdown()
        assert messages(caplog) == []
        metrics.provider.shutdown()
        assert "once" in messages(caplog)[0]
        metrics.provider.get_meter("another").create_counter("counter").add(1)
        assert "shutdown" in messages(caplog)[0]
        assert metrics.series() == []


def test_metrics_are_printed_as_json(tmp_path: Path) -> None:
    out = io.StringIO()
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(out), export_interval_millis=math.inf)
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        metrics.meter.create_counter("counter", "1", "counts").add(5, {"a": 1})
        metrics.provider.force_flush()
    (resource,) = json.loads(out.getvalue())["resource_metrics"]
    (scope,) = resource["scope_metrics"]
    assert scope["scope"]["name"] == "meter"
    (metric,) = scope["metrics"]
    (point,) = metric["data"]["data_points"]
    assert (metric["name"], metric["unit"], metric["description"]) == ("counter", "1", "counts")
    assert (point["attributes"], point["value"]) == ({"a": 1}, 5)
    assert (metric["data"]["aggregation_temporality"], metric["data"]["is_monotonic"]) == (2, True)


def test_readers_measure_themselves_if_they_are_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    reader = InMemoryMetricReader()
    with recorded(tmp_path, metric_readers=[reader]):
        assert reader.get_metrics_data() is None
        (point,) = points(reader.get_metrics_data())["otel.sdk.metric_reader.collection.duration"]
        assert point.count == 1
        assert point.attributes["otel.component.type"] == "InMemoryMetricReader"


def test_disabled_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("meter").create_counter("counter").add(1)
    assert reader.get_metrics_data() is None
    provider.shutdown()


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    """Readers that a test leaves behind do not matter to the next."""
    yield
    MeterProvider._all_metric_readers.clear()
