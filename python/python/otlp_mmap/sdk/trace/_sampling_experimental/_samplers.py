"""The samplers that can be composed: all, none, a part, and as the parent."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from ._composable import ComposableSampler, SamplingIntent
from ._trace_state import OtelTraceState, serialize_th
from ._util import INVALID_THRESHOLD, MAX_THRESHOLD, MIN_THRESHOLD, calculate_threshold, is_valid_threshold

NEVER = SamplingIntent(INVALID_THRESHOLD, threshold_reliable=False)


class _Constant(ComposableSampler):
    """Says the same of every span."""

    def __init__(self, intent: SamplingIntent, description: str) -> None:
        self._intent = intent
        self._description = description

    def sampling_intent(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None = None,
    ) -> SamplingIntent:
        return self._intent

    def get_description(self) -> str:
        return self._description


class _ParentThreshold(ComposableSampler):
    """Goes on as the parent; a span without one is another's decision."""

    def __init__(self, root: ComposableSampler) -> None:
        self._root = root

    def sampling_intent(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None = None,
    ) -> SamplingIntent:
        parent = get_current_span(parent_ctx).get_span_context()
        if not parent.is_valid:
            return self._root.sampling_intent(parent_ctx, name, span_kind, attributes, links, trace_state)
        threshold = OtelTraceState.parse(trace_state).threshold
        if is_valid_threshold(threshold):
            return SamplingIntent(threshold)
        return SamplingIntent(MIN_THRESHOLD, threshold_reliable=False) if parent.trace_flags.sampled else NEVER

    def get_description(self) -> str:
        return f"ComposableParentThreshold{{root={self._root.get_description()}}}"


_ALWAYS_ON = _Constant(SamplingIntent(MIN_THRESHOLD), "ComposableAlwaysOn")
_ALWAYS_OFF = _Constant(NEVER, "ComposableAlwaysOff")


def composable_always_on() -> ComposableSampler:
    """Takes every span."""
    return _ALWAYS_ON


def composable_always_off() -> ComposableSampler:
    """Takes no span."""
    return _ALWAYS_OFF


def composable_traceid_ratio_based(ratio: float) -> ComposableSampler:
    """Takes a part of all traces, from 0 to 1.

    Raises:
        ValueError: `ratio` is not from 0 to 1.
    """
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"a sampling ratio is from 0 to 1, not {ratio}")
    threshold = calculate_threshold(ratio)
    takes_none = threshold == MAX_THRESHOLD
    text = "max" if takes_none else serialize_th(threshold)
    intent = NEVER if takes_none else SamplingIntent(threshold)
    return _Constant(intent, f"ComposableTraceIDRatioBased{{threshold={text}, ratio={ratio}}}")


def composable_parent_threshold(root_sampler: ComposableSampler) -> ComposableSampler:
    """Takes a span if its parent was taken, by the same threshold; spans without a parent as `root_sampler` says."""
    return _ParentThreshold(root_sampler)
