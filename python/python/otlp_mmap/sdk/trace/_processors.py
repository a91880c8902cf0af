"""Span processors: the interface, and the two that call others."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context

from ..._native import SpanHooks

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

    def __init__(self) -> None:
        # A tuple: it can be walked while another one takes its place.
        self._span_processors: tuple[SpanProcessor, ...] = ()
        self._lock = threading.Lock()
        self._has_logged: set[tuple[int, str]] = set()
        self._hooks = SpanHooks(self, is_active=self._is_overridden())

    def _is_overridden(self) -> bool:
        """Whether a subclass of another package does more than to call the processors that were added."""
        names = ("on_start", "_on_ending", "on_end")
        ours = (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor)
        return not any(
            isinstance(self, cls) and all(getattr(type(self), name) is getattr(cls, name) for name in names)
            for cls in ours
        )

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Adds a processor."""
        with self._lock:
            self._span_processors += (span_processor,)
        self._hooks.activate()

    def _call(self, processor: SpanProcessor, method: str, *args: Any, **kwargs: Any) -> Any:
        """Calls a method. What it raises is logged, once for each processor and method."""
        try:
            return getattr(processor, method)(*args, **kwargs)
        except Exception:
            if (id(processor), method) not in self._has_logged:
                self._has_logged.add((id(processor), method))
                _logger.exception("%s of the span processor %r raised (this is said once)", method, processor)
            return False


class SynchronousMultiSpanProcessor(_MultiSpanProcessor):
    """Calls other processors, one after the other."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span has started."""
        for processor in self._span_processors:
            self._call(processor, "on_start", span, parent_context=parent_context)

    def _on_ending(self, span: Span) -> None:
        for processor in self._span_processors:
            if hasattr(processor, "_on_ending"):
                self._call(processor, "_on_ending", span)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        for processor in self._span_processors:
            self._call(processor, "on_end", span)

    def shutdown(self) -> None:
        """Shuts all processors down."""
        for processor in self._span_processors:
            self._call(processor, "shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes all processors; returns whether all did so in time. Those for which no time is left are not called.

        Args:
            timeout_millis: for all of them together.
        """
        deadline = monotonic_ns() + timeout_millis * 1_000_000
        are_flushed = True
        for processor in self._span_processors:
            left = deadline - monotonic_ns()
            if left <= 0:
                return False
            are_flushed &= self._call(processor, "force_flush", left // 1_000_000) is not False
        return are_flushed


class ConcurrentMultiSpanProcessor(_MultiSpanProcessor):
    """Calls other processors at the same time, on threads of its own, and waits for them.

    Args:
        num_threads: the most processors that run at the same time.
    """

    def __init__(self, num_threads: int = 2) -> None:
        super().__init__()
        self._num_threads = num_threads
        self._renew()
        _concurrent.add(self)

    def _renew(self) -> None:
        """A forked child has no threads but one, and a lock in an unknown state."""
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=self._num_threads)

    def _submit(self, method: str, *args: Any, **kwargs: Any) -> list[Future[Any]]:
        processors = [processor for processor in self._span_processors if hasattr(processor, method)]
        try:
            return [self._executor.submit(self._call, processor, method, *args, **kwargs) for processor in processors]
        except RuntimeError:
            # The interpreter is ending, and starts no threads.
            return [_done(self._call, processor, method, *args, **kwargs) for processor in processors]

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span has started."""
        wait(self._submit("on_start", span, parent_context=parent_context))

    def _on_ending(self, span: Span) -> None:
        wait(self._submit("_on_ending", span))

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        wait(self._submit("on_end", span))

    def shutdown(self) -> None:
        """Shuts all processors down."""
        wait(self._submit("shutdown"))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes all processors; returns whether all did so in time.

        Args:
            timeout_millis: for all of them together.
        """
        done, late = wait(self._submit("force_flush", timeout_millis), timeout_millis / 1e3)
        return not late and all(future.result() is not False for future in done)


def _done(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(function(*args, **kwargs))
    return future


# One hook for all of them: a hook cannot be taken back.
_concurrent: weakref.WeakSet[ConcurrentMultiSpanProcessor] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for processor in list(_concurrent):
        processor._renew()


os.register_at_fork(after_in_child=_renew_after_fork)


def hooks_of(processor: Any) -> SpanHooks:
    """What calls a processor. Ours are not called before they have somebody to call."""
    hooks = getattr(processor, "_hooks", None)
    return hooks if isinstance(hooks, SpanHooks) else SpanHooks(processor)
