"""Bad input raises an exception that names the argument, and records nothing."""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import otlp_mmap
from otlp_mmap import (
    CapacityError,
    ClosedError,
    DamagedFileError,
    InvalidTypeError,
    InvalidValueError,
    Reader,
    UnknownReferenceError,
    UnknownSpanError,
    Writer,
)

from .arguments import BAD, CONTEXT, GOOD, SPAN, SUM, TRACE
from .conftest import Recording
from .telemetry import EPOCH


@pytest.fixture
def references(recording: Recording) -> dict[str, int]:
    """A reference of each kind; a span is in flight."""
    writer = recording.writer
    writer.record_span_start(recording.scope, TRACE, SPAN, None, 1, "span", 1, EPOCH, {})
    resource = writer.create_resource({})
    return {
        "resource": resource,
        "scope": recording.scope,
        "other scope": writer.create_instrumentation_scope(resource, "other"),
        "metric": writer.create_metric_stream(recording.scope, "metric", "", "", SUM),  # type: ignore[arg-type]
        "string": writer.record_string("string"),
    }


def resolved(arguments: dict[str, Any], references: dict[str, int]) -> dict[str, Any]:
    """The arguments with references in place of the names of their kinds."""
    return {
        name: references[value] if name.endswith("_ref") and isinstance(value, str) else value
        for name, value in arguments.items()
    }


def everything(recording: Recording) -> list[Any]:
    """All that a reader finds."""
    reader = recording.reader
    return [reader.spans(), reader.spans_in_flight(), reader.events(), reader.metrics()]


def invalid(recording: Recording) -> dict[str, int]:
    """How many calls of each signal were refused."""
    return {signal: counts["invalid"] for signal, counts in recording.writer.losses().items()}


def signal_of(method: str) -> str:
    """The signal under which a call is counted."""
    if method.startswith("record_span_"):
        return "spans"
    return "measurements" if method in {"create_metric_stream", "record_measurement"} else "events"


@pytest.mark.parametrize("method", GOOD)
def test_good_arguments_are_taken(recording: Recording, references: dict[str, int], method: str) -> None:
    getattr(recording.writer, method)(**resolved(GOOD[method], references))


@pytest.mark.parametrize("key", ["trace_id", "span_id"])
def test_an_id_of_zero_in_a_span_context_is_named(recording: Recording, references: dict[str, int], key: str) -> None:
    context = {**CONTEXT, key: bytes(len(TRACE if key == "trace_id" else SPAN))}
    for method in ("record_span_link", "record_event", "record_measurement"):
        arguments = resolved({**GOOD[method], "span_context": context}, references)
        with pytest.raises(InvalidValueError, match=rf"span_context\['{key}'\]"):
            getattr(recording.writer, method)(**arguments)


def test_a_key_that_has_no_utf8_is_shown_escaped(recording: Recording) -> None:
    context: Any = {**CONTEXT, "\ud800": 1}
    with pytest.raises(InvalidValueError, match=r"'\\ud800' is no part"):
        recording.writer.record_event(recording.scope, context, 0, EPOCH, {})


