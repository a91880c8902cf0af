"""Span processors: the interface, and the two that call others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context

from ..._native import SpanHooks
from .._shared_internal._processor_lists import ConcurrentProcessorList, ProcessorList

if TYPE_CHECKING:
    from . import ReadableSpan, Span

_logger = logging.getLogger("otlp_mmap.sdk.trace")


class SpanProcessor:
    """Sees the spans of a provider start and end, beside the file. Processors are called in the order they were added.

    What a method raises is logged once, and does not reach the application.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span has started; attributes may be set.

        Args:
            span: that has started.
            parent_context: has its parent; None: the current context.
        """

    def _on_ending(self, span: Span) -> None:
        """A span is ending: it has its end time, and this thread may still change it."""

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""

    def shutdown(self) -> None:
        """The provider is shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Finishes what it has to do with the spans that have ended; returns whether it did so in time."""
        del timeout_millis
        return True


class _MultiSpanProcessor(SpanProcessor):
    """Calls other processors."""

    def __init__(self, processors: ProcessorList[SpanProcessor]) -> None:
        self._processors = processors
        self._hooks = SpanHooks(self, is_active=self._is_overridden())

    def _is_overridden(self) -> bool:
        """Whether a subclass of another package does more than to call the processors that were added."""
        names = ("on_start", "_on_ending", "on_end")
        return any(getattr(type(self), name) is not getattr(_MultiSpanProcessor, name) for name in names)

    @property
    def _span_processors(self) -> tuple[SpanProcessor, ...]:
        return self._processors.processors

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Adds a processor."""
        self._processors.add(span_processor)
        self._hooks.activate()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span has started."""
        self._processors.call("on_start", span, parent_context=parent_context)

    def _on_ending(self, span: Span) -> None:
        self._processors.call("_on_ending", span)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        self._processors.call("on_end", span)

    def shutdown(self) -> None:
        """Shuts all processors down."""
        self._processors.call("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes all processors; returns whether all did so in time."""
        return self._processors.force_flush(timeout_millis)


class SynchronousMultiSpanProcessor(_MultiSpanProcessor):
    """Calls other processors, one after the other. Those for which a flush leaves no time are not flushed."""

    def __init__(self) -> None:
        super().__init__(ProcessorList("span processor", _logger))


class ConcurrentMultiSpanProcessor(_MultiSpanProcessor):
    """Calls other processors at the same time, on threads of its own, and waits for them.

    Args:
        num_threads: the most processors that run at the same time.
    """

    def __init__(self, num_threads: int = 2) -> None:
        super().__init__(ConcurrentProcessorList("span processor", _logger, num_threads))


def hooks_of(processor: Any) -> SpanHooks:
    """What calls a processor. Ours are not called before they have somebody to call."""
    hooks = getattr(processor, "_hooks", None)
    return hooks if isinstance(hooks, SpanHooks) else SpanHooks(processor)
