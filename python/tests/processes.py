"""Children by `fork`: run a function in one, and count outside of any recording what its calls returned."""

from __future__ import annotations

import mmap
import os
import sys
import traceback
from collections.abc import Callable, Iterable


class Counts:
    """Counters in memory that a process shares with its children; they outlive any of them."""

    def __init__(self, number: int) -> None:
        self._words = memoryview(mmap.mmap(-1, number * 8)).cast("Q")

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def increment(self, index: int) -> None:
        """Adds one; each counter belongs to one thread."""
        self._words[index] += 1


def fork(run: Callable[[], None]) -> int:
    """Runs a function in a child and returns its pid. The child exits with 0, or with 1 if it raised."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run()
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def join(pids: Iterable[int]) -> list[int]:
    """Waits for children; their exit codes, negative for signals."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
