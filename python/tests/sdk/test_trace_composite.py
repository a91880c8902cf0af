"""Composite samplers: the decision, and what the trace state says of it (`th` and `rv`)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, TraceFlags, TraceState

from otlp_mmap.sdk.trace._sampling_experimental import (
    ComposableSampler,
    SamplingIntent,
    composable_always_off,
    composable_always_on,
    composable_parent_threshold,
    composable_rule_based,
    composable_traceid_ratio_based,
    composite_sampler,
)
from otlp_mmap.sdk.trace._sampling_experimental._rule_based import (
    AllPredicate,
    AttributePatternsPredicate,
    AttributeValuesPredicate,
    ParentPredicate,
    SpanKindPredicate,
)
from otlp_mmap.sdk.trace._sampling_experimental._trace_state import OtelTraceState

from .tracing import Traces, remote

HALF = composable_traceid_ratio_based(0.5)


@pytest.mark.parametrize(
    ("sampler", "parent", "flags", "expected"),
    [
        (composable_always_on(), None, 1, "ot=th:0"),
        (composable_always_on(), "rv:7f99aa40c02744", 0, "ot=th:0;rv:7f99aa40c02744"),
        (composable_always_off(), "th:8;rv:7f99aa40c02744", 1, None),
        (HALF, "rv:7fffffffffffff", 1, None),
        (HALF, "rv:80000000000000", 0, "ot=th:8;rv:80000000000000"),
        (
            composable_parent_threshold(composable_always_off()),
            "th:c;rv:f0000000000000",
            0,
            "ot=th:c;rv:f0000000000000",
        ),
        (composable_parent_threshold(composable_always_off()), None, 1, ""),
        (composable_parent_threshold(composable_always_on()), None, 0, None),
        (composable_traceid_ratio_based(1.0), "th:8;other:1", 0, "ot=th:0;other:1"),
        (composable_traceid_ratio_based(0.0), None, 1, None),
    ],
)
def test_decision_and_trace_state(
    tmp_path: Path, sampler: ComposableSampler, parent: str | None, flags: int, expected: str | None
) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=composite_sampler(sampler))
    state = TraceState([("ot", parent)]) if parent else None
    with traces.tracer.start_as_current_span("s", remote(flags, trace_state=state), attributes={"a": 1}) as span:
        assert span.is_recording() is (expected is not None)
        assert bool(span.get_span_context().trace_flags & TraceFlags.SAMPLED) is (expected is not None)
    if expected is not None:
        assert traces.span().trace_state == expected
        assert traces.span().attributes == {"a": 1}


def test_a_threshold_that_does_not_hold_leaves_the_trace_state(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=composite_sampler(composable_always_off()))
    state = TraceState([("ot", "th:8"), ("vendor", "1")])
    span = traces.tracer.start_span("s", remote(trace_state=state))
    assert dict(span.get_span_context().trace_state) == {"vendor": "1"}


def test_root_spans_are_sampled_by_their_trace_ids(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=composite_sampler(composable_parent_threshold(HALF)))
    for _ in range(100):
        context = traces.tracer.start_span("s").get_span_context()
        is_sampled = context.trace_id & (1 << 56) - 1 >= 1 << 55
        assert context.trace_flags.sampled is is_sampled
        assert context.trace_state.get("ot") == ("th:8" if is_sampled else None)


def test_a_sampler_adds_attributes_and_changes_the_trace_state(tmp_path: Path) -> None:
    class Adding:
        def sampling_intent(self, *span: Any) -> SamplingIntent:
            return SamplingIntent(0, False, {"added": 1}, lambda state: state.add("more", "1"))

        def get_description(self) -> str:
            return "Adding"

    traces = Traces(tmp_path / "t.otlpmm", sampler=composite_sampler(Adding()))
    state = TraceState([("vendor", "1")])
    with traces.tracer.start_as_current_span("s", remote(trace_state=state), attributes={"a": 1}):
        pass
    assert traces.span().attributes == {"a": 1, "added": 1}
    assert traces.span().trace_state == "more=1,vendor=1"


RULES: list[Any] = [
    (AttributeValuesPredicate("http.route", ["/health"]), composable_always_off()),
    (AttributePatternsPredicate("user", ["a*"], ["admin"]), composable_always_on()),
    (AllPredicate([SpanKindPredicate([SpanKind.SERVER]), ParentPredicate(["remote"])]), composable_always_on()),
]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ({"attributes": {"http.route": "/health", "user": "anna"}}, False),
        ({"attributes": {"user": "anna"}}, True),
        ({"attributes": {"user": ["bob", "anna"]}}, True),
        ({"attributes": {"user": "admin"}}, False),
        ({"kind": SpanKind.SERVER, "context": remote()}, True),
        ({"kind": SpanKind.CLIENT, "context": remote()}, False),
        ({"kind": SpanKind.SERVER}, False),
        ({}, False),
    ],
)
def test_rules(tmp_path: Path, span: dict[str, Any], expected: bool) -> None:
    traces = Traces(tmp_path / "t.otlpmm", sampler=composite_sampler(composable_rule_based(RULES)))
    assert traces.tracer.start_span("s", **span).is_recording() is expected


def test_what_is_written_is_read() -> None:
    rng = random.Random(7)
    for _ in range(200):
        state = OtelTraceState(rng.getrandbits(56), rng.getrandbits(56) & -(1 << rng.randrange(56)), ["x:1"])
        assert OtelTraceState.parse(TraceState([("ot", state.serialize())])) == state


@pytest.mark.parametrize("text", ["th:", "th:+1", "th:0x1", "th:1_0", "th:123456789012345", "rv:1", "rv:" + "g" * 14])
def test_what_is_no_number_is_not_there(text: str) -> None:
    assert OtelTraceState.parse(TraceState([("ot", text)])).serialize() == ""