def test_numbers_too_long_for_a_text_print_nothing(
    recording: Recording, references: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    huge = 10**5000
    with pytest.raises(InvalidValueError, match="value"):
        recording.writer.record_measurement(references["metric"], {}, EPOCH, huge)
    with pytest.raises(UnknownReferenceError, match="metric_ref"):
        recording.writer.record_measurement(huge, {}, EPOCH, 1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", BAD)
def test_bad_arguments_raise_and_record_nothing(recording: Recording, references: dict[str, int], method: str) -> None:
    before = everything(recording)
    assert set(invalid(recording).values()) == {0}
    for argument, value, error in BAD[method]:
        arguments = resolved({**GOOD[method], argument: value}, references)
        with pytest.raises(error) as raised:
            getattr(recording.writer, method)(**arguments)
        said = str(raised.value)
        assert argument in said or argument.replace("_", " ") in said, (argument, value)
        assert isinstance(raised.value, TypeError if error is InvalidTypeError else ValueError)
        if isinstance(value, dict) and argument == "attributes" and "key" in value:
            assert "'key'" in said, said
    assert everything(recording) == before
    refused = {"spans": 0, "events": 0, "measurements": 0, signal_of(method): len(BAD[method])}
    assert invalid(recording) == refused, "each of them is counted once"


class Mode(enum.Enum):
    """No temporality, though it reads like one."""

    DELTA = 1


class Five:
    """Its `as_dict` returns no dict."""

    def as_dict(self) -> int:
        """Five."""
        return 5


@pytest.mark.parametrize(
    ("aggregation", "error", "said"),
    [
        (otlp_mmap.Histogram("DELTA", 5), InvalidTypeError, "bucket_boundaries"),  # type: ignore[arg-type]
        (otlp_mmap.Histogram("DELTA", None), InvalidTypeError, "bucket_boundaries"),  # type: ignore[arg-type]
        (otlp_mmap.Histogram("DELTA", [10**400]), InvalidValueError, "bucket_boundaries"),
        (otlp_mmap.Gauge, InvalidTypeError, "aggregation: expected dict, Gauge"),
        (Five(), InvalidTypeError, r"aggregation.as_dict\(\): expected dict, got int"),
        ({"sum": {**SUM["sum"], "aggregation_temporality": Mode.DELTA}}, InvalidTypeError, '"DELTA" .*"CUMULATIVE"'),
        ({"sum": {**SUM["sum"], "aggregation_temporality": -1}}, InvalidValueError, '"DELTA" .*"CUMULATIVE"'),
        (None, InvalidTypeError, "NoneType"),
        ("sum", InvalidTypeError, "str"),
        ({}, InvalidValueError, "one key"),
        ({"gauge": {}, "sum": {}}, InvalidValueError, "one key"),
        ({"average": {}}, InvalidValueError, "average"),
        ({"gauge": {"x": 1}}, InvalidValueError, "x"),
        ({"gauge": None}, InvalidTypeError, "gauge"),
        ({7: {}}, InvalidTypeError, "int"),
        ({"sum": {"aggregation_temporality": "DELTA"}}, InvalidValueError, "is_monotonic"),
        ({"sum": {"is_monotonic": True}}, InvalidValueError, "aggregation_temporality"),
        ({"sum": {**SUM["sum"], "is_monotonic": 1}}, InvalidTypeError, "is_monotonic"),
        ({"sum": {**SUM["sum"], "aggregation_temporality": "delta"}}, InvalidValueError, "aggregation_temporality"),
        ({"sum": {**SUM["sum"], "aggregation_temporality": 0}}, InvalidValueError, "aggregation_temporality"),
        ({"sum": {**SUM["sum"], "aggregation_temporality": 3}}, InvalidValueError, "aggregation_temporality"),
        ({"sum": {**SUM["sum"], "aggregation_temporality": None}}, InvalidTypeError, "aggregation_temporality"),
        ({"sum": {**SUM["sum"], "bucket_boundaries": []}}, InvalidValueError, "bucket_boundaries"),
        ({"histogram": {"aggregation_temporality": 1}}, InvalidValueError, "bucket_boundaries"),
        ({"histogram": {"aggregation_temporality": 1, "bucket_boundaries": 5}}, InvalidTypeError, "bucket_boundaries"),
        (
            {"histogram": {"aggregation_temporality": 1, "bucket_boundaries": ["1"]}},
            InvalidTypeError,
            "bucket_boundaries",
        ),
        (
            {"histogram": {"aggregation_temporality": 1, "bucket_boundaries": [2, 1]}},
            InvalidValueError,
            "bucket_boundaries",
        ),
        (
            {"histogram": {"aggregation_temporality": 1, "bucket_boundaries": [1, 1]}},
            InvalidValueError,
            "bucket_boundaries",
        ),
        (
            {"histogram": {"aggregation_temporality": 1, "bucket_boundaries": [float("nan")]}},
            InvalidValueError,
            "bucket_boundaries",
        ),
        (
            {"exp_histogram": {"aggregation_temporality": 1, "max_buckets": 0, "max_scale": 20}},
            InvalidValueError,
            "max_buckets",
        ),
        (
            {"exp_histogram": {"aggregation_temporality": 1, "max_buckets": 160, "max_scale": 21}},
            InvalidValueError,
            "max_scale",
        ),
        ({"exp_histogram": {"aggregation_temporality": 1, "max_buckets": 160}}, InvalidValueError, "max_scale"),
    ],
)
def test_wrong_aggregations(recording: Recording, aggregation: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        recording.writer.create_metric_stream(recording.scope, "metric", "", "", aggregation)
    assert invalid(recording) == {"spans": 0, "events": 0, "measurements": 1}


def test_measurements_that_the_stream_does_not_take(recording: Recording) -> None:
    aggregation = otlp_mmap.Sum("CUMULATIVE", is_monotonic=True)
    metric = recording.writer.create_metric_stream(recording.scope, "metric", "", "", aggregation)
    for value in (-1, -0.5):
        with pytest.raises(InvalidValueError, match="value"):
            recording.writer.record_measurement(metric, {}, EPOCH, value)
    assert recording.reader.metrics() == []


def test_the_end_of_a_span_comes_once_and_under_its_scope(recording: Recording) -> None:
    writer, ids = recording.writer, (TRACE, SPAN)
    other = writer.create_instrumentation_scope(writer.create_resource({}), "other")
    with pytest.raises(UnknownSpanError, match="span_id"):
        writer.record_span_end(recording.scope, *ids, EPOCH)
    writer.record_span_start(recording.scope, *ids, None, 1, "span", 1, EPOCH, {})
    with pytest.raises(InvalidValueError, match="instrumentation_scope_ref"):
        writer.record_span_end(other, *ids, EPOCH)
    writer.record_span_end(recording.scope, *ids, EPOCH)
    with pytest.raises(UnknownSpanError, match="span_id"):
        writer.record_span_end(recording.scope, *ids, EPOCH)
    assert len(recording.reader.spans()) == 1
    # The ids are free again.
    writer.record_span_start(recording.scope, *ids, None, 1, "span", 1, EPOCH, {})


def test_a_closed_writer_records_nothing(recording: Recording, references: dict[str, int]) -> None:
    recording.writer.close()
    recording.writer.close()
    before = everything(recording)
    for method, arguments in GOOD.items():
        with pytest.raises(ClosedError):
            getattr(recording.writer, method)(**resolved(arguments, references))
    assert everything(recording) == before
    assert len(before[1]) == 1, "a span in flight stays listed"
    assert recording.reader.losses()["events"]["closed"] > 0


def test_a_missing_or_surplus_argument(recording: Recording) -> None:
    writer: Any = recording.writer
    with pytest.raises(TypeError, match="attributes"):
        writer.record_event(recording.scope, None, 0, EPOCH)
    with pytest.raises(TypeError, match="nonsense"):
        writer.record_string("x", nonsense=1)


CONFIGURATIONS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"segment_size": 1000}, InvalidValueError),
    ({"segment_size": 5000}, InvalidValueError),
    ({"segment_size": 1 << 40}, InvalidValueError),
    ({"segment_size": "4096"}, InvalidTypeError),
    ({"span_segments": 1}, InvalidValueError),
    ({"event_segments": -1}, InvalidValueError),
    ({"measurement_segments": 0}, InvalidValueError),
    ({"active_blocks": 1}, InvalidValueError),
    ({"cells_size": 1}, InvalidValueError),
    ({"dictionary_size": 1 << 60}, InvalidValueError),
    ({"cardinality_limit": 0}, InvalidValueError),
    ({"crc": 1}, InvalidTypeError),
    ({"stream_measurements": "yes"}, InvalidTypeError),
    ({"service_name": 5}, InvalidTypeError),
    ({"overflow": "drop"}, InvalidValueError),
    ({"overflow": None, "block_timeout": 1.0}, InvalidValueError),
    ({"overflow": "block", "block_timeout": -1.0}, InvalidValueError),
    ({"overflow": "block", "block_timeout": float("nan")}, InvalidValueError),
    ({"overflow": "block", "block_timeout": "1"}, InvalidTypeError),
    ({"overflow": "block", "block_timeout": 1e9}, InvalidValueError),
    ({"overflow": "block", "block_timeout": 10**400}, InvalidValueError),
]


