"""Many threads and forked children at once lose nothing and invent nothing."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otlp_mmap import ClosedError, Reader, Sum, Writer
from otlp_mmap.model import Event, NumberPoint, Span

from .conftest import Recording
from .processes import fork, join
from .telemetry import EPOCH, RESOURCE, SCOPE, define_scope, make_event, make_span, record_event, record_span

THREADS, CHILDREN, RECORDS = 8, 4, 40


def make_records(process: int, thread: int) -> tuple[list[Span], list[Event]]:
    """What one thread records; everyone can tell what every other one did."""
    rng = random.Random(process * 1000 + thread)
    return [make_span(rng) for _ in range(RECORDS)], [make_event(rng) for _ in range(RECORDS)]


def in_threads(run: Callable[[int], None]) -> None:
    """Runs a function in 8 threads that begin together."""
    barrier = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def guarded(thread: int) -> None:
        try:
            barrier.wait()
            run(thread)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def record_in_threads(writer: Writer, scope: int, metric: int, process: int) -> None:
    """Records the records of a process from 8 threads."""

    def record(thread: int) -> None:
        spans, events = make_records(process, thread)
        for span, event in zip(spans, events, strict=True):
            record_span(writer, scope, span)
            record_event(writer, scope, event)
            writer.record_measurement(metric, {"process": process, "thread": thread % 3}, EPOCH, 2)

    in_threads(record)


def test_threads_and_forked_children(tmp_path: Path) -> None:
    writer = Writer(tmp_path, service_name="crowd")
    scope = define_scope(writer, RESOURCE, SCOPE)
    metric = writer.create_metric_stream(scope, "calls", "", "", Sum("CUMULATIVE", is_monotonic=True))

    def child(process: int) -> Callable[[], None]:
        return lambda: record_in_threads(writer, scope, metric, process)

    children = [fork(child(process)) for process in range(1, CHILDREN + 1)]
    record_in_threads(writer, scope, metric, 0)
    assert join(children) == [0] * CHILDREN

    reader = Reader(tmp_path)
    records = [make_records(process, thread) for process in range(CHILDREN + 1) for thread in range(THREADS)]
    expected_spans = {span.span_id: span for spans, _ in records for span in spans}
    found_spans = reader.spans()
    assert len(found_spans) == len(expected_spans) == (CHILDREN + 1) * THREADS * RECORDS
    assert {span.span_id: span for span in found_spans} == expected_spans
    assert reader.spans_in_flight() == []
    assert sorted_events(reader.events()) == sorted_events([event for _, events in records for event in events])
    assert reader.faults() == []
    losses = reader.losses()
    assert {signal: sum(reasons.values()) - reasons["recorded"] for signal, reasons in losses.items()} == {
        "spans": 0,
        "events": 0,
        "measurements": 0,
    }


def test_measurements_of_threads_and_forked_children(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    scope = define_scope(writer, RESOURCE, SCOPE)
    metric = writer.create_metric_stream(scope, "calls", "", "", Sum("CUMULATIVE", is_monotonic=True))

    def measure(process: int) -> None:
        def run(thread: int) -> None:
            for number in range(200):
                writer.record_measurement(metric, {"process": process, "digit": number % 10}, EPOCH + thread, 3)

        in_threads(run)

    def child(process: int) -> Callable[[], None]:
        return lambda: measure(process)

    children = [fork(child(process)) for process in range(1, CHILDREN + 1)]
    measure(0)
    assert join(children) == [0] * CHILDREN
    sums = Counter[tuple[object, object]]()
    for series in Reader(tmp_path).metrics():
        assert isinstance(series.point, NumberPoint)
        sums[series.attributes["process"], series.attributes["digit"]] += int(series.point.value)
    assert sums == {(process, digit): THREADS * 20 * 3 for process in range(CHILDREN + 1) for digit in range(10)}


def sorted_events(events: list[Event]) -> list[Event]:
    """Events in an order that does not depend on who came first."""
    return sorted(events, key=repr)


def test_a_child_has_a_file_of_its_own(tmp_path: Path) -> None:
    writer = Writer(tmp_path, service_name="family")
    scope = define_scope(writer, RESOURCE, SCOPE)
    writer.record_span_start(scope, b"t" * 16, b"p" * 8, None, 1, "parent's", 1, EPOCH, {})
    before = writer.path.read_bytes()

    def child() -> None:
        assert writer.path.parent == tmp_path
        record_event(writer, scope, make_event(random.Random(1)))

    assert join([fork(child)]) == [0]
    assert writer.path.read_bytes() == before, "a child leaves its parent's file alone"
    reader = Reader(tmp_path)
    assert len(reader.events()) == 1
    assert [span.name for span in reader.spans_in_flight()] == ["parent's"]
    own, childs = sorted(reader.files(), key=lambda file: file.parent_file_id is not None)
    assert (own.parent_file_id, own.pid, own.state) == (None, os.getpid(), "alive")
    assert (childs.parent_file_id, childs.state) == (own.file_id, "dead")


def test_a_child_of_a_writer_with_a_file(recording: Recording) -> None:
    def child() -> None:
        assert recording.writer.path != recording.path
        record_event(recording.writer, recording.scope, make_event(random.Random(1)))

    assert join([fork(child)]) == [0]
    assert recording.reader.events() == []
    assert len(Reader(recording.path.parent).events()) == 1


def test_a_child_of_a_closed_writer(recording: Recording) -> None:
    recording.writer.close()

    def child() -> None:
        with pytest.raises(ClosedError):
            _ = recording.writer.path
        with pytest.raises(ClosedError):
            record_event(recording.writer, recording.scope, make_event(random.Random(1)))
        with pytest.raises(ClosedError):
            record_span(recording.writer, recording.scope, make_span(random.Random(1)))

    assert join([fork(child)]) == [0]
    assert [path.name for path in recording.path.parent.iterdir()] == [recording.path.name]


def test_a_child_that_records_nothing_leaves_no_file(tmp_path: Path) -> None:
    with Writer(tmp_path):
        assert join([fork(lambda: None)]) == [0]
        assert len(list(tmp_path.iterdir())) == 1


def test_reading_while_threads_record(recording: Recording) -> None:
    def record() -> None:
        rng = random.Random(5)
        for _ in range(1000):
            record_span(recording.writer, recording.scope, make_span(rng))

    thread = threading.Thread(target=record)
    thread.start()
    counts = [0]
    while thread.is_alive():
        counts.append(len(recording.reader.spans()))
        assert recording.reader.faults() == []
    thread.join()
    assert counts == sorted(counts)
    assert len(recording.reader.spans()) == 1000
