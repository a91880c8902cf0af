"""Processors that give log records to exporters, and an exporter that prints them."""

from __future__ import annotations

import abc
import copy
import enum
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import IO

from opentelemetry.context import (
    _ON_EMIT_RECURSION_COUNT_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    detach,
    get_value,
    set_value,
)
from opentelemetry.metrics import MeterProvider, get_meter_provider
from typing_extensions import deprecated

from ...._shared_internal import (
    BatchProcessor,
    DuplicateFilter,
    are_internal_metrics_enabled,
    check_batch_arguments,
    environment_number,
)
from ...._shared_internal._processor_metrics import ProcessorMetricsT, create_processor_metrics
from ....environment_variables import (
    OTEL_BLRP_EXPORT_TIMEOUT,
    OTEL_BLRP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BLRP_MAX_QUEUE_SIZE,
    OTEL_BLRP_SCHEDULE_DELAY,
)
from .. import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord

_DEFAULT_SCHEDULE_DELAY_MILLIS = 1000
_DEFAULT_MAX_EXPORT_BATCH_SIZE = 512
_DEFAULT_EXPORT_TIMEOUT_MILLIS = 30000
_DEFAULT_MAX_QUEUE_SIZE = 2048
# How often exporting a log record may log another one, and so on.
_MAX_RECURSION = 3

_logger = logging.getLogger(__name__)
_logger.addFilter(DuplicateFilter())

# Does not reach the handlers that brought the recursion about.
_unpropagated_logger = logging.getLogger(f"{__name__}.propagate.false")
_unpropagated_logger.propagate = False


class LogRecordExportResult(enum.Enum):
    """What came of an export."""

    SUCCESS = 0
    FAILURE = 1


@deprecated("Use LogRecordExportResult.")
class LogExportResult(enum.Enum):
    """The old name of `LogRecordExportResult`."""

    SUCCESS = 0
    FAILURE = 1


class LogRecordExporter(abc.ABC):
    """Takes log records from a processor, to send them somewhere in a form of its own."""

    @abc.abstractmethod
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Takes log records. It may raise; the processor deals with that."""

    @abc.abstractmethod
    def shutdown(self) -> None:
        """Ends the exporter."""

    @abc.abstractmethod
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Sends what was exported and not yet sent.

        Args:
            timeout_millis: the longest wait.

        Returns:
            False if that was not long enough.
        """


@deprecated("Use LogRecordExporter.")
class LogExporter(LogRecordExporter):
    """The old name of `LogRecordExporter`."""


class ConsoleLogRecordExporter(LogRecordExporter):
    """Prints log records.

    Args:
        out: where to.
        formatter: makes the text of a record, by default JSON.
    """

    def __init__(
        self,
        out: IO[str] = sys.stdout,
        formatter: Callable[[ReadableLogRecord], str] = lambda record: record.to_json() + os.linesep,
    ) -> None:
        self.out = out
        self.formatter = formatter

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Prints them."""
        for log_record in batch:
            self.out.write(self.formatter(log_record))
        self.out.flush()
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Does nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Does nothing: what is exported is printed."""
        return True


@deprecated("Use ConsoleLogRecordExporter.")
class ConsoleLogExporter(ConsoleLogRecordExporter):
    """The old name of `ConsoleLogRecordExporter`."""


def _metrics(
    component_type: str, meter_provider: MeterProvider | None, capacity: int | None = None
) -> ProcessorMetricsT:
    return create_processor_metrics(
        "logs",
        component_type,
        meter_provider or get_meter_provider(),
        capacity=capacity,
        enabled=are_internal_metrics_enabled(),
    )


class SimpleLogRecordProcessor(LogRecordProcessor):
    """Gives each log record to an exporter at once. What the exporter raises is logged.

    Args:
        exporter: takes them.
        meter_provider: makes the metrics of the processor itself.
    """

    def __init__(self, exporter: LogRecordExporter, *, meter_provider: MeterProvider | None = None) -> None:
        self._exporter = exporter
        self._shutdown = False
        self._metrics = _metrics("simple_log_processor", meter_provider)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Exports it."""
        depth = get_value(_ON_EMIT_RECURSION_COUNT_KEY)
        depth = depth if isinstance(depth, int) else 0
        if depth > _MAX_RECURSION:
            _unpropagated_logger.warning(
                "SimpleLogRecordProcessor.on_emit has entered a recursive loop. Dropping log and exiting the loop."
            )
            return
        deeper = set_value(_ON_EMIT_RECURSION_COUNT_KEY, depth + 1)
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True, deeper))
        try:
            self._export(log_record)
        except Exception:
            _logger.exception("Exception while exporting logs.")
        finally:
            detach(token)

    def _export(self, log_record: ReadWriteLogRecord) -> None:
        if self._shutdown:
            _logger.warning("Processor is already shutdown, ignoring call")
            self._metrics.drop_items(1, "already_shutdown")
            return
        self._metrics.finish_items(1)
        self._exporter.export((log_record._readable(log_record.log_record),))

    def shutdown(self) -> None:
        """Ends the exporter."""
        self._shutdown = True
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Does nothing: everything is exported."""
        return True


class BatchLogRecordProcessor(LogRecordProcessor):
    """Gives log records in batches to an exporter, on a thread of its own.

    Args:
        exporter: takes the batches.
        schedule_delay_millis: the longest wait of a record, `OTEL_BLRP_SCHEDULE_DELAY`, by default 1,000.
        max_export_batch_size: most records of a batch, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`, by default 512.
        export_timeout_millis: `OTEL_BLRP_EXPORT_TIMEOUT`; exporters have no way to be told.
        max_queue_size: most records that wait, `OTEL_BLRP_MAX_QUEUE_SIZE`, by default 2,048.
        meter_provider: makes the metrics of the processor itself.

    Raises:
        ValueError: a number is not positive, or a batch is larger than the queue.
    """

    def __init__(
        self,
        exporter: LogRecordExporter,
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        max_queue_size: int | None = None,
        *,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        if max_queue_size is None:
            max_queue_size = environment_number(OTEL_BLRP_MAX_QUEUE_SIZE, _DEFAULT_MAX_QUEUE_SIZE)
        if schedule_delay_millis is None:
            schedule_delay_millis = environment_number(OTEL_BLRP_SCHEDULE_DELAY, _DEFAULT_SCHEDULE_DELAY_MILLIS)
        if max_export_batch_size is None:
            max_export_batch_size = environment_number(OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, _DEFAULT_MAX_EXPORT_BATCH_SIZE)
        if export_timeout_millis is None:
            export_timeout_millis = environment_number(OTEL_BLRP_EXPORT_TIMEOUT, _DEFAULT_EXPORT_TIMEOUT_MILLIS)
        check_batch_arguments(max_queue_size, schedule_delay_millis, max_export_batch_size)
        self._batch_processor = BatchProcessor(
            exporter,
            schedule_delay_millis,
            max_export_batch_size,
            export_timeout_millis,
            max_queue_size,
            "Log",
            _metrics("batching_log_processor", meter_provider, max_queue_size),
        )

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Puts it into the queue."""
        # Without its context, which may be large; processors that come later still need it.
        exported = copy.copy(log_record.log_record)
        exported.context = Context()
        self._batch_processor.emit(log_record._readable(exported))

    def shutdown(self) -> None:
        """Exports what is in the queue, and ends the exporter."""
        self._batch_processor.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Exports what is in the queue.

        Args:
            timeout_millis: the longest wait.

        Returns:
            False if that was not long enough.
        """
        return self._batch_processor.force_flush(timeout_millis)
