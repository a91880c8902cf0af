"""Samplers: which spans are recorded, and which are sampled.

Tracers ask the samplers of this module without a call of Python code; `should_sample` is for other callers. Any
object with `should_sample` is a sampler too. A span that is recorded but not sampled is shown to processors, and is
not in the file.
"""

from __future__ import annotations

import enum
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, get_current_span
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes, AttributeValue

from ..environment_variables import OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG

_logger = logging.getLogger(__name__)


class Decision(enum.Enum):
    """What becomes of a span."""

    DROP = 0
    """It is not recorded."""
    RECORD_ONLY = 1
    """It is recorded for processors, and not sampled."""
    RECORD_AND_SAMPLE = 2
    """It is recorded and sampled."""

    def is_recording(self) -> bool:
        """Whether the span is recorded."""
        return self is not Decision.DROP

    def is_sampled(self) -> bool:
        """Whether the span is sampled."""
        return self is Decision.RECORD_AND_SAMPLE


class SamplingResult:
    """A sampler's answer.

    Args:
        decision: what becomes of the span.
        attributes: of the span, instead of those that it was started with.
        trace_state: of the span.
    """

    def __init__(
        self, decision: Decision, attributes: Attributes = None, trace_state: TraceState | None = None
    ) -> None:
        self.decision = decision
        self.attributes: Mapping[str, AttributeValue] = MappingProxyType({} if attributes is None else attributes)
        self.trace_state = trace_state

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.decision!s}, attributes={self.attributes!s})"


class Sampler(ABC):
    """Decides about spans before they start."""

    @abstractmethod
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
        """Decides about a span.

        Args:
            parent_context: has the parent; None: the current context.
            trace_id: of the span.
            name: of the span.
            kind: of the span.
            attributes: that the span is started with.
            links: that the span is started with.
            trace_state: not used by tracers.
        """

    @abstractmethod
    def get_description(self) -> str:
        """The sampler's name and configuration."""


def _parent(context: Context | None) -> SpanContext | None:
    found = get_current_span(context).get_span_context()
    return found if found is not None and found.is_valid else None


def _result(decision: Decision, parent_context: Context | None, attributes: Attributes) -> SamplingResult:
    parent = _parent(parent_context)
    if decision is Decision.DROP:
        attributes = None
    return SamplingResult(decision, attributes, parent.trace_state if parent else None)


class StaticSampler(Sampler):
    """Decides the same about all spans.

    Args:
        decision: that it makes.
    """

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

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
        """Decides about a span."""
        return _result(self._decision, parent_context, attributes)

    def get_description(self) -> str:
        """The sampler's name."""
        return "AlwaysOffSampler" if self._decision is Decision.DROP else "AlwaysOnSampler"


ALWAYS_OFF = StaticSampler(Decision.DROP)
"""Samples no span."""

ALWAYS_ON = StaticSampler(Decision.RECORD_AND_SAMPLE)
"""Samples every span."""


class TraceIdRatioBased(Sampler):
    """Samples a part of all traces, told by the last 64 bits of their ids.

    Args:
        rate: the part, from 0 to 1.

    Raises:
        ValueError: the rate is out of its range.
    """

    TRACE_ID_LIMIT = (1 << 64) - 1

    def __init__(self, rate: float) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError("Probability must be in range [0.0, 1.0].")
        self._rate = rate
        self._bound = self.get_bound_for_rate(rate)

    @classmethod
    def get_bound_for_rate(cls, rate: float) -> int:
        """The number that the last 64 bits of a trace id must be below."""
        return round(rate * (cls.TRACE_ID_LIMIT + 1))

    @property
    def rate(self) -> float:
        """The part of all traces."""
        return self._rate

    @property
    def bound(self) -> int:
        """The number that the last 64 bits of a trace id must be below."""
        return self._bound

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
        """Decides about a span."""
        is_sampled = trace_id & self.TRACE_ID_LIMIT < self.bound
        decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.DROP
        return _result(decision, parent_context, attributes)

    def get_description(self) -> str:
        """The sampler's name and rate."""
        return f"TraceIdRatioBased{{{self._rate}}}"


