"""The processors of spans or of log records that a provider calls: one after the other, or at the same time."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic_ns
from typing import Any, Generic, TypeVar

Processor = TypeVar("Processor")


class ProcessorList(Generic[Processor]):
    """Processors that are called one after the other, in the order in which they were added.

    What one raises is logged, once for each processor and method, and reaches neither the application nor the others.

    Args:
        kind: what messages call a processor.
        logger: of the messages.
    """

    def __init__(self, kind: str, logger: logging.Logger) -> None:
        # A tuple: it can be walked while another one takes its place.
        self.processors: tuple[Processor, ...] = ()
        self._kind = kind
        self._logger = logger
        self._has_logged: set[tuple[int, str]] = set()
        self._renew()
        _lists.add(self)

    def _renew(self) -> None:
        """A forked child has a lock in an unknown state."""
        self._lock = threading.Lock()

    def add(self, processor: Processor) -> None:
        """Adds a processor."""
        with self._lock:
            self.processors += (processor,)

    def _having(self, method: str) -> list[Processor]:
        """Those that have a method: not all are optional, and processors of others may lack one."""
        return [processor for processor in self.processors if hasattr(processor, method)]

    def _call(self, processor: Processor, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method returns; False if it raises."""
        try:
            return getattr(processor, method)(*args, **kwargs)
        except Exception:
            if (id(processor), method) not in self._has_logged:
                self._has_logged.add((id(processor), method))
                message = "%s of the %s %r raised (this is said once)"
                self._logger.exception(message, method, self._kind, processor)
            return False

    def call(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Calls a method of each that has it."""
        for processor in self._having(method):
            self._call(processor, method, *args, **kwargs)

    def force_flush(self, timeout_millis: int) -> bool:
        """Flushes all; returns whether all did so in time. Those for which no time is left are not called.

        Args:
            timeout_millis: for all of them together.
        """
        deadline = monotonic_ns() + timeout_millis * 1_000_000
        are_flushed = True
        for processor in self.processors:
            left = deadline - monotonic_ns()
            if left <= 0:
                return False
            # A processor of others may return None, which says nothing.
            are_flushed &= self._call(processor, "force_flush", left // 1_000_000) is not False
        return are_flushed


class ConcurrentProcessorList(ProcessorList[Processor]):
    """Processors that are called at the same time, on threads; each call waits for all of them.

    Args:
        kind: what messages call a processor.
        logger: of the messages.
        max_threads: the most processors that run at the same time.
    """

    def __init__(self, kind: str, logger: logging.Logger, max_threads: int) -> None:
        self._max_threads = max_threads
        super().__init__(kind, logger)

    def _renew(self) -> None:
        """A forked child has no threads but one, besides."""
        super()._renew()
        self._executor = ThreadPoolExecutor(max_workers=self._max_threads)

    def _submit(self, method: str, *args: Any, **kwargs: Any) -> list[Future[Any]]:
        return [self._start(processor, method, *args, **kwargs) for processor in self._having(method)]

    def _start(self, processor: Processor, method: str, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return self._executor.submit(self._call, processor, method, *args, **kwargs)
        except RuntimeError:
            # The interpreter is ending, and starts no threads.
            return _done(self._call, processor, method, *args, **kwargs)

    def call(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Calls a method of each that has it."""
        wait(self._submit(method, *args, **kwargs))

    def force_flush(self, timeout_millis: int) -> bool:
        """Flushes all; returns whether all did so in time.

        Args:
            timeout_millis: for each of them.
        """
        done, late = wait(self._submit("force_flush", timeout_millis), timeout_millis / 1e3)
        return not late and all(future.result() is not False for future in done)


def _done(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(function(*args, **kwargs))
    return future


# One hook for all of them: a hook cannot be taken back.
_lists: weakref.WeakSet[ProcessorList[Any]] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for processors in list(_lists):
        processors._renew()


os.register_at_fork(after_in_child=_renew_after_fork)
