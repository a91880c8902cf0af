"""However a process ends without closing its recording: everything whose call had returned is in the file."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from otlp_mmap import Reader, Writer

from .processes import Counts, fork, join
from .telemetry import EPOCH, RESOURCE, SCOPE, define_scope

THREADS = 3
EVENTS = 200


def without_core(end: Callable[[], object]) -> None:
    """Ends this process in a way that would leave a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What Python would print of the crash is no output of the test.
    faulthandler.disable()
    end()


def read_nowhere() -> None:
    """A real segmentation fault: a read of the page at address 0."""
    without_core(lambda: ctypes.string_at(0))


def abort() -> None:
    """As a failed assertion of C code does."""
    without_core(os.abort)


def leave() -> None:
    """Runs no handler and flushes nothing."""
    os._exit(3)


def kill() -> None:
    """As the OOM killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


def recurse_in_c() -> None:
    """The interpreter's own check of fatal errors."""
    without_core(lambda: ctypes.pythonapi.Py_FatalError(b"a test"))


def record_and_end(path: Path, returned: Counts, end: Callable[[], None]) -> None:
    """Records on several threads, one of which ends the process while the others go on."""
    writer = Writer(path)
    scope = define_scope(writer, RESOURCE, SCOPE)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    os.dup2(sys.stderr.fileno(), 2)

    def record(thread: int) -> None:
        trace_id, span_id = bytes([thread + 1]) * 16, bytes([thread + 1]) * 8
        writer.record_span_start(scope, trace_id, span_id, None, 1, "in flight", 1, EPOCH, {})
        number = 0
        while thread or number < EVENTS:
            writer.record_event(scope, None, 0, EPOCH + number, {"thread": thread, "number": number})
            returned.increment(thread)
            number += 1

    for thread in range(1, THREADS):
        threading.Thread(target=record, args=(thread,), daemon=True).start()
    record(0)
    end()


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (leave, 3),
        (abort, -signal.SIGABRT),
        (read_nowhere, -signal.SIGSEGV),
        (recurse_in_c, -signal.SIGABRT),
        (kill, -signal.SIGKILL),
    ],
)
def test_an_end_without_a_close(path: Path, end: Callable[[], None], status: int) -> None:
    returned = Counts(THREADS)
    assert join([fork(lambda: record_and_end(path, returned, end))]) == [status]
    reader = Reader(path)
    (file,) = reader.files()
    assert file.state == "dead"
    assert reader.faults() == []
    found = [(event.attributes["thread"], event.attributes["number"]) for event in reader.events()]
    assert len(found) == len(set(found))
    for thread in range(THREADS):
        numbers = sorted(number for of, number in found if of == thread and isinstance(number, int))
        # The other threads may have overwritten the oldest, and may have had one call under way.
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else returned[thread] == 0
        assert not numbers or returned[thread] <= numbers[-1] + 1 <= returned[thread] + 1
    assert len([number for of, number in found if of == 0]) == EVENTS
    in_flight = {span.span_id for span in reader.spans_in_flight()}
    assert bytes([1]) * 8 in in_flight
    assert all(span.name == "in flight" for span in reader.spans_in_flight())