@pytest.mark.parametrize(("configuration", "error"), CONFIGURATIONS, ids=lambda value: str(value))
def test_wrong_configurations(path: Path, configuration: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=list(configuration)[-1]):
        Writer(path, **configuration)
    assert not path.exists()


def test_the_overflow_policy_block_needs_a_timeout(path: Path) -> None:
    with pytest.raises(InvalidValueError, match="block_timeout"):
        Writer(path, overflow="block")


@pytest.mark.parametrize(
    ("open_it", "number"),
    [
        (lambda path: Writer(path / "missing" / "x.otlpmm"), errno.ENOENT),
        (lambda path: Writer(path / "file"), errno.EEXIST),
        (lambda path: Reader(path / "missing"), errno.ENOENT),
    ],
)
def test_errors_of_the_operating_system(tmp_path: Path, open_it: Callable[[Path], Any], number: int) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"\(cannot ") as raised:
        open_it(tmp_path)
    assert raised.value.errno == number
    assert str(raised.value.filename).startswith(str(tmp_path))
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("open_it", [Writer, Reader])
@pytest.mark.parametrize(
    ("path", "error"),
    [
        (5, InvalidTypeError),
        (None, InvalidTypeError),
        (b"x", InvalidTypeError),
        ("a\0b", InvalidValueError),
        ("u\ud800", InvalidValueError),
    ],
)
def test_what_is_no_path_is_named(open_it: Callable[[Any], Any], path: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^path: "):
        open_it(path)


def test_a_full_dictionary(path: Path) -> None:
    def fill(define: Callable[[str], int]) -> None:
        for number in range(10_000):
            define(f"{number:0100}")

    with Writer(path, dictionary_size=65536) as writer:
        with pytest.raises(CapacityError, match="dictionary"):
            fill(writer.record_string)
        with pytest.raises(CapacityError, match="dictionary"):
            fill(lambda name: writer.create_resource({"name": name}))
        assert writer.losses()["events"]["definition_lost"] > 0


@pytest.mark.parametrize("content", [b"", b"x", b"\x89OTM\r\n\x1a\n", bytes(8192), b"text " * 5000])
def test_files_that_are_no_recordings(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.otlpmm").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"x\.otlpmm"):
        Reader(tmp_path / "x.otlpmm")


def test_what_is_no_regular_file_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        with pytest.raises(DamagedFileError, match="not a regular file"):
            Reader(path)


def test_counts_of_a_cut_file_are_damaged(recording: Recording) -> None:
    recording.writer.close()
    reader = recording.reader
    os.truncate(recording.path, 4096)
    with pytest.raises(DamagedFileError, match="unreadable: 0 of 48 counters") as raised:
        reader.losses()
    assert str(raised.value).count(recording.path.name) == 1
    assert str(raised.value).startswith(f"{recording.path}: offset 4096: unreadable: ")


def test_what_is_no_regular_file_is_named_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DamagedFileError, match="not a regular file") as raised:
        Reader(pipe)
    assert str(raised.value) == f"cannot read {pipe}: not a regular file"


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "bad.otlpmm").write_bytes(b"nonsense")
    with Writer(tmp_path, service_name="good") as writer:
        scope = writer.create_instrumentation_scope(writer.create_resource({}), "scope")
        writer.record_event(scope, None, 0, EPOCH, {})
        reader = Reader(tmp_path)
        assert len(reader.events()) == 1
        assert [(fault.path.name, fault.rule) for fault in reader.faults()] == [("bad.otlpmm", "file")]
