"""The batch processor that spans and log records share: batches, a full queue, flushing, shutdown, fork, threads."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otlp_mmap.sdk._shared_internal import (
    BatchProcessor,
    DuplicateFilter,
    check_batch_arguments,
    environment_boolean,
    environment_number,
)

from .logging_sdk import forget_warnings

FOR_EVER = 10_000_000


class Recorder:
    """Keeps its batches. `gate` can hold an export back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.suppressed: list[object] = []
        self.shutdowns: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def export(self, batch: Sequence[int], /) -> None:
        self.entered.set()
        self.gate.wait()
        self.suppressed.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
        self.batches.append(list(batch))

    def shutdown(self) -> None:
        self.shutdowns.append(0)
        self.gate.set()


class Patient(Recorder):
    """An exporter whose shutdown has a timeout."""

    def shutdown(self, timeout_millis: float = -1) -> None:
        self.shutdowns.append(timeout_millis)
        self.gate.set()


class Counts:
    """The metrics of a processor, as lists."""

    def __init__(self) -> None:
        self.size: Callable[[], int] = lambda: -1
        self.finished = 0
        self.dropped: dict[str, int] = {}

    def register_queue_size(self, get_queue_size: Callable[[], int]) -> None:
        self.size = get_queue_size

    def drop_items(self, count: int, error_type: str = "queue_full") -> None:
        self.dropped[error_type] = self.dropped.get(error_type, 0) + count

    def finish_items(self, count: int) -> None:
        self.finished += count


Make = Callable[..., BatchProcessor[int]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[BatchProcessor[int]] = []

    def processor(
        exporter: Recorder, *, delay: float = FOR_EVER, batch: int = 3, queue: int = 10, metrics: Counts | None = None
    ) -> BatchProcessor[int]:
        made.append(BatchProcessor(exporter, delay, batch, 500, queue, "Number", metrics))
        return made[-1]

    yield processor
    for processor_made in made:
        processor_made.shutdown(0)


@pytest.fixture(autouse=True)
def _unfiltered() -> None:
    """Each test sees its warnings, also if the test before had the same."""
    forget_warnings()


def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.001)


def test_a_full_batch_does_not_wait(make: Make) -> None:
    exporter = Recorder()
    processor = make(exporter)
    for number in range(7):
        processor.emit(number)
    until(lambda: len(exporter.batches) == 2)
    assert exporter.batches == [[0, 1, 2], [3, 4, 5]]
    assert exporter.suppressed == [True, True]


def test_a_part_of_a_batch_waits_for_the_delay(make: Make) -> None:
    exporter = Recorder()
    make(exporter, delay=1).emit(1)
    until(lambda: exporter.batches == [[1]])


def test_no_thread_before_the_first_item(make: Make) -> None:
    processor = make(Recorder())
    assert not processor._worker_thread.is_alive()
    processor.emit(1)
    assert processor._worker_thread.is_alive()
    assert processor._worker_thread.daemon


def test_flush_exports_what_is_there(make: Make) -> None:
    exporter = Recorder()
    processor = make(exporter)
    for number in range(5):
        processor.emit(number)
    assert processor.force_flush() is True
    assert exporter.batches == [[0, 1, 2], [3, 4]]


def test_flush_gives_up_at_its_timeout(make: Make) -> None:
    exporter = Recorder()
    exporter.gate.clear()
    processor = make(exporter)
    processor.emit(1)
    assert processor.force_flush(10) is False
    exporter.gate.set()
    assert processor.force_flush() is True
    assert exporter.batches == [[1]]


def test_flush_from_an_exporter_does_not_wait_for_itself(make: Make) -> None:
    class Flushing(Recorder):
        def export(self, batch: Sequence[int], /) -> None:
            super().export(batch)
            self.result = processor.force_flush()

    exporter = Flushing()
    processor = make(exporter)
    processor.emit(1)
    assert processor.force_flush() is True
    assert exporter.result is False


