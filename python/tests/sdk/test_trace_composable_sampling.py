"""Composable samplers: spans sampled by them, and the trace state they hand on. The official tests cover the rest."""

from __future__ import annotations

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from otlp_mmap.sdk.trace import TracerProvider
from otlp_mmap.sdk.trace._sampling_experimental import (
    composable_always_off,
    composable_always_on,
    composable_parent_threshold,
    composable_traceid_ratio_based,
    composite_sampler,
)
from otlp_mmap.sdk.trace.sampling import Decision


def test_a_provider_samples_by_it_and_the_child_goes_on() -> None:
    sampler = composite_sampler(composable_parent_threshold(composable_traceid_ratio_based(0.5)))
    tracer = TracerProvider(sampler=sampler).get_tracer("tests")
    sampled = 0
    for _ in range(200):
        parent = tracer.start_span("parent")
        child = tracer.start_span("child", set_span_in_context(parent))
        context = parent.get_span_context()
        random_value = context.trace_id & (2**56 - 1)
        assert context.trace_flags.sampled == (random_value >= 2**55)
        assert child.get_span_context().trace_flags.sampled == context.trace_flags.sampled
        if context.trace_flags.sampled:
            sampled += 1
            assert child.get_span_context().trace_state.get("ot") == "th:8"
    assert 0 < sampled < 200


@pytest.mark.parametrize("taken", [True, False])
def test_the_threshold_of_another_sampler_is_no_longer_handed_on(taken: bool) -> None:
    state = TraceState([("other", "1"), ("ot", "th:c")])
    parent = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(0), trace_state=state)
    context = set_span_in_context(NonRecordingSpan(parent))
    sampler = composite_sampler(composable_always_on() if taken else composable_always_off())
    result = sampler.should_sample(context, 5, "span", trace_state=state)
    assert result.decision is (Decision.RECORD_AND_SAMPLE if taken else Decision.DROP)
    assert result.trace_state is not None
    assert dict(result.trace_state) == {"other": "1"} | ({"ot": "th:0"} if taken else {})


def test_a_ratio_out_of_range_is_refused() -> None:
    for ratio in (-0.1, 1.1):
        with pytest.raises(ValueError, match="from 0 to 1"):
            composable_traceid_ratio_based(ratio)
