"""What the processors of spans and of log records share: the batches, their options, and a filter for their warnings.

The recorder needs none of this: what is recorded is in the file at once. A batch processor is for an exporter that
is registered beside it.
"""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from otlp_mmap.sdk._shared_internal._processor_metrics import NoOpProcessorMetrics, ProcessorMetricsT
from otlp_mmap.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, OTEL_SDK_DISABLED

Telemetry = TypeVar("Telemetry")
_Telemetry_contra = TypeVar("_Telemetry_contra", contravariant=True)

_DUPLICATE_SECONDS = 20
_DUPLICATE_KINDS = 64


class DuplicateFilter(logging.Filter):
    """Lets a log record of a place and message through once in a while, not each time.

    It is for the loggers of what exports log records: if exporting fails and says so, what it says is exported, and
    so on. It also ends a warning that would cause itself.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._last: dict[tuple[str, int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is not like one before it within the same 20 seconds."""
        kind = (record.module, record.levelno, str(record.msg))
        period = int(time.time()) // _DUPLICATE_SECONDS
        if self._last.get(kind) == period:
            return False
        if len(self._last) >= _DUPLICATE_KINDS:
            self._last.clear()
        self._last[kind] = period
        return True


_logger = logging.getLogger(__name__)
_logger.addFilter(DuplicateFilter())


class Exporter(Protocol[_Telemetry_contra]):
    """What takes batches."""

    def export(self, batch: Sequence[_Telemetry_contra], /) -> Any:
        """Takes a batch."""

    def shutdown(self) -> Any:
        """Ends it."""


class BatchProcessor(Generic[Telemetry]):
    """Keeps telemetry in a queue and gives it in batches to an exporter, on a thread of its own.

    The thread starts with the first telemetry, so a process that only forks workers has none; a forked child begins
    with an empty queue and without a thread. When the queue is full, the oldest gives way.

    Args:
        exporter: takes the batches.
        schedule_delay_millis: the longest wait of telemetry in the queue; a full batch does not wait.
        max_export_batch_size: most items of a batch.
        export_timeout_millis: kept as an attribute; the interface of exporters has no timeout.
        max_queue_size: most items of the queue.
        exporting: the name of what is exported, for messages.
        metrics: counts what the processor does, by default nothing.
    """

    def __init__(
        self,
        exporter: Exporter[Telemetry],
        schedule_delay_millis: float,
        max_export_batch_size: int,
        export_timeout_millis: float,
        max_queue_size: int,
        exporting: str,
        metrics: ProcessorMetricsT | None = None,
    ) -> None:
        self._exporter = exporter
        self._schedule_delay_millis = schedule_delay_millis
        self._schedule_delay = schedule_delay_millis / 1e3
        self._max_export_batch_size = max_export_batch_size
        self._export_timeout_millis = export_timeout_millis
        self._max_queue_size = max_queue_size
        self._exporting = exporting
        self._metrics = metrics or NoOpProcessorMetrics()
        self._queue: deque[Telemetry] = deque(maxlen=max_queue_size)
        self._shutdown = False
        self._shutdown_timeout_exceeded = False
        self._renew()
        _processors.add(self)
        self._metrics.register_queue_size(self._queue.__len__)

    def _renew(self) -> None:
        """Makes what a forked child cannot take over: locks in an unknown state, and a thread that is not there."""
        self._queue.clear()
        self._start_lock = threading.Lock()
        self._export_lock = threading.Lock()
        self._worker_awaken = threading.Event()
        self._flushes: deque[threading.Event] = deque()
        self._worker_thread = self._new_thread()
        self._is_started = False

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(name=f"OtelBatch{self._exporting}RecordProcessor", target=self.worker, daemon=True)

    def _start(self) -> bool:
        """Starts the thread if it was not yet. A process that is ending starts none."""
        with self._start_lock:
            if not self._is_started:
                try:
                    self._worker_thread.start()
                except RuntimeError:
                    return False
                self._is_started = True
        return True

    def emit(self, data: Telemetry) -> None:
        """Puts an item into the queue."""
        if self._shutdown:
            _logger.info("Shutdown called, ignoring %s.", self._exporting)
            self._metrics.drop_items(1, "already_shutdown")
            return
        if len(self._queue) == self._max_queue_size:
            _logger.warning("Queue full, dropping %s.", self._exporting)
            self._metrics.drop_items(1)
        self._queue.append(data)
        if not self._is_started:
            self._start()
        if len(self._queue) >= self._max_export_batch_size and not self._worker_awaken.is_set():
            self._worker_awaken.set()

    def worker(self) -> None:
        """What the thread does until `shutdown`."""
        while not self._shutdown:
            is_awoken = self._worker_awaken.wait(self._schedule_delay)
            # Before the queue is looked at: what comes later wakes this thread again.
            self._worker_awaken.clear()
            flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
            count = len(self._queue)
            if is_awoken and not flushes and not self._shutdown:
                count -= count % self._max_export_batch_size
            self._export(count)
            for flush in flushes:
                flush.set()
        self._export(len(self._queue))

    def _export(self, count: int) -> None:
        """Exports the oldest items of the queue, as many as `count`."""
        with self._export_lock:
            while count > 0 and self._queue and not self._shutdown_timeout_exceeded:
                size = min(count, self._max_export_batch_size, len(self._queue))
                batch = [self._queue.popleft() for _ in range(size)]
                count -= size
                self._metrics.finish_items(size)
                self._export_batch(batch)

    def _export_batch(self, batch: list[Telemetry]) -> None:
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            self._exporter.export(batch)
        except Exception:
            _logger.exception("Exception while exporting %s.", self._exporting)
        finally:
            detach(token)

    def force_flush(self, timeout_millis: float | None = None) -> bool:
        """Exports everything that is in the queue, and waits for it.

        Args:
            timeout_millis: the longest wait; by default there is no limit.

        Returns:
            Whether it is exported.
        """
        if self._shutdown:
            return False
        if threading.current_thread() is self._worker_thread:
            return False
        if not self._start():
            self._export(len(self._queue))
            return True
        flushed = threading.Event()
        self._flushes.append(flushed)
        self._worker_awaken.set()
        return flushed.wait(None if timeout_millis is None else timeout_millis / 1e3)

    def shutdown(self, timeout_millis: float = 30000) -> None:
        """Exports what is in the queue and shuts the exporter down. Items that come later are refused.

        Args:
            timeout_millis: the longest wait for the exports. At its end no further batch is begun.
        """
        if self._shutdown:
            return
        deadline = time.monotonic() + timeout_millis / 1e3
        self._shutdown = True
        self._worker_awaken.set()
        if not self._is_started:
            self._export(len(self._queue))
        elif threading.current_thread() is not self._worker_thread:
            self._worker_thread.join(timeout_millis / 1e3)
        self._shutdown_timeout_exceeded = True
        self._release_flushes()
        self._shutdown_exporter(max(0.0, (deadline - time.monotonic()) * 1e3))

    def _release_flushes(self) -> None:
        while self._flushes:
            self._flushes.popleft().set()

    def _shutdown_exporter(self, timeout_millis: float) -> None:
        try:
            if _takes_timeout(self._exporter.shutdown):
                self._exporter.shutdown(timeout_millis=timeout_millis)  # type: ignore[call-arg]
            else:
                self._exporter.shutdown()
        except Exception:
            _logger.exception("Exception while shutting down the exporter of %s.", self._exporting)


