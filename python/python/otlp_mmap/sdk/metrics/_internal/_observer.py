"""The thread that has asynchronous instruments observed into the file, at an interval."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from logging import getLogger
from threading import Event, Lock, Thread

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from ...environment_variables import OTEL_METRIC_EXPORT_INTERVAL

_logger = getLogger(__name__)


def environment_millis(variable: str, default: float) -> float:
    """The milliseconds that an environment variable has; a text that is none is logged and gives the default."""
    text = os.environ.get(variable, "").strip()
    try:
        millis = float(text) if text else default
    except ValueError:
        millis = math.nan
    if not millis > 0:
        _logger.warning("%s=%r is no number of milliseconds: the default is used", variable, text)
        return default
    return millis


def export_interval_millis() -> float:
    """`OTEL_METRIC_EXPORT_INTERVAL`: for asynchronous instruments in the file, and for metric readers."""
    return environment_millis(OTEL_METRIC_EXPORT_INTERVAL, 60_000.0)


class Observer:
    """Calls `observe` at an interval, once it is started. A forked child has a thread of its own.

    Args:
        observe: calls the callbacks and records what they observe.
    """

    def __init__(self, observe: Callable[[], None]) -> None:
        self._observe = observe
        self._interval = export_interval_millis() / 1000
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stop = Event()
        self._is_stopped = False
        self._has_work = False

    def start(self) -> None:
        """Starts the thread, unless it runs: there is something to observe."""
        with self._lock:
            self._has_work = True
            if self._thread is None and not self._is_stopped and self._interval < math.inf:
                self._thread = self._started()

    def _started(self) -> Thread | None:
        self._stop = Event()
        thread = Thread(target=self._run, args=(self._stop,), name="otlp-mmap-observer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _logger.warning("Asynchronous instruments are observed at the end alone: no thread starts: %s", error)
            return None
        return thread

    def after_fork(self) -> None:
        """In a forked child: the thread is the parent's alone."""
        self._lock = Lock()
        if self._thread is not None and not self._is_stopped:
            self._thread = self._started()

    def _run(self, stop: Event) -> None:
        while not stop.wait(self._interval):
            self.observe_once()
        self.observe_once()

    def observe_once(self) -> None:
        """Observes now. What the callbacks do is not instrumented."""
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            self._observe()
        except Exception:
            _logger.exception("Asynchronous instruments were not observed")
        finally:
            detach(token)

    def stop(self, timeout_millis: float) -> None:
        """Observes once more, and waits for it no longer than this: a callback that hangs holds nobody up."""
        with self._lock:
            self._is_stopped = True
            thread = self._thread
        if not self._has_work:
            return
        deadline = time.monotonic() + timeout_millis / 1000
        self._stop.set()
        if thread is None:
            # No interval, or no thread would start.
            thread = self._last()
        if thread is not None:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                _logger.warning("A callback takes too long: the last values of asynchronous instruments are missing")

    def _last(self) -> Thread | None:
        thread = Thread(target=self.observe_once, name="otlp-mmap-observer", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is on its way out and starts no thread any more.
            self.observe_once()
            return None
        return thread
