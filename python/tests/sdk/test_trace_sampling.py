"""Samplers: the built-in ones decide natively as their Python methods do, others are called."""

from __future__ import annotations

import random
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState

from otlp_mmap.sdk.trace import sampling
from otlp_mmap.sdk.trace.id_generator import IdGenerator
from otlp_mmap.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    AlwaysRecordSampler,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    StaticSampler,
    TraceIdRatioBased,
)

from .tracing import Fixed, Seen, Traces, names, remote

STATE = TraceState([("vendor", "1")])
RECORD_ONLY = StaticSampler(Decision.RECORD_ONLY)


class Given(IdGenerator):
    """Makes the trace ids that it is told to."""

    def __init__(self) -> None:
        self.trace_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return random.getrandbits(64) | 1

    def is_trace_id_random(self) -> bool:
        return True


def contexts() -> list[Context | None]:
    """Every kind of parent, and none."""
    found: list[Context | None] = [None]
    for is_remote in (False, True):
        for flags in range(4):
            parent = SpanContext(0x8000_0000_0000_0001, 2, is_remote, TraceFlags(flags), STATE)
            found.append(trace_api.set_span_in_context(trace_api.NonRecordingSpan(parent), Context()))
    return found


SAMPLERS: list[Sampler] = [
    ALWAYS_ON,
    ALWAYS_OFF,
    RECORD_ONLY,
    DEFAULT_ON,
    DEFAULT_OFF,
    TraceIdRatioBased(0.0),
    TraceIdRatioBased(0.5),
    TraceIdRatioBased(1.0),
    ParentBasedTraceIdRatio(0.5),
    AlwaysRecordSampler(ALWAYS_OFF),
    AlwaysRecordSampler(ParentBasedTraceIdRatio(0.5)),
    ParentBased(ALWAYS_OFF, ALWAYS_OFF, ALWAYS_ON, ALWAYS_OFF, ALWAYS_ON),
    ParentBased(ALWAYS_OFF, RECORD_ONLY, TraceIdRatioBased(0.5), AlwaysRecordSampler(ALWAYS_OFF), ALWAYS_OFF),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
def test_tracers_decide_as_the_methods_do(tmp_path: Path, sampler: Sampler) -> None:
    ids = Given()
    traces = Traces(tmp_path / "t.otlpmm", sampler=sampler, id_generator=ids)
    for context in contexts():
        for ids.trace_id in (1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**128 - 1):
            span: Any = traces.tracer.start_span("s", context)
            expected = sampler.should_sample(context, span.get_span_context().trace_id, "s")
            assert span.is_recording() is expected.decision.is_recording()
            flags = span.get_span_context().trace_flags
            assert flags.sampled is expected.decision.is_sampled()
            assert (span.get_span_context().trace_state or None) == expected.trace_state
            span.end()


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, DEFAULT_OFF, TraceIdRatioBased(0.0)])
def test_a_dropped_span_is_nowhere_but_has_an_id(tmp_path: Path, sampler: Sampler) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=sampler)
    seen = Seen()
    traces.provider.add_span_processor(seen)
    start = traces.tracer.start_as_current_span
    with start("outer") as outer, start("inner", attributes={"a": 1}) as inner:
        inner.set_attribute("b", 1)
        inner.add_event("e")
        inner.record_exception(ValueError())
    assert isinstance(outer, trace_api.NonRecordingSpan)
    assert inner.get_span_context().is_valid
    assert inner.get_span_context().trace_id == outer.get_span_context().trace_id
    assert inner.get_span_context().span_id != outer.get_span_context().span_id
    assert repr(inner).startswith("NonRecordingSpan(SpanContext(trace_id=0x")
    assert seen.calls == []
    assert traces.spans() == []


def test_a_span_that_is_only_recorded_is_for_processors(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=AlwaysRecordSampler(ALWAYS_OFF))
    seen = Seen()
    traces.provider.add_span_processor(seen)
    with traces.tracer.start_as_current_span("s", attributes={"a": 1}) as span:
        assert span.is_recording()
        assert not span.get_span_context().trace_flags.sampled
        assert traces.in_flight() == []
    assert dict(seen.ended[0].attributes or {}) == {"a": 1}
    assert traces.spans() == []


