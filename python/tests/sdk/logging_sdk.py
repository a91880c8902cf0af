"""What the tests of logs share: a provider that records into a file of the test, and doubles of the interfaces."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otlp_mmap import Reader, Writer, model
from otlp_mmap.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk._shared_internal import DuplicateFilter
from otlp_mmap.sdk.resources import Resource


def forget_warnings() -> None:
    """Has the filters of loggers forget what they let through."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("otlp_mmap."):
            for each in logging.getLogger(name).filters:
                if isinstance(each, DuplicateFilter):
                    each._last.clear()


class Logs:
    """A provider, and what is in its file."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.writer = Writer(path, cells_size=1 << 16, dictionary_size=1 << 17, **options.pop("writer", {}))
        self.recording = Recording(self.writer)
        options.setdefault("resource", Resource({"service.name": "tests"}))
        self.provider = LoggerProvider(recording=self.recording, shutdown_on_exit=False, **options)
        # Any: what is not in the API.
        self.logger: Any = self.provider.get_logger("tests.scope", "1.0")

    def events(self) -> list[model.Event]:
        """The log records of the file."""
        return Reader(self.writer.path).events()

    def event(self) -> model.Event:
        """The only one."""
        (event,) = self.events()
        return event

    def bodies(self) -> list[Any]:
        """The bodies of the log records of the file."""
        return [event.body for event in self.events()]


def resource_of(event: model.Event) -> dict[str, Any]:
    """The attributes of its resource, without the id that readers give a file."""
    return {key: value for key, value in event.scope.resource.attributes.items() if key != "service.instance.id"}


class Seen(LogRecordProcessor):
    """A processor that keeps what it sees. `change` may change it, `wants` says what `enabled` does."""

    def __init__(self, change: Callable[[ReadWriteLogRecord], object] = lambda _: None, wants: bool = True) -> None:
        self.records: list[ReadWriteLogRecord] = []
        self.asked: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self._change = change
        self._wants = wants

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.records.append(log_record)
        self._change(log_record)

    def enabled(self, **arguments: Any) -> bool:
        self.asked.append(arguments)
        return self._wants

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.calls.append(f"force_flush {timeout_millis > 0}")
        return True
