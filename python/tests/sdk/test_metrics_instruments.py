"""Instruments: what their calls leave in the file, and what wrong use does."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.metrics import Observation

from otlp_mmap import Writer
from otlp_mmap.model import HistogramPoint
from otlp_mmap.sdk import metrics as sdk
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.metrics import MeterProvider
from otlp_mmap.sdk.metrics._internal import _disable_meter_configurator, _MeterConfig
from otlp_mmap.sdk.metrics.export import InMemoryMetricReader

from .metrics import Metrics, messages, recorded


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    with recorded(tmp_path) as metrics:
        yield metrics


def test_every_synchronous_instrument_records_into_the_file(metrics: Metrics) -> None:
    counter = metrics.meter.create_counter("Counter", "{thing}", "things")
    counter.add(1)
    counter.add(2.5, {"a": "b"})
    counter.add(amount=3, attributes={"a": "b"}, context=None)
    metrics.meter.create_up_down_counter("up.down").add(-4)
    gauge = metrics.meter.create_gauge("gauge")
    gauge.set(7)
    gauge.set(6)
    histogram = metrics.meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=[1, 2.5])
    histogram.record(2)
    histogram.record(3)
    by_name = {of.stream.name: of for of in metrics.series()}
    assert metrics.values() == {
        ("counter", ()): 1,
        ("counter", (("a", "b"),)): 5.5,
        ("up.down", ()): -4,
        ("gauge", ()): 6,
        ("histogram", ()): 2,
    }
    stream = by_name["counter"].stream
    assert (stream.unit, stream.description, stream.scope.name, stream.scope.version) == (
        "{thing}", "things", "meter", "1.0",
    )  # fmt: skip
    assert by_name["histogram"].point == HistogramPoint(count=2, sum=5.0, min=2.0, max=3.0, bucket_counts=(0, 1, 1))
    assert by_name["histogram"].stream.aggregation.bucket_boundaries == (1.0, 2.5)  # type: ignore[union-attr]


def test_integers_stay_integers(metrics: Metrics) -> None:
    counter = metrics.meter.create_counter("counter")
    counter.add(2**62)
    (value,) = metrics.values().values()
    assert (value, type(value)) == (2**62, int)
    counter.add(2**70)
    (value,) = metrics.values().values()
    assert (value, type(value)) == (float(2**62 + 2**70), float)


def test_numbers_of_other_libraries_are_taken(metrics: Metrics) -> None:
    class Index:
        def __index__(self) -> int:
            return 3

    counter: Any = metrics.meter.create_counter("counter")
    for amount in (Decimal("0.5"), Fraction(1, 4), Index(), True):
        counter.add(amount)
    assert list(metrics.values().values()) == [4.75]


@pytest.mark.parametrize(
    ("method", "name", "wrong"),
    [
        ("create_counter", "add", [-1, -0.5, float("nan"), float("inf"), "1", None, [1]]),
        ("create_up_down_counter", "add", [float("nan"), float("-inf"), "1", None]),
        ("create_histogram", "record", [-1, -0.5, float("nan"), float("inf"), "1", None]),
        ("create_gauge", "set", [float("nan"), float("inf"), "1", None]),
    ],
)
def test_wrong_amounts_are_logged_and_counted(
    metrics: Metrics, caplog: pytest.LogCaptureFixture, method: str, name: str, wrong: list[object]
) -> None:
    instrument = getattr(metrics.meter, method)("the.instrument")
    for amount in wrong:
        getattr(instrument, name)(amount)
        (message,) = messages(caplog)
        assert "the.instrument" in message
        assert str(amount) in message
    assert metrics.series() == []
    assert metrics.losses() == {"invalid": len(wrong)}


def test_attributes_are_told_apart_by_value_and_type(metrics: Metrics) -> None:
    counter: Any = metrics.meter.create_counter("counter")
    for number, value in enumerate([True, 1, 1.0, "1", b"1", None, (1,), {"x": 1}], start=1):
        for _ in range(2):
            counter.add(number, {"key": value})
    found = [(of.attributes["key"], of.point.value) for of in metrics.series()]  # type: ignore[union-attr]
    assert [(type(value), count) for value, count in found] == [
        (bool, 2), (int, 4), (float, 6), (str, 8), (bytes, 10), (type(None), 12), (list, 14), (dict, 16),
    ]  # fmt: skip


def test_a_dictionary_that_changes_is_looked_at_again(metrics: Metrics) -> None:
    counter = metrics.meter.create_counter("counter")
    attributes: dict[str, Any] = {"key": b"one", "other": 1}
    counter.add(1, attributes)
    attributes["key"] = 2
    counter.add(10, attributes)
    attributes["key"] = "text"
    counter.add(100, attributes)
    del attributes["other"]
    counter.add(1000, attributes)
    counter.add(10000, {"other": 1, "key": "text"})
    assert [value for _, value in sorted(metrics.values().items(), key=lambda entry: entry[1])] == [1, 10, 1000, 10100]


def test_attributes_of_many_objects_find_their_series(metrics: Metrics) -> None:
    """More sets, and larger ones, than the table of known objects has places for."""
    counter = metrics.meter.create_counter("counter")
    for _ in range(3):
        for number in range(300):
            counter.add(number, {f"key{number}": str(number), "n": number})
        counter.add(1, {f"large{number}": number for number in range(20)})
    expected = {("counter", ((f"key{number}", str(number)), ("n", number))): 3 * number for number in range(300)}
    found = {key: value for key, value in metrics.values().items() if len(key[1]) == 2}
    assert found == expected
    assert len(metrics.series()) == 301


def test_wrong_attributes_do_not_stop_a_measurement(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    class Items(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return 1

        def __iter__(self) -> Iterator[str]:
            return iter(["mapped"])

        def __len__(self) -> int:
            return 1

    counter: Any = metrics.meter.create_counter("counter")
    for attributes in ("no mapping", 5, {"": 1}, {"huge": 2**80}, {"surrogate": "\udcff"}, Items()):
        counter.add(1, attributes)
    assert metrics.values() == {
        ("counter", ()): 3,
        ("counter", (("huge", str(2**80)),)): 1,
        ("counter", (("surrogate", "���"),)): 1,
        ("counter", (("mapped", 1),)): 1,
    }
    assert len(messages(caplog)) >= 3


def test_what_an_instrument_held_of_attributes_is_released(metrics: Metrics) -> None:
    class Text(str):
        pass

    counter = metrics.meter.create_counter("counter")
    text = Text("value")
    counter.add(1, {"key": text})
    reference = weakref.ref(text)
    del text
    gc.collect()
    assert reference() is None


def test_a_disabled_meter_measures_nothing_and_can_be_enabled(tmp_path: Path) -> None:
    with recorded(tmp_path, _meter_configurator=_disable_meter_configurator) as metrics:
        counter = metrics.meter.create_counter("counter")
        called: list[int] = []

        def callback(_: object) -> list[Observation]:
            called.append(1)
            return []

        metrics.meter.create_observable_gauge("gauge", [callback])
        counter.add(1)
        metrics.provider.force_flush()
        assert (metrics.series(), called) == ([], [])
        metrics.provider._set_meter_configurator(meter_configurator=lambda _: _MeterConfig())
        counter.add(1)
        metrics.provider.force_flush()
        assert (list(metrics.values().values()), called) == ([1], [1])


def test_without_a_file_metric_readers_see_everything() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], recording=Recording(None), shutdown_on_exit=False)
    provider.get_meter("meter").create_counter("counter").add(5)
    data = reader.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].value == 5  # type: ignore[union-attr]
    provider.shutdown()


def test_nothing_is_raised_once_the_file_is_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer(tmp_path)
    metrics = Metrics(writer)
    counter = metrics.meter.create_counter("counter")
    counter.add(1, {"a": 1})
    writer.close()
    for _ in range(3):
        counter.add(1, {"a": 1})
        counter.add(1, {"b": 1})
    metrics.meter.create_counter("later").add(1)
    assert sum("not recorded" in message for message in messages(caplog)) >= 1
    assert metrics.losses()["closed"] >= 6
    metrics.provider.shutdown()


def test_the_same_instrument_is_one_and_another_of_its_name_warns(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    first = metrics.meter.create_counter("requests", "1", "served")
    assert metrics.meter.create_counter("requests", "1", "served") is first
    assert messages(caplog) == []
    second = metrics.meter.create_counter("requests", "1", "lost")
    (message,) = messages(caplog)
    assert "has been created already" in message
    first.add(1)
    second.add(10)
    assert sorted(of.point.value for of in metrics.series()) == [1, 10]  # type: ignore[union-attr]


def test_classes_are_those_of_the_api_and_made_by_meters_alone(metrics: Metrics) -> None:
    made: list[tuple[Any, type, type]] = [
        (metrics.meter.create_counter("a"), sdk.Counter, api.Counter),
        (metrics.meter.create_up_down_counter("b"), sdk.UpDownCounter, api.UpDownCounter),
        (metrics.meter.create_histogram("c"), sdk.Histogram, api.Histogram),
        (metrics.meter.create_gauge("d"), sdk._Gauge, api._Gauge),
        (metrics.meter.create_observable_counter("e"), sdk.ObservableCounter, api.ObservableCounter),
        (metrics.meter.create_observable_gauge("f"), sdk.ObservableGauge, api.ObservableGauge),
        (
            metrics.meter.create_observable_up_down_counter("g"),
            sdk.ObservableUpDownCounter,
            api.ObservableUpDownCounter,
        ),
    ]
    for instrument, public, abstract in made:
        assert isinstance(instrument, (public, abstract))
        with pytest.raises(TypeError, match="via a meter"):
            public("name", None, None)
    for name in ("", "1st", "with space", "x" * 256):
        with pytest.raises(Exception, match="maximum length 255"):
            metrics.meter.create_counter(name)
    with pytest.raises(Exception, match="maximum length 63"):
        metrics.meter.create_counter("name", unit="u" * 64)


def test_threads_lose_nothing(metrics: Metrics) -> None:
    counter = metrics.meter.create_counter("counter")
    histogram = metrics.meter.create_histogram("histogram")

    def measure(thread: int) -> None:
        for number in range(5_000):
            counter.add(1, {"thread": thread, "number": number % 7})
            histogram.record(number % 100)

    threads = [threading.Thread(target=measure, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = metrics.values()
    assert values.pop(("histogram", ())) == 20_000
    assert len(values) == 28
    assert sum(values.values()) == 20_000
