"""Readers of files and directories, alive, closed and dead; losses; the overflow policies."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import threading
import time
from pathlib import Path

import pytest

from otlp_mmap import Reader, Writer
from otlp_mmap.model import FileInfo

from .conftest import Recording
from .processes import fork, join
from .telemetry import EPOCH, RESOURCE, SCOPE, define_scope


def fill(writer: Writer, records: int) -> None:
    """Records so many events of about a kilobyte."""
    scope = define_scope(writer, RESOURCE, SCOPE)
    for number in range(records):
        writer.record_event(scope, None, 0, EPOCH + number, {"number": number, "text": "x" * 1000})


def numbers(reader: Reader) -> list[object]:
    """The numbers of the events that are held."""
    return [event.attributes["number"] for event in reader.events()]


def test_file_info(path: Path) -> None:
    before = time.time_ns()
    with Writer(path) as writer:
        (alive,) = Reader(path).files()
    (closed,) = Reader(path).files()
    assert before <= alive.created_unix_nano <= time.time_ns()
    assert alive == FileInfo(path, "1.0", alive.file_id, None, os.getpid(), alive.created_unix_nano, "alive")
    assert len(alive.file_id) == 16
    assert closed.state == "closed"
    assert writer.path == path


def test_a_dead_writer(path: Path) -> None:
    def die() -> None:
        writer = Writer(path)
        fill(writer, 10)
        os._exit(9)

    assert join([fork(die)]) == [9]
    reader = Reader(path)
    assert [file.state for file in reader.files()] == ["dead"]
    assert numbers(reader) == list(range(10))


def test_a_directory(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    assert reader.files() == []
    with Writer(tmp_path, service_name="first"), Writer(tmp_path, service_name="second") as second:
        fill(second, 3)
        names = [file.path.name for file in reader.files()]
        assert [name.split(".")[:2] for name in names] == [["first", str(os.getpid())], ["second", str(os.getpid())]]
        assert all(name.endswith(".otlpmm") for name in names)
        assert numbers(reader) == [0, 1, 2]
        second.path.unlink()
        assert len(reader.files()) == 1
        assert numbers(reader) == []
    assert (reader.path, repr(reader)) == (tmp_path, f"Reader('{tmp_path}')")


def test_a_directory_may_hold_more_files_than_can_be_open(tmp_path: Path) -> None:
    for _ in range(40):
        with Writer(tmp_path, cells_size=65536, dictionary_size=65536) as writer:
            fill(writer, 1)

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10,) * 2)
        reader = Reader(tmp_path)
        assert len(reader.files()) == len(reader.events()) == 40
        assert (reader.spans(), reader.metrics(), reader.faults()) == ([], [], [])
        assert reader.losses()["events"]["recorded"] == 40

    assert join([fork(read)]) == [0]


def test_a_writer_counts_in_its_file_under_any_name(recording: Recording) -> None:
    fill(recording.writer, 3)
    recording.path.rename(recording.path.with_name("other.otlpmm"))
    recording.path.write_bytes(b"somebody else's")
    assert recording.writer.losses()["events"]["recorded"] == 3
    recording.path.with_name("other.otlpmm").unlink()
    assert recording.writer.losses()["events"]["recorded"] == 3


def test_a_reader_sees_what_came_later(recording: Recording) -> None:
    reader = recording.reader
    assert reader.events() == []
    fill(recording.writer, 5)
    assert numbers(reader) == list(range(5))


def test_the_file_is_private_to_its_owner(recording: Recording) -> None:
    assert recording.path.stat().st_mode & 0o777 == 0o600


def test_overwrite_oldest_counts_exactly(path: Path) -> None:
    with Writer(path, segment_size=16384, event_segments=4) as writer:
        fill(writer, 500)
        losses = writer.losses()["events"]
    held = numbers(Reader(path))
    assert held == list(range(500 - len(held), 500))
    assert (losses["recorded"], losses["overwritten"]) == (500, 500 - len(held))
    assert 0 < len(held) < 70


@pytest.mark.parametrize(
    ("policy", "timeout", "reason"), [("discard-newest", None, "discarded"), ("block", 0.05, "block_timeout")]
)
def test_policies_that_keep_what_is_there(path: Path, policy: str, timeout: float | None, reason: str) -> None:
    with Writer(path, segment_size=16384, event_segments=4, overflow=policy, block_timeout=timeout) as writer:  # type: ignore[arg-type]
        fill(writer, 200)
        losses = writer.losses()["events"]
    held = numbers(Reader(path))
    assert held == list(range(len(held)))
    assert losses["recorded"] == len(held)
    assert losses[reason] == 200 - len(held) > 100


def test_nothing_is_lost_of_what_fits(recording: Recording) -> None:
    fill(recording.writer, 1000)
    assert numbers(recording.reader) == list(range(1000))
    assert recording.writer.losses() == recording.reader.losses()
    assert {
        (signal, reason): count
        for signal, reasons in recording.reader.losses().items()
        for reason, count in reasons.items()
        if count
    } == {("events", "recorded"): 1000}


def test_damage_is_reported_and_hides_nothing_else(recording: Recording) -> None:
    fill(recording.writer, 100)
    recording.writer.close()
    content = bytearray(recording.path.read_bytes())
    at = content.index(b"x" * 1000)
    content[at + 500] ^= 1
    recording.path.write_bytes(content)
    reader = recording.reader
    assert numbers(reader) == list(range(1, 100))
    (fault,) = reader.faults()
    assert (fault.path, fault.rule) == (recording.path, "record-crc")
    assert at - 200 < fault.offset < at


def test_what_records_share_in_the_file_they_share_in_memory(path: Path) -> None:
    """So that a small file whose records refer to one large text cannot take all memory."""
    with Writer(path) as writer:
        scope = define_scope(writer, RESOURCE, SCOPE)
        name = writer.record_string("n" * 4096)
        for number in range(3):
            writer.record_event(scope, None, name, EPOCH + number, {"k" * 4096: [{"inner": number}]})
        for unit in ("s", "By"):
            stream = writer.create_metric_stream(scope, "metric", "", unit, {"gauge": {}})
            writer.record_measurement(stream, {"key": "value"}, EPOCH, 1)
    first, second, third = Reader(path).events()
    assert len(first.event_name or "") == 4096
    assert first.event_name is second.event_name is third.event_name
    assert next(iter(first.attributes)) is next(iter(third.attributes))
    seconds, bytes_ = Reader(path).metrics()
    assert seconds.attributes == {"key": "value"}
    assert seconds.attributes is bytes_.attributes
    assert seconds.stream.scope is bytes_.stream.scope


def test_flush_and_the_context_manager(path: Path) -> None:
    with Writer(path) as writer:
        fill(writer, 1)
        writer.flush()
    assert [file.state for file in Reader(path).files()] == ["closed"]


def attach_exporter(path: Path) -> int:
    """Takes the exporter's lock (SPEC "Locks"): an open-file-description lock on byte 2,049."""
    descriptor = os.open(path, os.O_RDWR)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 2049, 1, 0)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)
    return descriptor


def test_a_call_that_waits_for_the_exporter_lets_other_threads_run(path: Path) -> None:
    with Writer(path, segment_size=16384, event_segments=4, overflow="block", block_timeout=0.5) as writer:
        fill(writer, 100)
        exporter = attach_exporter(path)
        discarded = writer.losses()["events"]["block_timeout"]
        waiting = threading.Thread(target=fill, args=(writer, 1))
        waiting.start()
        steps = 0
        while waiting.is_alive():
            time.sleep(0.001)
            steps += 1
        waiting.join()
        assert steps > 10
        assert writer.losses()["events"]["block_timeout"] == discarded + 1
        os.close(exporter)
