"""Asynchronous instruments: when their callbacks are called, and what becomes of what they observe."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from otlp_mmap import Reader
from otlp_mmap.sdk.metrics._internal._observer import export_interval_millis
from otlp_mmap.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader, PeriodicExportingMetricReader

from ..processes import fork, join
from .metrics import Metrics, messages, recorded, value_of


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    with recorded(tmp_path) as metrics:
        yield metrics


def wait_for(condition: Any) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never was so"
        time.sleep(0.005)


class Rising:
    """A callback whose value rises with each call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, options: CallbackOptions) -> Iterable[Observation]:
        """One observation."""
        self.calls += 1
        return [Observation(10 * self.calls, {"key": "value"})]


def test_what_is_observed_is_stored_and_not_added(metrics: Metrics) -> None:
    metrics.meter.create_observable_counter("counter", [Rising()])
    metrics.meter.create_observable_up_down_counter("up.down", [lambda _: [Observation(-2)]])
    metrics.meter.create_observable_gauge("gauge", [lambda _: [Observation(1.5, {"a": 1}), Observation(2, {"a": 2})]])
    assert metrics.series() == []
    for _ in range(3):
        metrics.provider.force_flush()
    assert metrics.values() == {
        ("counter", (("key", "value"),)): 30,
        ("up.down", ()): -2,
        ("gauge", (("a", 1),)): 1.5,
        ("gauge", (("a", 2),)): 2,
    }


def test_totals_may_change_from_integers_to_doubles(metrics: Metrics) -> None:
    totals = iter([0, 7, 7.5, 8])
    metrics.meter.create_observable_counter("counter", [lambda _: [Observation(next(totals))]])
    found: list[Any] = []
    for _ in range(4):
        metrics.provider.force_flush()
        found += metrics.values().values()
    assert [(value, type(value)) for value in found] == [(0, int), (7, int), (7.5, float), (8.0, float)]


def test_generators_and_several_callbacks_are_called_one_after_the_other(metrics: Metrics) -> None:
    given = []

    def generator() -> Generator[Iterable[Observation], CallbackOptions, None]:
        options = yield []
        for number in range(3):
            given.append(options)
            options = yield [Observation(number, {"from": "generator"})]

    metrics.meter.create_observable_gauge("gauge", [generator(), lambda _: [Observation(9, {"from": "function"})]])
    for _ in range(5):
        metrics.provider.force_flush()
    assert metrics.values() == {("gauge", (("from", "generator"),)): 2, ("gauge", (("from", "function"),)): 9}
    assert [type(options) for options in given] == [CallbackOptions] * 3


def test_a_callback_that_raises_is_logged_and_the_others_run(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    def partly(_: CallbackOptions) -> Iterator[Observation]:
        yield Observation(1, {"from": "partly"})
        raise ZeroDivisionError

    def wholly(_: CallbackOptions) -> Iterable[Observation]:
        raise KeyError

    def nothing(_: CallbackOptions) -> Any:
        return None

    gauge = [partly, wholly, nothing, lambda _: [Observation(math.nan), Observation(2, {"from": "last"})]]
    metrics.meter.create_observable_gauge("broken", gauge)
    metrics.meter.create_observable_counter("negative", [lambda _: [Observation(-5)]])
    metrics.meter.create_observable_counter("sound", [lambda _: [Observation(3)]])
    metrics.provider.force_flush()
    assert metrics.values() == {
        ("broken", (("from", "partly"),)): 1,
        ("broken", (("from", "last"),)): 2,
        ("sound", ()): 3,
    }
    assert sum("broken" in message for message in messages(caplog)) == 4
    assert metrics.losses() == {"invalid": 1}


def test_the_interval_is_kept_by_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5")
    before = threading.active_count()
    with recorded(tmp_path) as metrics:
        metrics.meter.create_counter("counter").add(1)
        assert threading.active_count() == before
        rising = Rising()
        metrics.meter.create_observable_counter("observed", [rising])
        metrics.meter.create_observable_gauge("also", [lambda _: [Observation(1)]])
        assert threading.active_count() == before + 1
        wait_for(lambda: rising.calls >= 3)
        wait_for(lambda: metrics.values().get(("observed", (("key", "value"),)), 0) >= 30)
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "otlp-mmap-observer")
        metrics.provider.shutdown()
        assert threading.active_count() == before
        calls = rising.calls
        assert metrics.values()[("observed", (("key", "value"),))] == 10 * calls


