"""An exporter that keeps the spans, for tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from .. import ReadableSpan
from . import SpanExporter, SpanExportResult


class InMemorySpanExporter(SpanExporter):
    """Keeps the spans that it takes.

    Args:
        max_spans: the most it keeps, the newest ones; None: all.
    """

    def __init__(self, max_spans: int | None = None) -> None:
        self._finished_spans: deque[ReadableSpan] = deque(maxlen=max_spans)
        self._stopped = False
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forgets the spans."""
        with self._lock:
            self._finished_spans.clear()

    def get_finished_spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that it has."""
        with self._lock:
            return tuple(self._finished_spans)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keeps the spans."""
        if self._stopped:
            return SpanExportResult.FAILURE
        with self._lock:
            self._finished_spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Takes no more spans."""
        self._stopped = True
