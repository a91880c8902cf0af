"""Metrics of tracers themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeter, NoOpMeterProvider, NoOpUpDownCounter

from otlp_mmap.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, StaticSampler

from .tracing import Traces, remote

ORIGIN, RESULT = "otel.span.parent.origin", "otel.span.sampling_result"


class Meters(NoOpMeterProvider):
    """Counts what is added."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[Any, ...]] = Counter()

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        assert name == "opentelemetry-sdk"
        counts = self.counts

        class Instrument(NoOpUpDownCounter):
            name = ""

            def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
                key = (self.name, attributes.get(ORIGIN), attributes[RESULT])
                counts[key] += int(amount)

        class Meter(NoOpMeter):
            def create_counter(self, name: str, unit: str = "", description: str = "") -> Any:
                assert unit == "{span}"
                instrument = Instrument(name, unit, description)
                instrument.name = name
                return instrument

            create_up_down_counter = create_counter

        return Meter(name)


@pytest.mark.parametrize(
    ("decision", "live"), [(Decision.DROP, 0), (Decision.RECORD_ONLY, 1), (Decision.RECORD_AND_SAMPLE, 1)]
)
def test_spans_are_counted_by_parent_and_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: Decision, live: int
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    meters = Meters()
    traces = Traces(tmp_path / "t.otlpmm", sampler=StaticSampler(decision), meter_provider=meters)
    with traces.tracer.start_as_current_span("a"):
        traces.tracer.start_span("b").end()
        traces.tracer.start_span("c", remote()).end()
        assert meters.counts["otel.sdk.span.live", None, decision.name] == live
    assert meters.counts["otel.sdk.span.live", None, decision.name] == 0
    started = {origin: count for (name, origin, _), count in meters.counts.items() if name == "otel.sdk.span.started"}
    assert started == {"none": 1, "local": 1, "remote": 1}
    assert {result for _, _, result in meters.counts} == {decision.name}


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
def test_nothing_is_counted_by_default(tmp_path: Path, sampler: StaticSampler) -> None:
    meters = Meters()
    traces = Traces(tmp_path / "t.otlpmm", sampler=sampler, meter_provider=meters)
    traces.tracer.start_span("a").end()
    assert not meters.counts


def test_metrics_that_fail_do_not_reach_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Meters):
        def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any:
            return NoOpMeter(name) if name != "opentelemetry-sdk" else Broken(name)

    class Broken(NoOpMeter):
        def create_counter(self, *args: Any, **kwargs: Any) -> Any:
            return None

    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    traces = Traces(tmp_path / "t.otlpmm", meter_provider=Failing())
    traces.tracer.start_span("a").end()
    assert "a metric of a tracer was not recorded" in caplog.text
    assert traces.span().name == "a"
