"""What samplers that can be composed say, and the sampler that decides by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from ..sampling import Decision, Sampler, SamplingResult
from ._trace_state import OTEL_TRACE_STATE_KEY, OtelTraceState
from ._util import INVALID_THRESHOLD, MAX_RANDOM_VALUE, is_valid_random_value, is_valid_threshold


def _same(trace_state: TraceState) -> TraceState:
    return trace_state


@dataclass(frozen=True)
class SamplingIntent:
    """How a sampler would sample a span.

    Args:
        threshold: sample if the random value is at least this; INVALID_THRESHOLD: never.
        threshold_reliable: it tells how many spans a sampled one stands for.
        attributes: to be set on the span if it is sampled.
        update_trace_state: changes the trace state.
    """

    threshold: int
    threshold_reliable: bool = True
    attributes: Attributes = None
    update_trace_state: Callable[[TraceState], TraceState] = field(default=_same)


class ComposableSampler(Protocol):
    """A sampler that can be a part of another."""

    def sampling_intent(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None,
    ) -> SamplingIntent:
        """How it would sample a span."""
        ...

    def get_description(self) -> str:
        """A short text about it."""
        ...


class _CompositeSampler(Sampler):
    def __init__(self, delegate: ComposableSampler) -> None:
        self._delegate = delegate

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if trace_state is None:
            # A tracer does not hand it over.
            trace_state = get_current_span(parent_context).get_span_context().trace_state
        state = OtelTraceState.parse(trace_state)
        intent = self._delegate.sampling_intent(parent_context, name, kind, attributes, links, trace_state)
        # A trace without a random value of its own has that of its id: 56 random bits by the W3C's level 2.
        given = is_valid_random_value(state.random_value)
        random_value = state.random_value if given else trace_id & MAX_RANDOM_VALUE
        sampled = is_valid_threshold(intent.threshold) and random_value >= intent.threshold
        state.threshold = intent.threshold if sampled and intent.threshold_reliable else INVALID_THRESHOLD
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP
        # The span's attributes are those of the result: its own ones, and what the sampler adds.
        attributes = {**(attributes or {}), **(intent.attributes or {})}
        return SamplingResult(decision, attributes, _updated(trace_state, state.serialize(), intent))

    def get_description(self) -> str:
        return self._delegate.get_description()


def _updated(trace_state: TraceState | None, member: str, intent: SamplingIntent) -> TraceState | None:
    """The trace state as the sampler leaves it."""
    if not trace_state:
        return TraceState([(OTEL_TRACE_STATE_KEY, member)]) if member else None
    changed = intent.update_trace_state(trace_state)
    if member:
        return changed.update(OTEL_TRACE_STATE_KEY, member)
    return changed.delete(OTEL_TRACE_STATE_KEY) if OTEL_TRACE_STATE_KEY in changed else changed


def composite_sampler(delegate: ComposableSampler) -> Sampler:
    """A sampler for a provider that decides as one that can be composed says."""
    return _CompositeSampler(delegate)
