"""Log record processors: their interface, and those that call others."""

from __future__ import annotations

import abc
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent import futures

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context

from ...util.instrumentation import InstrumentationScope
from ._records import ReadWriteLogRecord


class LogRecordProcessor(abc.ABC):
    """Sees every log record of a provider, before it is recorded in the file."""

    @abc.abstractmethod
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """A log record was emitted. What this changes in it, later processors see, and the file has."""

    def enabled(
        self,
        *,
        context: Context | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Whether this processor wants a log record with these properties; by default it wants all."""
        return True

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Ends the processor."""

    @abc.abstractmethod
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Exports what was not yet exported.

        Args:
            timeout_millis: the longest wait.

        Returns:
            False if that was not long enough.
        """


class _MultiLogRecordProcessor(LogRecordProcessor):
    """Calls others, in the order in which they were added."""

    def __init__(self) -> None:
        # A tuple: it is never changed while somebody goes through it.
        self._log_record_processors: tuple[LogRecordProcessor, ...] = ()
        self._on_added: Callable[[], None] | None = None
        self._renew()
        _processors.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Adds a processor, which is called behind those that are there."""
        with self._lock:
            self._log_record_processors += (log_record_processor,)
        if self._on_added is not None:
            self._on_added()

    def enabled(
        self,
        *,
        context: Context | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Whether one of them wants a log record with these properties."""
        return any(
            processor.enabled(
                context=context,
                instrumentation_scope=instrumentation_scope,
                severity_number=severity_number,
                event_name=event_name,
            )
            for processor in self._log_record_processors
        )


class SynchronousMultiLogRecordProcessor(_MultiLogRecordProcessor):
    """Calls other processors one after the other."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Tells each of them."""
        for processor in self._log_record_processors:
            processor.on_emit(log_record)

    def shutdown(self) -> None:
        """Ends each of them."""
        for processor in self._log_record_processors:
            processor.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes each of them, as long as there is time.

        Args:
            timeout_millis: the longest wait for all of them.

        Returns:
            False if that was not long enough.
        """
        deadline = time.monotonic_ns() + timeout_millis * 1_000_000
        is_flushed = True
        for processor in self._log_record_processors:
            left = deadline - time.monotonic_ns()
            if left <= 0:
                return False
            # A processor of others may return None, which says nothing.
            is_flushed &= processor.force_flush(left // 1_000_000) is not False
        return is_flushed


class ConcurrentMultiLogRecordProcessor(_MultiLogRecordProcessor):
    """Calls other processors on threads, side by side, and waits for all of them.

    Args:
        max_workers: most threads.
    """

    def __init__(self, max_workers: int = 2) -> None:
        self._max_workers = max_workers
        super().__init__()

    def _renew(self) -> None:
        """Makes what a forked child cannot take over: the lock, and threads that are not there."""
        super()._renew()
        self._executor = futures.ThreadPoolExecutor(max_workers=self._max_workers)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Tells each of them."""
        self._run(lambda processor: processor.on_emit(log_record))

    def shutdown(self) -> None:
        """Ends each of them."""
        self._run(lambda processor: processor.shutdown())

    def _run(self, call: Callable[[LogRecordProcessor], None]) -> None:
        calls = [self._executor.submit(call, processor) for processor in self._log_record_processors]
        for running in calls:
            running.result()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes each of them.

        Args:
            timeout_millis: the longest wait.

        Returns:
            False if that was not long enough.
        """
        calls = [
            self._executor.submit(processor.force_flush, timeout_millis) for processor in self._log_record_processors
        ]
        done, running = futures.wait(calls, timeout_millis / 1e3)
        return not running and all(call.result() is not False for call in done)


_processors: weakref.WeakSet[_MultiLogRecordProcessor] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for processor in list(_processors):
        processor._renew()


os.register_at_fork(after_in_child=_renew_after_fork)