def _takes_timeout(function: Any) -> bool:
    try:
        return "timeout_millis" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


# One hook for all of them: a hook can't be taken back, and one of each processor would pile up.
_processors: weakref.WeakSet[BatchProcessor[Any]] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for processor in list(_processors):
        processor._renew()


os.register_at_fork(after_in_child=_renew_after_fork)


def environment_number(variable: str, default: int) -> int:
    """The whole number that an environment variable has; a text that is none is logged and gives the default."""
    text = os.environ.get(variable)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        _logger.exception("Unable to parse value for %s as integer. Defaulting to %s.", variable, default)
        return default


def environment_boolean(variable: str, default: bool = False) -> bool:
    """The truth that an environment variable says; another text than "true" or "false" is logged and ignored."""
    text = os.environ.get(variable)
    if text is None:
        return default
    known = {"true": True, "false": False}.get(text.strip().lower())
    if known is None:
        _logger.warning("Invalid value for %s: %r. Expected 'true' or 'false'.", variable, text)
        return default
    return known


def is_sdk_disabled() -> bool:
    """Whether `OTEL_SDK_DISABLED` is "true"; any other text is not."""
    return os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true"


def are_internal_metrics_enabled() -> bool:
    """Whether the SDK measures itself: `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` is "true"."""
    return environment_boolean(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED)


def environment_limit(given: int | None, variable: str, default: int | None = None) -> int | None:
    """A limit of telemetry: what is given, or else an environment variable, or else the default. None: no limit.

    Args:
        given: a number from 0; `UNSET_LIMIT`: no limit; None: not given.
        variable: has such a number; nothing: no limit.
        default: where there is no variable.

    Raises:
        ValueError: what is given or the variable is no such number.
    """
    if given == UNSET_LIMIT:
        return None
    if given is not None:
        if given < 0:
            raise _no_limit(variable, given)
        return given
    text = os.environ.get(variable)
    if text is None:
        return default
    text = text.strip()
    if not text:
        return None
    if not text.isdecimal():
        raise _no_limit(variable, text)
    return int(text)


UNSET_LIMIT = -1


def _no_limit(variable: str, found: object) -> ValueError:
    return ValueError(f"{variable} must be a non-negative integer but got {found}")


def check_batch_arguments(max_queue_size: float, schedule_delay_millis: float, max_export_batch_size: float) -> None:
    """Checks the arguments of a batch processor.

    Raises:
        ValueError: one is not positive, or a batch is larger than the queue.
    """
    if max_queue_size <= 0:
        raise ValueError(f"max_queue_size must be a positive integer, not {max_queue_size}")
    if schedule_delay_millis <= 0:
        raise ValueError(f"schedule_delay_millis must be positive, not {schedule_delay_millis}")
    if max_export_batch_size <= 0:
        raise ValueError(f"max_export_batch_size must be a positive integer, not {max_export_batch_size}")
    if max_export_batch_size > max_queue_size:
        raise ValueError(
            f"max_export_batch_size must be at most max_queue_size, not {max_export_batch_size} of {max_queue_size}"
        )
