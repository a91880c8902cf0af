"""Span exporters, which take spans beside the file, and the processors that feed them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TextIO

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, detach, set_value
from opentelemetry.metrics import MeterProvider, get_meter_provider

from ..._shared_internal import (
    BatchProcessor,
    are_internal_metrics_enabled,
    check_batch_arguments,
    environment_number,
)
from ..._shared_internal._processor_metrics import ProcessorMetricsT, create_processor_metrics
from ...environment_variables import (
    OTEL_BSP_EXPORT_TIMEOUT,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
)
from .. import ReadableSpan, Span, SpanProcessor

__all__ = [
    "BatchSpanProcessor",
    "ConsoleSpanExporter",
    "SimpleSpanProcessor",
    "SpanExportResult",
    "SpanExporter",
]

logger = logging.getLogger(__name__)

_DEFAULT_SCHEDULE_DELAY_MILLIS = 5000
_DEFAULT_MAX_EXPORT_BATCH_SIZE = 512
_DEFAULT_EXPORT_TIMEOUT_MILLIS = 30000
_DEFAULT_MAX_QUEUE_SIZE = 2048


class SpanExportResult(Enum):
    """Whether spans were exported."""

    SUCCESS = 0
    FAILURE = 1


class SpanExporter:
    """Takes spans that have ended."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Takes a batch of spans."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """Ends it; it is not called again."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Finishes what it has taken; returns whether it did so in time."""
        del timeout_millis
        return True


def _metrics(component: str, meter_provider: MeterProvider | None, capacity: int | None = None) -> ProcessorMetricsT:
    return create_processor_metrics(
        "traces",
        component,
        meter_provider or get_meter_provider(),
        capacity=capacity,
        enabled=are_internal_metrics_enabled(),
    )


class SimpleSpanProcessor(SpanProcessor):
    """Gives each sampled span to an exporter as soon as it has ended.

    Args:
        span_exporter: takes the spans.
        meter_provider: for metrics of the processor itself.
    """

    def __init__(self, span_exporter: SpanExporter, *, meter_provider: MeterProvider | None = None) -> None:
        self.span_exporter = span_exporter
        self._shutdown = False
        self._metrics = _metrics("simple_span_processor", meter_provider)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Does nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Exports the span, if it is sampled."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        if self._shutdown:
            logger.warning("Processor is already shutdown, ignoring call")
            self._metrics.drop_items(1, "already_shutdown")
            return
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        self._metrics.finish_items(1)
        try:
            self.span_exporter.export((span,))
        except Exception:
            logger.exception("Exception while exporting Span.")
        finally:
            detach(token)

    def shutdown(self) -> None:
        """Shuts the exporter down."""
        self._shutdown = True
        self.span_exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """True: nothing waits."""
        del timeout_millis
        return True


class BatchSpanProcessor(SpanProcessor):
    """Gives sampled spans that have ended to an exporter in batches, on a thread of its own.

    Args:
        span_exporter: takes the spans.
        max_queue_size: most spans that wait; when there are more, the oldest give way (`OTEL_BSP_MAX_QUEUE_SIZE`).
        schedule_delay_millis: the longest wait (`OTEL_BSP_SCHEDULE_DELAY`).
        max_export_batch_size: most spans of a batch (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
        export_timeout_millis: not used: exporters have their own (`OTEL_BSP_EXPORT_TIMEOUT`).
        meter_provider: for metrics of the processor itself.

    Raises:
        ValueError: a number is not positive, or a batch is larger than the queue.
    """

    def __init__(
        self,
        span_exporter: SpanExporter,
        max_queue_size: int | None = None,
        schedule_delay_millis: float | None = None,
        max_export_batch_size: int | None = None,
        export_timeout_millis: float | None = None,
        *,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        if max_queue_size is None:
            max_queue_size = self._default_max_queue_size()
        if schedule_delay_millis is None:
            schedule_delay_millis = self._default_schedule_delay_millis()
        if max_export_batch_size is None:
            max_export_batch_size = self._default_max_export_batch_size()
        if export_timeout_millis is None:
            export_timeout_millis = self._default_export_timeout_millis()
        check_batch_arguments(max_queue_size, schedule_delay_millis, max_export_batch_size)
        metrics = _metrics("batching_span_processor", meter_provider, max_queue_size)
        self._batch_processor: BatchProcessor[ReadableSpan] = BatchProcessor(
            span_exporter,
            schedule_delay_millis,
            max_export_batch_size,
            export_timeout_millis,
            max_queue_size,
            "Span",
            metrics,
        )

    @property
    def span_exporter(self) -> SpanExporter:
        """Takes the spans."""
        return self._batch_processor._exporter  # type: ignore[return-value]

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Does nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Puts the span into the queue, if it is sampled."""
        if span.context and span.context.trace_flags.sampled:
            self._batch_processor.emit(span)

    def shutdown(self) -> None:
        """Exports what waits, and shuts the exporter down."""
        self._batch_processor.shutdown()

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Exports what waits; returns whether that was done in time."""
        return self._batch_processor.force_flush(timeout_millis)

    @staticmethod
    def _default_max_queue_size() -> int:
        return environment_number(OTEL_BSP_MAX_QUEUE_SIZE, _DEFAULT_MAX_QUEUE_SIZE)

    @staticmethod
    def _default_schedule_delay_millis() -> int:
        return environment_number(OTEL_BSP_SCHEDULE_DELAY, _DEFAULT_SCHEDULE_DELAY_MILLIS)

    @staticmethod
    def _default_max_export_batch_size() -> int:
        return environment_number(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, _DEFAULT_MAX_EXPORT_BATCH_SIZE)

    @staticmethod
    def _default_export_timeout_millis() -> int:
        return environment_number(OTEL_BSP_EXPORT_TIMEOUT, _DEFAULT_EXPORT_TIMEOUT_MILLIS)


def _to_json_line(span: ReadableSpan) -> str:
    return span.to_json() + os.linesep


class ConsoleSpanExporter(SpanExporter):
    """Writes spans as texts, to see them while developing.

    Args:
        service_name: not used.
        out: takes the texts.
        formatter: the text of a span.
    """

    def __init__(
        self,
        service_name: str | None = None,
        out: TextIO = sys.stdout,
        formatter: Callable[[ReadableSpan], str] = _to_json_line,
    ) -> None:
        self.out = out
        self.formatter = formatter
        self.service_name = service_name

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes the spans."""
        for span in spans:
            self.out.write(self.formatter(span))
        self.out.flush()
        return SpanExportResult.SUCCESS
