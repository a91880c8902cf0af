"""An exporter that keeps log records in memory, for tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from typing_extensions import deprecated

from .. import ReadableLogRecord
from . import LogRecordExporter, LogRecordExportResult


class InMemoryLogRecordExporter(LogRecordExporter):
    """Keeps log records in memory."""

    def __init__(self) -> None:
        self._logs: list[ReadableLogRecord] = []
        self._lock = threading.Lock()
        self._stopped = False

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._logs.clear()

    def get_finished_logs(self) -> tuple[ReadableLogRecord, ...]:
        """Those that were exported, in their order."""
        with self._lock:
            return tuple(self._logs)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Keeps them; after `shutdown` this fails."""
        if self._stopped:
            return LogRecordExportResult.FAILURE
        with self._lock:
            self._logs.extend(batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Takes no more of them."""
        self._stopped = True

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Does nothing: they are kept."""
        return True


@deprecated("Use InMemoryLogRecordExporter.")
class InMemoryLogExporter(InMemoryLogRecordExporter):
    """The old name of `InMemoryLogRecordExporter`."""