def test_a_full_queue_loses_the_oldest(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    exporter, counts = Recorder(), Counts()
    exporter.gate.clear()
    processor = make(exporter, batch=1, queue=2, metrics=counts)
    processor.emit(0)
    assert exporter.entered.wait(60)
    for number in range(1, 5):
        processor.emit(number)
    assert counts.size() == 2
    exporter.gate.set()
    assert processor.force_flush() is True
    assert exporter.batches == [[0], [3], [4]]
    assert counts.dropped == {"queue_full": 2}
    assert counts.finished == 3
    assert [record.getMessage() for record in caplog.records] == ["Queue full, dropping Number."]


def test_a_failing_exporter_is_logged_once_and_the_next_batch_comes(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Recorder):
        def export(self, batch: Sequence[int], /) -> None:
            super().export(batch)
            raise ValueError("no")

    exporter = Failing()
    processor = make(exporter, batch=1)
    for number in range(3):
        processor.emit(number)
    assert processor.force_flush() is True
    assert exporter.batches == [[0], [1], [2]]
    assert [record.getMessage() for record in caplog.records] == ["Exception while exporting Number."]


@pytest.mark.parametrize("kind", [Recorder, Patient])
def test_shutdown_exports_and_then_refuses(make: Make, kind: type[Recorder]) -> None:
    exporter, counts = kind(), Counts()
    processor = make(exporter, metrics=counts)
    processor.emit(1)
    processor.shutdown()
    processor.shutdown()
    processor.emit(2)
    assert exporter.batches == [[1]]
    assert len(exporter.shutdowns) == 1
    assert exporter.shutdowns[0] >= 0
    assert counts.dropped == {"already_shutdown": 1}
    assert processor.force_flush() is False
    assert not processor._worker_thread.is_alive()


def test_shutdown_does_not_begin_a_batch_after_its_timeout(make: Make) -> None:
    exporter = Recorder()
    exporter.gate.clear()
    processor = make(exporter, batch=1)
    for number in range(3):
        processor.emit(number)
    assert exporter.entered.wait(60)
    processor.shutdown(1)
    processor._worker_thread.join(60)
    assert exporter.batches == [[0]]


def test_a_failing_shutdown_is_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        def shutdown(self) -> None:
            raise ValueError("no")

    make(Failing()).shutdown()
    assert "Exception while shutting down the exporter of Number." in caplog.text


def test_threads_lose_nothing(make: Make) -> None:
    exporter = Recorder()
    processor = make(exporter, batch=64, queue=40_000)

    def emit(first: int) -> None:
        for number in range(first, first + 5_000):
            processor.emit(number)

    threads = [threading.Thread(target=emit, args=(first,)) for first in range(0, 20_000, 5_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert processor.force_flush() is True
    assert sorted(number for batch in exporter.batches for number in batch) == list(range(20_000))


def test_a_forked_child_begins_anew(make: Make) -> None:
    exporter = Recorder()
    processor = make(exporter)
    processor.emit(1)
    with processor._export_lock, processor._start_lock:
        child = os.fork()
        if child == 0:
            processor.emit(2)
            is_flushed = processor.force_flush(60_000)
            os._exit(0 if is_flushed and exporter.batches == [[2]] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    processor.force_flush()
    assert exporter.batches == [[1]]


def test_a_processor_that_was_shut_down_is_collected() -> None:
    processor: BatchProcessor[int] = BatchProcessor(Recorder(), 1, 1, 1, 1, "Number")
    reference = weakref.ref(processor)
    processor.emit(1)
    processor.shutdown()
    del processor
    gc.collect()
    assert reference() is None


def test_the_first_item_of_an_ending_process_is_exported() -> None:
    program = """
import atexit
from otlp_mmap.sdk._shared_internal import BatchProcessor

class Exporter:
    def export(self, batch):
        print("exported", batch)
    def shutdown(self):
        print("shut down")

processor = BatchProcessor(Exporter(), 10_000, 1, 1, 2, "Number")

def last():
    processor.emit(7)
    processor.force_flush()
    processor.shutdown()

atexit.register(last)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "exported [7]\nshut down\n"
    assert done.stderr == ""


def test_the_filter_lets_a_message_of_a_place_through_once() -> None:
    duplicates = DuplicateFilter()

    def passes(message: str, level: int = logging.WARNING) -> bool:
        return duplicates.filter(logging.LogRecord("a", level, "/module.py", 1, message, (), None))

    assert [passes("a"), passes("b"), passes("a"), passes("a", logging.ERROR)] == [True, True, False, True]
    assert all(passes(str(number)) for number in range(200))
    assert len(duplicates._last) <= 64


def test_options_of_the_environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("A_NUMBER", " 12 ")
    monkeypatch.setenv("NO_NUMBER", "x")
    monkeypatch.setenv("A_TRUTH", "True ")
    monkeypatch.setenv("NO_TRUTH", "yes")
    assert environment_number("A_NUMBER", 1) == 12
    assert environment_number("NO_NUMBER", 2) == 2
    assert environment_number("NOT_SET", 3) == 3
    assert environment_boolean("A_TRUTH") is True
    assert environment_boolean("NO_TRUTH", True) is True
    assert environment_boolean("NOT_SET") is False
    assert "Unable to parse value for NO_NUMBER as integer" in caplog.text
    assert "Invalid value for NO_TRUTH: 'yes'" in caplog.text


@pytest.mark.parametrize("arguments", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, -1, 1), (2, 1, 3)])
def test_bad_options(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"max_queue_size|schedule_delay_millis|max_export_batch_size"):
        check_batch_arguments(*arguments)
    check_batch_arguments(3, 0.5, 3)
