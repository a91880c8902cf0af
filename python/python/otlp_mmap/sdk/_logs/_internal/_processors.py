"""Log record processors: their interface, and those that call others."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context

from ..._shared_internal._processor_lists import ConcurrentProcessorList, ProcessorList
from ...util.instrumentation import InstrumentationScope
from ._records import ReadWriteLogRecord

_logger = logging.getLogger("otlp_mmap.sdk._logs")


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

    def __init__(self, processors: ProcessorList[LogRecordProcessor]) -> None:
        self._processors = processors
        self._on_added: Callable[[], None] | None = None

    @property
    def _log_record_processors(self) -> tuple[LogRecordProcessor, ...]:
        return self._processors.processors

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Adds a processor, which is called behind those that are there."""
        self._processors.add(log_record_processor)
        if self._on_added is not None:
            self._on_added()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Tells each of them."""
        self._processors.call("on_emit", log_record)

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

    def shutdown(self) -> None:
        """Ends each of them."""
        self._processors.call("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes each of them; returns whether all did so in time."""
        return self._processors.force_flush(timeout_millis)


class SynchronousMultiLogRecordProcessor(_MultiLogRecordProcessor):
    """Calls other processors one after the other. Those for which a flush leaves no time are not flushed."""

    def __init__(self) -> None:
        super().__init__(ProcessorList("log record processor", _logger))


class ConcurrentMultiLogRecordProcessor(_MultiLogRecordProcessor):
    """Calls other processors on threads, side by side, and waits for all of them.

    Args:
        max_workers: most threads.
    """

    def __init__(self, max_workers: int = 2) -> None:
        super().__init__(ConcurrentProcessorList("log record processor", _logger, max_workers))
