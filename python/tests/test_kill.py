"""SIGKILL at random moments, 200 times: nothing whose call had returned is lost, and no reader fails.

What had returned is counted in memory that the test shares with the process it kills, not in the recording.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otlp_mmap import Reader, Sum, Writer
from otlp_mmap.model import NumberPoint

from .processes import Counts, fork, join
from .telemetry import EPOCH, RESOURCE, SCOPE, define_scope

ROUNDS = 200
THREADS = 2
LONGEST_SECONDS = 0.03
# What each thread counts: calls that returned, by kind.
STARTED, LEFT_OUT, ENDED, EVENTS, ADDED = KINDS = range(5)


def ids(thread: int, number: int) -> tuple[bytes, bytes]:
    """Ids of a thread's span."""
    return b"thread %d" % thread + number.to_bytes(8, "big"), (thread << 32 | number + 1).to_bytes(8, "big")


def record_until_killed(path: Path, returned: Counts) -> None:
    """Opens a recording and records from two threads for ever."""
    writer = Writer(path)
    scope = define_scope(writer, RESOURCE, SCOPE)
    metric = writer.create_metric_stream(scope, "calls", "", "", Sum("CUMULATIVE", is_monotonic=True))

    def record(thread: int) -> None:
        count = thread * len(KINDS)
        number = 0
        while True:
            # Two spans overlap: one is always in flight.
            writer.record_span_start(
                scope, *ids(thread, number), None, 1, f"span {number}", 1, EPOCH + number, {"thread": thread}
            )
            returned.increment(count + STARTED)
            writer.record_span_dropped(scope, *ids(thread, number), attributes=1, events=2, links=3)
            returned.increment(count + LEFT_OUT)
            writer.record_event(scope, None, 0, EPOCH + number, {"thread": thread, "number": number})
            returned.increment(count + EVENTS)
            writer.record_measurement(metric, {"thread": thread}, EPOCH + number, 1)
            returned.increment(count + ADDED)
            if number:
                writer.record_span_end(scope, *ids(thread, number - 1), EPOCH + number)
                returned.increment(count + ENDED)
            number += 1

    for thread in range(1, THREADS):
        threading.Thread(target=record, args=(thread,), daemon=True).start()
    record(0)


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits for something that has to happen."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.0005)


@pytest.fixture(scope="module")
def rng() -> random.Random:
    """The moments; a failure says which seed it was."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("batch", range(10))
def test_kill_at_any_moment(tmp_path: Path, rng: random.Random, batch: int) -> None:
    for number in range(ROUNDS // 10):
        path = tmp_path / f"{batch}.{number}.otlpmm"
        returned = Counts(THREADS * len(KINDS))
        pid = fork(lambda path=path, returned=returned: record_until_killed(path, returned))  # type: ignore[misc]
        # A moment may lie before the file has its name.
        time.sleep(rng.random() * LONGEST_SECONDS)
        if path.exists():
            check_live(path)
        os.kill(pid, signal.SIGKILL)
        assert join([pid]) == [-signal.SIGKILL]
        if path.exists():
            check(Reader(path), returned)
        else:
            assert not any(returned[index] for index in range(THREADS * len(KINDS)))


def check_live(path: Path) -> None:
    """A reader at work never fails, and sees no record in part."""
    reader = Reader(path)
    for span in reader.spans():
        assert span.name == f"span {int.from_bytes(span.trace_id[8:], 'big')}"
    assert reader.faults() == []


def check(reader: Reader, returned: Counts) -> None:
    """Compares what is in the file with what had returned; one call of each thread was under way."""
    (file,) = reader.files()
    assert file.state == "dead"
    assert reader.faults() == []
    spans = {(span.trace_id, span.span_id): span for span in reader.spans()}
    in_flight = {(span.trace_id, span.span_id): span for span in reader.spans_in_flight()}
    events = [(event.attributes["thread"], event.attributes["number"]) for event in reader.events()]
    added = {series.attributes["thread"]: series.point for series in reader.metrics()}
    for thread in range(THREADS):
        started, left_out, ended, happened, measured = (returned[thread * len(KINDS) + kind] for kind in KINDS)
        found = [number for number in range(started + 1) if ids(thread, number) in spans]
        assert found == list(range(len(found)))
        assert ended <= len(found) <= ended + 1
        open_now = [number for number in range(started + 1) if ids(thread, number) in in_flight]
        assert set(range(len(found), started)) <= set(open_now) <= set(range(len(found), started + 1))
        for number in open_now:
            span = in_flight[ids(thread, number)]
            assert (span.name, span.attributes) == (f"span {number}", {"thread": thread})
            counts = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
            assert counts == (1, 2, 3) or (counts == (0, 0, 0) and number >= left_out)
        numbers = sorted(number for of, number in events if of == thread and isinstance(number, int))
        assert numbers == list(range(len(numbers)))
        assert happened <= len(numbers) <= happened + 1
        point = added.get(thread, NumberPoint(0))
        assert isinstance(point, NumberPoint)
        assert measured <= point.value <= measured + 1
