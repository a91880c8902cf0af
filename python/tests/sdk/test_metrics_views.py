"""Views, and the variables that say how metrics are aggregated, by what is in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import Observation

from otlp_mmap import ExponentialHistogram, Gauge, Histogram, Sum, Temporality
from otlp_mmap.sdk.metrics import Counter
from otlp_mmap.sdk.metrics import Histogram as HistogramInstrument
from otlp_mmap.sdk.metrics.view import (
    Aggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)

from .metrics import messages, recorded

CUMULATIVE, DELTA = Temporality.CUMULATIVE, Temporality.DELTA


def test_a_view_names_describes_and_leaves_attributes_out(tmp_path: Path) -> None:
    view = View(instrument_name="requests", name="http.requests", description="by method", attribute_keys={"method"})
    with recorded(tmp_path, views=[view]) as metrics:
        counter = metrics.meter.create_counter("Requests", "1", "as made")
        for user in range(3):
            counter.add(1, {"method": "GET", "user": user})
        counter.add(1, {"user": 1})
        assert metrics.values() == {("http.requests", (("method", "GET"),)): 3, ("http.requests", ()): 1}
        assert {(of.stream.description, of.stream.unit) for of in metrics.series()} == {("by method", "1")}


@pytest.mark.parametrize(
    ("criteria", "applies"),
    [
        ({"instrument_name": "*"}, True),
        ({"instrument_name": "http.*"}, True),
        ({"instrument_name": "HTTP.reques?s"}, True),
        ({"instrument_name": "http"}, False),
        ({"instrument_type": Counter}, True),
        ({"instrument_type": HistogramInstrument}, False),
        ({"instrument_unit": "1"}, True),
        ({"instrument_unit": "s"}, False),
        ({"meter_name": "meter", "meter_version": "1.0"}, True),
        ({"meter_name": "meter", "meter_version": "2.0"}, False),
        ({"meter_schema_url": "https://example.com"}, False),
    ],
)
def test_criteria_select_instruments(tmp_path: Path, criteria: dict[str, Any], applies: bool) -> None:
    with recorded(tmp_path, views=[View(description="selected", **criteria)]) as metrics:
        metrics.meter.create_counter("http.requests", "1").add(1)
        (series,) = metrics.series()
        assert series.stream.description == ("selected" if applies else "")


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        (SumAggregation(), Sum(CUMULATIVE, is_monotonic=False)),
        (LastValueAggregation(), Gauge()),
        (ExplicitBucketHistogramAggregation([1, 2]), Histogram(CUMULATIVE, (1.0, 2.0))),
        (ExplicitBucketHistogramAggregation(), Histogram(CUMULATIVE, (5.0,))),
        (
            ExponentialBucketHistogramAggregation(max_size=20, max_scale=10),
            ExponentialHistogram(CUMULATIVE, max_buckets=20, max_scale=10),
        ),
        (DropAggregation(), None),
    ],
)
def test_a_view_aggregates(tmp_path: Path, aggregation: Aggregation, expected: object) -> None:
    with recorded(tmp_path, views=[View(instrument_name="h", aggregation=aggregation)]) as metrics:
        histogram = metrics.meter.create_histogram("h", explicit_bucket_boundaries_advisory=[5])
        histogram.record(3)
        found = [series.stream.aggregation for series in metrics.series()]
        assert found == ([] if expected is None else [expected])


def test_several_views_make_several_streams(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    views = [
        View(instrument_name="c", name="by.user", attribute_keys={"user"}),
        View(instrument_name="c", name="all", attribute_keys=set()),
        View(instrument_name="c", aggregation=DropAggregation()),
        # The same stream as "all".
        View(instrument_type=Counter, name="all", attribute_keys={"path"}),
    ]
    with recorded(tmp_path, views=views) as metrics:
        counter = metrics.meter.create_counter("c")
        for _ in range(2):
            counter.add(1, {"user": 1, "path": "/"})
        assert metrics.values() == {("by.user", (("user", 1),)): 2, ("all", ()): 2}
        assert ["conflicting" in message for message in messages(caplog)] == [True]


def test_a_view_limits_the_series_of_its_stream(tmp_path: Path) -> None:
    view = View(instrument_name="limited", aggregation_cardinality_limit=2)
    with recorded(tmp_path, views=[view]) as metrics:
        for name in ("limited", "free"):
            counter = metrics.meter.create_counter(name)
            for user in range(5):
                counter.add(1, {"user": user})
        found = [(of.overflow, of.point.value) for of in metrics.series() if of.stream.name == "limited"]  # type: ignore[union-attr]
        assert found == [(False, 1), (False, 1), (True, 3)]
        assert metrics.losses() == {"cardinality_overflow": 3}


def test_a_wrong_aggregation_is_logged_and_the_others_are_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: list[Aggregation] = [
        ExplicitBucketHistogramAggregation([2, 1]),
        ExplicitBucketHistogramAggregation([float("nan")]),
        ExponentialBucketHistogramAggregation(max_size=1),
        ExponentialBucketHistogramAggregation(max_scale=-11),
    ]
    views = [View(instrument_name="h", name=f"wrong{number}", aggregation=of) for number, of in enumerate(wrong)]
    with recorded(tmp_path, views=[*views, View(instrument_name="h")]) as metrics:
        metrics.meter.create_histogram("h").record(1)
        assert metrics.values() == {("h", ()): 1}
        assert len(messages(caplog)) == len(wrong)


def test_observations_that_a_view_brings_together_are_added_up(tmp_path: Path) -> None:
    def states(_: object) -> list[Observation]:
        return [Observation(10, {"cpu": 0, "state": "user"}), Observation(5, {"cpu": 1, "state": "user"})]

    views = [View(instrument_name="cpu.*", attribute_keys={"state"})]
    with recorded(tmp_path, views=views) as metrics:
        metrics.meter.create_observable_counter("cpu.time", [states])
        metrics.meter.create_observable_gauge("cpu.load", [states])
        for _ in range(3):
            metrics.provider.force_flush()
        state = (("state", "user"),)
        assert metrics.values() == {("cpu.time", state): 15, ("cpu.load", state): 5}


def test_a_view_that_makes_no_sense_for_observations_is_not_applied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    view = View(instrument_name="*", aggregation=ExplicitBucketHistogramAggregation([1]))
    with recorded(tmp_path, views=[view]) as metrics:
        metrics.meter.create_observable_gauge("gauge", [lambda _: [Observation(2)]])
        assert any("semantic errors" in message for message in messages(caplog))
        metrics.provider.force_flush()
        assert [series.stream.aggregation for series in metrics.series()] == [Gauge()]


@pytest.mark.parametrize(
    ("preference", "deltas"),
    [
        ("", set()),
        ("cumulative", set()),
        ("Delta", {"counter", "histogram", "observable.counter"}),
        ("LOWMEMORY", {"counter", "histogram"}),
        ("wrong", set()),
    ],
)
def test_the_preferred_temporality_stands_in_the_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preference: str, deltas: set[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    with recorded(tmp_path) as metrics:
        metrics.meter.create_counter("counter").add(1)
        metrics.meter.create_up_down_counter("up.down").add(1)
        metrics.meter.create_histogram("histogram").record(1)
        metrics.meter.create_observable_counter("observable.counter", [lambda _: [Observation(1)]])
        metrics.meter.create_observable_up_down_counter("observable.up.down", [lambda _: [Observation(1)]])
        metrics.provider.force_flush()
        streams = [series.stream for series in metrics.series()]
        assert len(streams) == 5
        assert {of.name for of in streams if of.aggregation.aggregation_temporality == DELTA} == deltas  # type: ignore[union-attr]


def test_the_default_histogram_can_be_exponential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
    monkeypatch.setenv(variable, "base2_exponential_bucket_histogram")
    views = [View(instrument_name="explicit", aggregation=ExplicitBucketHistogramAggregation([1]))]
    with recorded(tmp_path, views=views) as metrics:
        for name in ("exponential", "explicit"):
            metrics.meter.create_histogram(name).record(1)
        assert {of.stream.name: of.stream.aggregation for of in metrics.series()} == {
            "exponential": ExponentialHistogram(CUMULATIVE, max_buckets=160, max_scale=20),
            "explicit": Histogram(CUMULATIVE, (1.0,)),
        }


def test_views_check_their_arguments() -> None:
    with pytest.raises(Exception, match="selection criteria"):
        View(name="name")
    with pytest.raises(Exception, match="wildcard"):
        View(instrument_name="*", name="name")
    for limit in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="positive integer"):
            View(instrument_name="a", aggregation_cardinality_limit=limit)  # type: ignore[arg-type]
