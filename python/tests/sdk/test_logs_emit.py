"""`Logger.emit` without processors: what the file has of a log record."""

from __future__ import annotations

import enum
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otlp_mmap import Reader
from otlp_mmap.sdk._logs import LogRecordDroppedAttributesWarning, LogRecordLimits, ReadWriteLogRecord
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.resources import Resource

from ..processes import fork, join
from .logging_sdk import Logs, Seen, resource_of

TRACE_ID = 0x0123456789ABCDEF0123456789ABCDEF
SPAN_ID = 0x0123456789ABCDEF
IN_SPAN = (TRACE_ID.to_bytes(16, "big"), SPAN_ID.to_bytes(8, "big"), 1)


def span_context(flags: int = 1) -> SpanContext:
    return SpanContext(TRACE_ID, SPAN_ID, False, TraceFlags(flags))


def in_span() -> Context:
    return trace.set_span_in_context(NonRecordingSpan(span_context()), Context())


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """A provider that records into a file."""
    return Logs(tmp_path / "logs.otlpmm")


def test_every_field(logs: Logs) -> None:
    logs.logger.emit(
        timestamp=1_000,
        observed_timestamp=2_000,
        context=in_span(),
        severity_number=SeverityNumber.WARN2,
        severity_text="careful",
        body={"a": [1, 2.5, None, b"x", True], "b": {"c": "d"}},
        attributes={"text": "ä", "bytes": b"\x00", "none": None, "nested": {"list": [1, "a"]}},
        event_name="an.event",
    )
    event = logs.event()
    assert (event.time_unix_nano, event.observed_time_unix_nano) == (1_000, 2_000)
    assert (event.trace_id, event.span_id, event.flags) == IN_SPAN
    assert (event.severity_number, event.severity_text) == (14, "careful")
    assert event.body == {"a": [1, 2.5, None, b"x", True], "b": {"c": "d"}}
    assert event.attributes == {"text": "ä", "bytes": b"\x00", "none": None, "nested": {"list": [1, "a"]}}
    assert event.event_name == "an.event"
    assert event.dropped_attributes_count == 0
    assert (event.scope.name, event.scope.version) == ("tests.scope", "1.0")
    assert event.scope.resource.attributes["service.name"] == "tests"


def test_what_is_not_given(logs: Logs) -> None:
    before = time.time_ns()
    logs.logger.emit()
    event = logs.event()
    assert event.time_unix_nano == 0
    assert before <= event.observed_time_unix_nano <= time.time_ns()
    assert (event.trace_id, event.span_id, event.flags) == (None, None, 0)
    assert (event.severity_number, event.severity_text, event.event_name) == (0, "", "")
    assert event.body is None
    assert event.attributes == {}


BODIES: list[tuple[Any, Any]] = [
    ("text", "text"),
    ("", ""),
    (True, True),
    (7, 7),
    (-(2**63), -(2**63)),
    (2**63, str(2**63)),
    (1.5, 1.5),
    (b"bytes", b"bytes"),
    ((1, "a", None), [1, "a", None]),
    ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
    (Path("/a"), "/a"),
    ("lone \ud800", "lone \ufffd\ufffd\ufffd"),
]


@pytest.mark.parametrize(("body", "expected"), BODIES, ids=lambda value: repr(value)[:20])
def test_bodies(logs: Logs, body: object, expected: object) -> None:
    logs.logger.emit(body=body)
    assert logs.event().body == expected
    assert type(logs.event().body) is type(expected)


def test_the_current_span(logs: Logs) -> None:
    with trace.use_span(NonRecordingSpan(span_context(3))):
        logs.logger.emit(body="in it")
        logs.logger.emit(body="in none", context=trace.set_span_in_context(trace.INVALID_SPAN, Context({"a": "b"})))
        # An empty context is none, as in the official SDK.
        logs.logger.emit(body="in it too", context=Context())
    found = {event.body: (event.trace_id, event.flags) for event in logs.events()}
    trace_id = TRACE_ID.to_bytes(16, "big")
    assert found == {"in it": (trace_id, 3), "in none": (None, 0), "in it too": (trace_id, 3)}