def test_a_sampler_of_others_is_asked_and_obeyed(tmp_path: Path) -> None:
    sampler = Fixed(Decision.RECORD_AND_SAMPLE, attributes={"sampled.by": "us"}, trace_state=STATE)
    traces = Traces(tmp_path / "t.otlpmm", sampler=sampler)
    context, links = remote(), [Link(SpanContext(1, 2, False))]
    with traces.tracer.start_as_current_span("a", context, SpanKind.CLIENT, {"given": 1}, links) as span:
        assert dict(span.attributes) == {"sampled.by": "us"}
        assert span.get_span_context().trace_state is STATE
    with traces.tracer.start_as_current_span("b"):
        pass
    assert sampler.questions[0] == (context, 0xABC << 100, "a", SpanKind.CLIENT, {"given": 1}, links)
    assert sampler.questions[1][2:] == ("b", SpanKind.INTERNAL, None, ())
    assert [found.attributes for found in traces.spans()] == [{"sampled.by": "us"}] * 2
    assert [found.trace_state for found in traces.spans()] == ["vendor=1"] * 2


def test_samplers_of_others_within_ours(tmp_path: Path) -> None:
    foreign = Fixed(Decision.DROP)
    sampler = AlwaysRecordSampler(ParentBased(ALWAYS_ON, remote_parent_sampled=foreign))
    traces = Traces(tmp_path / "t.otlpmm", sampler=sampler)
    with traces.tracer.start_as_current_span("s", remote()) as span:
        assert span.is_recording()
    assert [question[2] for question in foreign.questions] == ["s"]
    assert traces.spans() == []


def test_a_subclass_that_decides_by_itself_is_called(tmp_path: Path) -> None:
    class Own(ParentBased):
        def should_sample(self, *args: Any, **kwargs: Any) -> sampling.SamplingResult:
            return sampling.SamplingResult(Decision.DROP)

    traces = Traces(tmp_path / "t.otlpmm", sampler=Own(ALWAYS_ON))
    assert not traces.tracer.start_span("s").is_recording()


def test_a_sampler_that_fails_lets_spans_be_sampled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Fixed):
        def should_sample(self, *question: Any, **named: Any) -> Any:
            raise RuntimeError("undecided")

    traces = Traces(tmp_path / "t.otlpmm", sampler=Failing(Decision.DROP))
    with traces.tracer.start_as_current_span("s", attributes={"a": 1}):
        pass
    assert (names(traces.spans()), traces.span().attributes) == (["s"], {"a": 1})
    assert "undecided" in caplog.text


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(ValueError, match="Probability must be in range"):
        TraceIdRatioBased(rate)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("", "", DEFAULT_ON.get_description()),
        ("always_on", "", "AlwaysOnSampler"),
        ("ALWAYS_OFF", "", "AlwaysOffSampler"),
        ("parentbased_always_off", "", DEFAULT_OFF.get_description()),
        ("traceidratio", "0.25", "TraceIdRatioBased{0.25}"),
        ("traceidratio", "x", "TraceIdRatioBased{1.0}"),
        ("traceidratio", "7", "TraceIdRatioBased{1.0}"),
        ("parentbased_traceidratio", "0.5", ParentBasedTraceIdRatio(0.5).get_description()),
        ("unknown", "", DEFAULT_ON.get_description()),
        ("foreign", "12", "Fixed"),
        ("bad", "12", DEFAULT_ON.get_description()),
    ],
)
def test_the_sampler_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, argument: str, expected: str
) -> None:
    def find(group: str, name: str) -> list[EntryPoint]:
        assert group == "opentelemetry_traces_sampler"
        return [EntryPoint(name, f"{__name__}:{name}", group)] if name in ("foreign", "bad") else []

    monkeypatch.setattr(sampling, "entry_points", find)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    assert sampling._get_from_env_or_default().get_description() == expected


def foreign(argument: str) -> Sampler:
    """An entry point."""
    assert argument == "12"
    return Fixed(Decision.DROP)


def bad(argument: str) -> str:
    """An entry point that is none."""
    return argument
