"""Which measurements may become exemplars."""

from __future__ import annotations

from abc import ABC, abstractmethod

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, get_current_span
from opentelemetry.util.types import Attributes


class ExemplarFilter(ABC):
    """Decides which measurements may become exemplars."""

    @abstractmethod
    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Whether a measurement may become an exemplar.

        Args:
            value: what was measured.
            time_unix_nano: when, unix nanoseconds.
            attributes: all of the measurement's.
            context: it was made in.
        """
        raise NotImplementedError


class AlwaysOnExemplarFilter(ExemplarFilter):
    """Every measurement may become an exemplar."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Always."""
        return True


class AlwaysOffExemplarFilter(ExemplarFilter):
    """There are no exemplars."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Never."""
        return False


class TraceBasedExemplarFilter(ExemplarFilter):
    """Measurements made in a sampled span may become exemplars."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Whether the context has a sampled span."""
        span = get_current_span(context)
        return span is not INVALID_SPAN and span.get_span_context().trace_flags.sampled