def test_a_record_of_the_api(logs: Logs) -> None:
    logs.logger.emit(
        LogRecord(
            timestamp=1,
            observed_timestamp=2,
            context=in_span(),
            severity_number=SeverityNumber.ERROR,
            severity_text="E",
            body=[1],
            attributes={"a": 1},
            event_name="e",
        )
    )
    event = logs.event()
    assert (event.time_unix_nano, event.observed_time_unix_nano) == (1, 2)
    assert (event.trace_id, event.span_id, event.flags) == IN_SPAN
    assert (event.severity_number, event.severity_text, event.body, event.event_name) == (17, "E", [1], "e")
    assert event.attributes == {"a": 1}


def test_the_ids_of_a_record_go_before_its_context(logs: Logs) -> None:
    record = LogRecord(context=in_span(), body="x")
    record.trace_id, record.span_id, record.trace_flags = 5, 6, TraceFlags(0)
    logs.logger.emit(record)
    event = logs.event()
    assert event.trace_id == (5).to_bytes(16, "big")
    assert event.span_id == (6).to_bytes(8, "big")
    assert event.flags == 0


def raised() -> ValueError:
    try:
        raise ValueError("boom")
    except ValueError as error:
        return error


class OwnError(Exception):
    """An exception of this module."""


class UnspeakableError(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_exception(logs: Logs) -> None:
    logs.logger.emit(body="failed", exception=raised(), attributes={"a": 1})
    attributes = logs.event().attributes
    assert attributes["exception.type"] == "ValueError"
    assert attributes["exception.message"] == "boom"
    stacktrace = attributes["exception.stacktrace"]
    assert isinstance(stacktrace, str)
    assert stacktrace.startswith("Traceback (most recent call last):")
    assert stacktrace.endswith("ValueError: boom\n")
    assert attributes["a"] == 1


def test_an_exception_of_a_module_has_its_name(logs: Logs) -> None:
    logs.logger.emit(LogRecord(body="failed", exception=OwnError()))
    assert logs.event().attributes["exception.type"] == f"{__name__}.OwnError"


def test_attributes_of_the_caller_win_over_those_of_an_exception(logs: Logs) -> None:
    logs.logger.emit(exception=raised(), attributes={"exception.message": "mine"})
    logs.logger.emit(LogRecord(exception=raised(), attributes=BoundedAttributes(None, {"exception.message": "mine"})))
    assert [event.attributes["exception.message"] for event in logs.events()] == ["mine", "mine"]
    assert all(event.attributes["exception.type"] == "ValueError" for event in logs.events())


def test_an_exception_without_a_text(logs: Logs) -> None:
    logs.logger.emit(body="failed", exception=UnspeakableError())
    attributes = logs.event().attributes
    assert attributes["exception.type"] == f"{__name__}.UnspeakableError"
    assert "exception.message" not in attributes


@pytest.mark.parametrize("as_record", [False, True])
def test_the_newest_attributes_are_kept(tmp_path: Path, as_record: bool) -> None:
    logs = Logs(tmp_path / "a.otlpmm", log_record_limits=LogRecordLimits(max_log_record_attributes=2))
    attributes = {"a": 1, "b": 2, "c": 3, "d": 4}
    with pytest.warns(LogRecordDroppedAttributesWarning) as warned:
        logs.logger.emit(LogRecord(attributes=attributes)) if as_record else logs.logger.emit(attributes=attributes)
    assert warned[0].filename == __file__
    event = logs.event()
    assert event.attributes == {"c": 3, "d": 4}
    assert event.dropped_attributes_count == 2


def test_the_limit_is_the_same_with_a_processor(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "a.otlpmm", log_record_limits=LogRecordLimits(max_log_record_attributes=2))
    seen = Seen()
    logs.provider.add_log_record_processor(seen)
    with pytest.warns(LogRecordDroppedAttributesWarning):
        logs.logger.emit(attributes={"a": 1, "b": 2, "c": 3}, exception=raised())
    event = logs.event()
    assert event.attributes == {"b": 2, "c": 3} == seen.records[0].log_record.attributes
    assert event.dropped_attributes_count == 4 == seen.records[0].dropped_attributes


def test_a_filter_that_makes_an_error_of_the_warning_does_not_reach_the_application(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "a.otlpmm", log_record_limits=LogRecordLimits(max_log_record_attributes=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logs.logger.emit(attributes={"a": 1})
        logs.provider.add_log_record_processor(Seen())
        logs.logger.emit(attributes={"a": 1}, body="processed")
    assert [event.dropped_attributes_count for event in logs.events()] == [1, 1]


def test_texts_are_cut_but_not_the_body(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "a.otlpmm", log_record_limits=LogRecordLimits(max_log_record_attribute_length=3))
    logs.logger.emit(body="abcdef", attributes={"a": "äöüß", "b": ["abcd", {"c": "abcd"}], "d": b"abcd"})
    event = logs.event()
    assert event.body == "abcdef"
    assert event.attributes == {"a": "äöü", "b": ["abc", {"c": "abc"}], "d": b"abcd"}


def test_bad_arguments_raise_nothing(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    class Color(enum.Enum):
        RED = 99

    logs.logger.emit(
        timestamp="yesterday",
        observed_timestamp=-1,
        severity_number=Color.RED,
        severity_text=7,
        attributes={"": 1, 5: "five", "ok": object(), "five": 5},
        event_name=Path("/e"),
        body=object(),
        context=Context({"a": 1}),
    )
    event = logs.event()
    assert (event.time_unix_nano, event.observed_time_unix_nano, event.severity_number) == (0, 0, 0)
    assert (event.severity_text, event.event_name, event.body) == ("7", "/e", None)
    assert event.attributes["five"] == 5
    assert event.attributes["5"] == "five"
    assert event.dropped_attributes_count == 1
    assert "timestamp is not a time" in caplog.text
    assert "severity_number is not a SeverityNumber" in caplog.text


def test_a_key_that_comes_twice_has_its_last_value(logs: Logs) -> None:
    logs.logger.emit(attributes={"1": "a", 1: "b"})
    assert logs.event().attributes == {"1": "b"}


def test_attributes_that_are_no_mapping(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    logs.logger.emit(body="kept", attributes=7)
    assert logs.event().body == "kept"
    assert "no mapping" in caplog.text


def test_a_file_that_is_closed_is_no_error(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    logs.logger.emit(body="in time")
    logs.writer.close()
    logs.logger.emit(body="late")
    assert logs.bodies() == ["in time"]
    assert caplog.records == []


def test_without_a_file_nothing_happens(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    logs = Logs(tmp_path / "other.otlpmm")
    provider = type(logs.provider)(recording=Recording(None), shutdown_on_exit=False)
    logger = provider.get_logger("a")
    assert not logger.enabled()
    logger.emit(body="nowhere")
    provider.add_log_record_processor(seen := Seen())
    assert logger.enabled()
    logger.emit(body="seen")
    assert [record.log_record.body for record in seen.records] == ["seen"]
    assert caplog.records == []


def test_a_record_with_a_resource_and_scope_of_its_own(logs: Logs) -> None:
    own = ReadWriteLogRecord(LogRecord(body="own"), Resource({"a": "b"}), logs.logger.instrumentation_scope)
    logs.logger.emit(own)
    assert resource_of(logs.event()) == {"a": "b"}


def test_a_forked_child_records_into_its_own_file(logs: Logs) -> None:
    logs.logger.emit(body="parent")
    assert join([fork(lambda: logs.logger.emit(body="child"))]) == [0]
    assert logs.bodies() == ["parent"]
    (child,) = [path for path in logs.writer.path.parent.iterdir() if path != logs.writer.path]
    assert [event.body for event in Reader(child).events()] == ["child"]