@pytest.mark.parametrize(("text", "millis"), [("", 60_000), ("250", 250), ("inf", math.inf)])
def test_the_interval_is_of_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, millis: float) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", text)
    assert export_interval_millis() == millis
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter())
    assert reader._export_interval_millis == millis
    reader.shutdown()


@pytest.mark.parametrize("text", ["0", "-5", "soon", "nan"])
def test_a_wrong_interval_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", text)
    assert export_interval_millis() == 60_000
    assert text in messages(caplog)[0]
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter())
    assert reader._export_interval_millis == 60_000
    reader.shutdown()


@pytest.mark.parametrize("interval", ["60000", "inf"])
def test_shutdown_observes_a_last_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: str) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    with recorded(tmp_path) as metrics:
        metrics.meter.create_observable_counter("counter", [Rising()])
        metrics.provider.shutdown()
        assert metrics.values() == {("counter", (("key", "value"),)): 10}


def test_collections_of_readers_are_recorded_too(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        metrics.meter.create_observable_counter("counter", [Rising()])
        for _ in range(2):
            reader.collect()
        assert metrics.values() == {("counter", (("key", "value"),)): 20}


def test_a_forked_child_observes_into_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5")
    with recorded(tmp_path) as metrics:
        metrics.meter.create_observable_gauge("pid", [lambda _: [Observation(os.getpid())]])
        counter = metrics.meter.create_counter("counter")
        counter.add(100)
        wait_for(lambda: len(metrics.series()) == 2)
        parent = metrics.writer.path

        def in_child() -> None:
            counter.add(1)
            wait_for(lambda: metrics.values() == {("counter", ()): 1, ("pid", ()): os.getpid()})

        child = fork(in_child)
        assert join([child]) == [0]
        values = {(str(of.stream.name), value_of(of)) for path in tmp_path.iterdir() for of in Reader(path).metrics()}
        assert values == {("counter", 100), ("pid", os.getpid()), ("counter", 1), ("pid", child)}
        assert metrics.writer.path == parent


def test_a_fork_in_the_middle_of_an_observation_leaves_no_lock(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def callback(_: CallbackOptions) -> Iterable[Observation]:
        if os.getpid() == parent:
            entered.set()
            go_on.wait(30)
        return [Observation(1)]

    with recorded(tmp_path) as metrics:
        metrics.meter.create_observable_gauge("gauge", [callback])
        thread = threading.Thread(target=metrics.provider.force_flush)
        thread.start()
        assert entered.wait(30)
        child = fork(lambda: metrics.provider.shutdown())
        assert join([child]) == [0]
        go_on.set()
        thread.join()


EXIT = """
import sys, time
from opentelemetry.metrics import Observation
from otlp_mmap import Writer
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.metrics import MeterProvider
from otlp_mmap.sdk.metrics import _internal

def callback(_):
    if sys.argv[2] == "hang":
        time.sleep(1000)
    return [Observation(7)]

_internal._LAST_OBSERVATION_MILLIS = 300
provider = MeterProvider(recording=Recording(Writer(sys.argv[1])))
provider.get_meter("meter").create_observable_counter("counter", [callback])
"""


@pytest.mark.parametrize(("behaviour", "found"), [("return", [7]), ("hang", [])])
def test_the_interpreter_ends_whatever_a_callback_does(tmp_path: Path, behaviour: str, found: list[int]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXIT), str(tmp_path), behaviour],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ("takes too long" in done.stderr) == (behaviour == "hang"), done.stderr
    assert [value_of(of) for of in Reader(tmp_path).metrics()] == found
