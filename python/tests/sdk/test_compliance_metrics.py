"""Rows of the specification's table for metrics that no other test shows: see COMPLIANCE.md."""

from __future__ import annotations

import io
import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.context import Context
from opentelemetry.metrics import Observation
from opentelemetry.util.types import Attributes

from otlp_mmap import ExponentialHistogram, Gauge, Histogram, Reader, Sum, Temporality, Writer
from otlp_mmap.sdk.metrics import AlwaysOnExemplarFilter, Exemplar, ExemplarReservoir, MeterProvider
from otlp_mmap.sdk.metrics.export import (
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from otlp_mmap.sdk.metrics.view import DefaultAggregation, ExplicitBucketHistogramAggregation, View
from otlp_mmap.sdk.resources import Resource

from .metrics import Metrics, recorded
from .programs import Programs
from .test_compliance_traces import at_once
from .test_configuration import run

CUMULATIVE = Temporality.CUMULATIVE


def test_providers_are_independent_and_have_their_own_resource(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with Writer(tmp_path / f"{name}.otlpmm") as writer:
            metrics = Metrics(writer, resource=Resource({"service.name": name}))
            for meter in ("first", "second"):
                metrics.provider.get_meter(meter).create_counter(name).add(1)
            found = [(of.stream.name, of.stream.scope.resource.attributes["service.name"]) for of in metrics.series()]
            assert found == [(name, name)] * 2
            metrics.provider.shutdown()


def test_a_meter_has_its_scope_with_schema_url_and_attributes(tmp_path: Path) -> None:
    with recorded(tmp_path) as metrics:
        meter: Any = metrics.provider.get_meter("lib", "2", "https://example.org/schema", {"k": 1})
        meter.create_counter("c").add(1)
        (series,) = metrics.series()
        scope = series.stream.scope
        expected = ("lib", "2", "https://example.org/schema", {"k": 1})
        assert (scope.name, scope.version, scope.schema_url, scope.attributes) == expected
        own = meter._instrumentation_scope
        assert (own.name, own.version, own.schema_url, own.attributes) == expected


@pytest.mark.parametrize("name", ["", None])
def test_a_meter_without_a_name_works_and_measures_nothing(tmp_path: Path, name: Any) -> None:
    with recorded(tmp_path) as metrics:
        meter = metrics.provider.get_meter(name)
        assert isinstance(meter, api.Meter)
        assert meter.name == name
        meter.create_counter("c").add(1)
        assert metrics.series() == []


def test_instruments_of_one_name_are_two_under_two_meters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recorded(tmp_path) as metrics:
        for number, meter in enumerate(("first", "second"), start=1):
            metrics.provider.get_meter(meter).create_counter("c").add(number)
        found = [(of.stream.scope.name, of.point.value) for of in metrics.series()]  # type: ignore[union-attr]
        assert sorted(found) == [("first", 1), ("second", 2)]
        assert not caplog.records


def test_descriptions_may_be_long_and_of_any_script(tmp_path: Path) -> None:
    description = "".join(map(chr, range(0x3041, 0x3041 + 80))) * 13
    assert len(description) > 1023
    with recorded(tmp_path) as metrics:
        metrics.meter.create_counter("described", description=description).add(1)
        metrics.meter.create_counter("not").add(1)
        assert [of.stream.description for of in metrics.series()] == [description, ""]


def test_meters_and_providers_are_safe_for_threads(tmp_path: Path) -> None:
    with recorded(tmp_path) as metrics:

        def work(number: int) -> None:
            for each in range(10):
                meter = metrics.provider.get_meter(f"meter {each}")
                meter.create_counter("shared").add(1)
                meter.create_histogram(f"own.{number}").record(each)
                meter.create_up_down_counter("up.down").add(-1)
                meter.create_gauge("gauge").set(7)
                callback = [lambda _: [Observation(1, {"thread": number})]]
                meter.create_observable_gauge(f"observed.{number}", callback)
            metrics.provider.force_flush()

        at_once(work)
        found = metrics.values()
        assert {attributes for name, attributes in found if name.startswith("observed")} == {
            (("thread", number),) for number in range(8)
        }
        shared = [of.point.value for of in metrics.series() if of.stream.name == "shared"]  # type: ignore[union-attr]
        assert shared == [8] * 10
        assert (found["up.down", ()], found["gauge", ()]) == (-8, 7)
        assert len([of for of in metrics.series() if of.stream.name.startswith("own.")]) == 80
    at_once(lambda _: metrics.provider.shutdown())


def test_the_default_aggregation_is_that_of_the_instrument(tmp_path: Path) -> None:
    with recorded(tmp_path, views=[View(instrument_name="*", aggregation=DefaultAggregation())]) as metrics:
        meter = metrics.meter
        observed = [lambda _: [Observation(1)]]
        meter.create_counter("counter").add(1)
        meter.create_up_down_counter("up.down").add(1)
        meter.create_gauge("gauge").set(1)
        meter.create_histogram("histogram").record(1)
        meter.create_observable_counter("observable.counter", observed)
        meter.create_observable_up_down_counter("observable.up.down", observed)
        meter.create_observable_gauge("observable.gauge", observed)
        metrics.provider.force_flush()
        found = {of.stream.name: of.stream.aggregation for of in metrics.series()}
        histogram = found.pop("histogram")
        assert isinstance(histogram, Histogram)
        assert histogram.bucket_boundaries[:3] == (0.0, 5.0, 10.0)
        assert found == {
            "counter": Sum(CUMULATIVE, is_monotonic=True),
            "up.down": Sum(CUMULATIVE, is_monotonic=False),
            "gauge": Gauge(),
            "observable.counter": Sum(CUMULATIVE, is_monotonic=True),
            "observable.up.down": Sum(CUMULATIVE, is_monotonic=False),
            "observable.gauge": Gauge(),
        }
        assert not any(isinstance(aggregation, ExponentialHistogram) for aggregation in found.values())


def test_exemplars_have_the_time_of_the_measurement(tmp_path: Path) -> None:
    with recorded(tmp_path, exemplar_filter=AlwaysOnExemplarFilter()) as metrics:
        counter = metrics.meter.create_counter("c")
        for _ in range(3):
            counter.add(1)
        (series,) = metrics.series()
        times = [of.time_unix_nano for of in series.exemplars]
        assert times == sorted(set(times))
        assert all(abs(time.time_ns() - of) < 600 * 10**9 for of in times)


def test_a_reservoir_of_others_is_offered_every_measurement(tmp_path: Path) -> None:
    class Own(ExemplarReservoir):
        def __init__(self, **options: Any) -> None:
            pass

        def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
            assert time_unix_nano > 1_600_000_000_000_000_000
            offered.append((value, dict(attributes or {}), context.get("key")))

        def collect(self, point_attributes: Attributes) -> list[Exemplar]:
            return [Exemplar({}, 42, 1, None, None)]

    offered: list[Any] = []
    reader = InMemoryMetricReader()
    views = [View(instrument_name="*", attribute_keys={"a"}, exemplar_reservoir_factory=lambda _: Own)]
    options: dict[str, Any] = {"exemplar_filter": AlwaysOnExemplarFilter(), "metric_readers": [reader], "views": views}
    with recorded(tmp_path, **options) as metrics:
        metrics.meter.create_counter("c").add(1, {"a": 1, "b": 2}, Context(key="value"))
        assert offered == [(1, {"a": 1, "b": 2}, "value")]
        assert [of.value for of in exemplars(reader)["c"]] == [42]


def exemplars(reader: InMemoryMetricReader) -> dict[str, list[Exemplar]]:
    """Those of each metric's only point."""
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: list(metric.data.data_points[0].exemplars) for metric in metrics}


def test_reservoirs_are_those_of_the_aggregation(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    views = [View(instrument_name="histogram", aggregation=ExplicitBucketHistogramAggregation([5]))]
    options: dict[str, Any] = {"exemplar_filter": AlwaysOnExemplarFilter(), "metric_readers": [reader], "views": views}
    with recorded(tmp_path, **options) as metrics:
        counter, histogram = metrics.meter.create_counter("counter"), metrics.meter.create_histogram("histogram")
        for amount in (1, 2, 7, 8):
            counter.add(amount)
            histogram.record(amount)
        found = {name: [of.value for of in of_it] for name, of_it in exemplars(reader).items()}
        assert found["histogram"] == [2, 8]
        assert len(found["counter"]) == 1
        assert found["counter"][0] in (1, 2, 7, 8)


def test_views_say_that_exemplars_keep_what_they_leave_out() -> None:
    assert "Exemplars keep the others" in (View.__doc__ or "")


class Exporter(MetricExporter):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[MetricsData] = []
        self.timeouts: list[float] = []
        self.arrived = threading.Event()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        """Keeps metrics."""
        self.got.append(metrics_data)
        self.timeouts.append(timeout_millis)
        self.arrived.set()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Does nothing."""
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """Does nothing."""


def test_an_exporter_gets_aggregated_points_of_all_metrics_in_one_batch(tmp_path: Path) -> None:
    exporter = Exporter()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        for name in ("a", "b"):
            counter = metrics.meter.create_counter(name)
            counter.add(1)
            counter.add(2)
        assert metrics.provider.force_flush()
    (batch,) = exporter.got
    found = batch.resource_metrics[0].scope_metrics[0].metrics
    assert [(of.name, [point.value for point in of.data.data_points]) for of in found] == [("a", [3]), ("b", [3])]  # type: ignore[union-attr]


def test_what_an_exporter_answers() -> None:
    assert {result.name for result in MetricExportResult} == {"SUCCESS", "FAILURE"}
    out = io.StringIO()
    exporter = ConsoleMetricExporter(out)
    assert exporter.export(MetricsData([])) is MetricExportResult.SUCCESS
    assert exporter.force_flush(1) is True
    exporter.shutdown(1)
    assert "resource_metrics" in out.getvalue()


def test_the_timeout_of_an_export_is_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_TIMEOUT", "12345")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5")
    exporter = Exporter()
    with recorded(tmp_path, metric_readers=[PeriodicExportingMetricReader(exporter)]) as metrics:
        metrics.meter.create_counter("c").add(1)
        assert exporter.arrived.wait(30)
    assert exporter.timeouts[0] == 12345


def test_a_metrics_exporter_is_attached_by_its_variable(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    printed = run(programs, {"OTEL_METRICS_EXPORTER": "console"}, "work()")
    (resource,) = json.loads(printed)["resource_metrics"]
    assert [metric["name"] for scope in resource["scope_metrics"] for metric in scope["metrics"]] == ["counter"]
    assert [of.stream.name for of in Reader(programs.recordings).metrics()] == ["counter"]


@pytest.fixture(autouse=True)
def _registered() -> Any:
    """Readers that a test leaves behind do not matter to the next."""
    yield
    MeterProvider._all_metric_readers.clear()