class ParentBased(Sampler):
    """Decides as the parent was decided about, or as the samplers for it say.

    Args:
        root: for spans without a parent.
        remote_parent_sampled: for a sampled parent of another process.
        remote_parent_not_sampled: for any other parent of another process.
        local_parent_sampled: for a sampled parent of this process.
        local_parent_not_sampled: for any other parent of this process.
    """

    def __init__(
        self,
        root: Sampler,
        remote_parent_sampled: Sampler = ALWAYS_ON,
        remote_parent_not_sampled: Sampler = ALWAYS_OFF,
        local_parent_sampled: Sampler = ALWAYS_ON,
        local_parent_not_sampled: Sampler = ALWAYS_OFF,
    ) -> None:
        self._root = root
        self._remote_parent_sampled = remote_parent_sampled
        self._remote_parent_not_sampled = remote_parent_not_sampled
        self._local_parent_sampled = local_parent_sampled
        self._local_parent_not_sampled = local_parent_not_sampled

    def _sampler_for(self, parent: SpanContext | None) -> Sampler:
        if parent is None:
            return self._root
        if parent.is_remote:
            return self._remote_parent_sampled if parent.trace_flags.sampled else self._remote_parent_not_sampled
        return self._local_parent_sampled if parent.trace_flags.sampled else self._local_parent_not_sampled

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
        """Decides about a span."""
        return self._sampler_for(_parent(parent_context)).should_sample(
            parent_context=parent_context,
            trace_id=trace_id,
            name=name,
            kind=kind,
            attributes=attributes,
            links=links,
        )

    def get_description(self) -> str:
        """The sampler's name, and the descriptions of those that it asks."""
        parts = {
            "root": self._root,
            "remoteParentSampled": self._remote_parent_sampled,
            "remoteParentNotSampled": self._remote_parent_not_sampled,
            "localParentSampled": self._local_parent_sampled,
            "localParentNotSampled": self._local_parent_not_sampled,
        }
        described = ",".join(f"{name}:{sampler.get_description()}" for name, sampler in parts.items())
        return f"ParentBased{{{described}}}"


class AlwaysRecordSampler(Sampler):
    """Samples what another sampler samples, and has all the other spans recorded for processors.

    Args:
        root: the other sampler.

    Raises:
        ValueError: there is no other sampler.
    """

    def __init__(self, root: Sampler) -> None:
        if root is None:
            raise ValueError("root must not be None")
        self._root = root

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
        """Decides about a span."""
        result = self._root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, result.attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        """The sampler's name, and the description of the other one."""
        return f"AlwaysRecordSampler{{{self._root.get_description()}}}"


DEFAULT_OFF = ParentBased(ALWAYS_OFF)
"""Decides as the parent was decided about; samples no root span."""

DEFAULT_ON = ParentBased(ALWAYS_ON)
"""Decides as the parent was decided about; samples every root span."""


class ParentBasedTraceIdRatio(ParentBased):
    """Decides as the parent was decided about; samples a part of the root spans.

    Args:
        rate: the part, from 0 to 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(root=TraceIdRatioBased(rate=rate))


class _AlwaysOff(StaticSampler):
    def __init__(self, _: object) -> None:
        super().__init__(Decision.DROP)


class _AlwaysOn(StaticSampler):
    def __init__(self, _: object) -> None:
        super().__init__(Decision.RECORD_AND_SAMPLE)


class _ParentBasedAlwaysOff(ParentBased):
    def __init__(self, _: object) -> None:
        super().__init__(ALWAYS_OFF)


class _ParentBasedAlwaysOn(ParentBased):
    def __init__(self, _: object) -> None:
        super().__init__(ALWAYS_ON)


_KNOWN_SAMPLERS: Mapping[str, Sampler] = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}

_RATIO_SAMPLERS: Mapping[str, type[TraceIdRatioBased | ParentBasedTraceIdRatio]] = {
    "traceidratio": TraceIdRatioBased,
    "parentbased_traceidratio": ParentBasedTraceIdRatio,
}

_ENTRY_POINTS = "opentelemetry_traces_sampler"


def _get_from_env_or_default() -> Sampler:
    """The sampler of `OTEL_TRACES_SAMPLER`: a built-in one, or one of another package, by its entry point."""
    given = os.environ.get(OTEL_TRACES_SAMPLER, "").strip() or "parentbased_always_on"
    name = given.lower()
    if ratio := _RATIO_SAMPLERS.get(name):
        try:
            return ratio(float(os.environ.get(OTEL_TRACES_SAMPLER_ARG, "")))
        except ValueError:
            _logger.warning("Could not convert TRACES_SAMPLER_ARG to float. Using default rate 1.0.")
            return ratio(1.0)
    if known := _KNOWN_SAMPLERS.get(name):
        return known
    return _load(given) or DEFAULT_ON


def _load(name: str) -> Sampler | None:
    """A sampler of another package: its entry point is called with `OTEL_TRACES_SAMPLER_ARG`.

    None, with an error in the log, if there is none.
    """
    found = next(iter(entry_points(group=_ENTRY_POINTS, name=name)), None)
    if found is None:
        _logger.error("There is no sampler %r among the entry points of %s, the default is used", name, _ENTRY_POINTS)
        return None
    try:
        sampler = found.load()(os.environ.get(OTEL_TRACES_SAMPLER_ARG))
    except Exception as error:
        _logger.error("The sampler %r cannot be made, the default is used: %s", name, error)
        return None
    if not callable(getattr(sampler, "should_sample", None)):
        _logger.error("%r made %r, which is no sampler, the default is used", name, sampler)
        return None
    return sampler  # type: ignore[no-any-return]


def _get_parent_trace_state(parent_context: Context | None) -> TraceState | None:
    parent = _parent(parent_context)
    return parent.trace_state if parent else None
