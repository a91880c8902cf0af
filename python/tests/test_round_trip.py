"""What is recorded is read: every field, every type of value, spans in flight."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from otlp_mmap import Reader, SpanKind, StatusCode, Writer
from otlp_mmap.model import Resource, Scope

from .conftest import Recording
from .telemetry import (
    EPOCH,
    RESOURCE,
    SCOPE,
    VALUES,
    define_scope,
    make_event,
    make_span,
    record_event,
    record_span,
    start_span,
)

TRACE, SPAN = bytes(range(16)), bytes(range(1, 9))


@pytest.mark.parametrize("seed", range(40))
def test_span(recording: Recording, seed: int) -> None:
    span = make_span(random.Random(seed))
    record_span(recording.writer, recording.scope, span)
    assert recording.reader.spans() == [span]
    assert recording.reader.spans_in_flight() == []


@pytest.mark.parametrize("seed", range(40))
def test_span_in_flight(recording: Recording, seed: int) -> None:
    span = dataclasses.replace(make_span(random.Random(seed)), end_time_unix_nano=None)
    start_span(recording.writer, recording.scope, span)
    assert recording.reader.spans_in_flight() == [span]
    assert recording.reader.spans() == []


def test_span_that_is_renamed(recording: Recording) -> None:
    span = dataclasses.replace(make_span(random.Random(1)), name="new")
    record_span(recording.writer, recording.scope, span, name="old")
    assert recording.reader.spans() == [span]


@pytest.mark.parametrize("seed", range(40))
def test_event(recording: Recording, seed: int) -> None:
    event = make_event(random.Random(seed))
    record_event(recording.writer, recording.scope, event)
    assert recording.reader.events() == [event]


def test_event_with_defaults(recording: Recording) -> None:
    recording.writer.record_event(recording.scope, None, 0, EPOCH, None)
    (event,) = recording.reader.events()
    assert (event.event_name, event.severity_number, event.severity_text, event.body) == ("", 0, "", None)
    assert (event.trace_id, event.span_id, event.flags, event.attributes) == (None, None, 0, {})
    assert event.observed_time_unix_nano == EPOCH


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_value(recording: Recording, value: Any) -> None:
    recording.writer.record_event(
        recording.scope, None, 0, EPOCH, {"value": value, "in": [value, {"map": value}]}, body=value
    )
    (event,) = recording.reader.events()
    assert event.attributes == {"value": value, "in": [value, {"map": value}]}
    assert type(event.attributes["value"]) is type(value)
    assert event.body == value


def test_nan(recording: Recording) -> None:
    recording.writer.record_event(recording.scope, None, 0, EPOCH, {"nan": math.nan})
    (event,) = recording.reader.events()
    number = event.attributes["nan"]
    assert isinstance(number, float)
    assert math.isnan(number)


class Level(IntEnum):
    """An int by inheritance."""

    LOW = 3


class Text(str):
    """A str by inheritance."""

    __slots__ = ()


def test_values_of_subclasses_and_other_containers(recording: Recording) -> None:
    attributes: Mapping[str, Any] = MappingProxyType(
        {"tuple": (1, (2,)), "int": Level.LOW, "str": Text("x"), "dict": OrderedDict(a=1)}
    )
    recording.writer.record_event(recording.scope, None, 0, EPOCH, attributes)
    (event,) = recording.reader.events()
    assert event.attributes == {"tuple": [1, [2]], "int": 3, "str": "x", "dict": {"a": 1}}


def test_attributes_keep_their_order_and_the_last_value_of_a_key(recording: Recording) -> None:
    ids = (recording.scope, TRACE, SPAN)
    recording.writer.record_span_start(*ids, None, 1, "s", SpanKind.INTERNAL, EPOCH, {"z": 1, "a": 2, "m": 3})
    recording.writer.record_span_attributes(*ids, {"a": "new", "b": 4})
    recording.writer.record_span_status(*ids, StatusCode.ERROR, "first")
    recording.writer.record_span_status(*ids, StatusCode.OK)
    (span,) = recording.reader.spans_in_flight()
    assert list(span.attributes.items()) == [("z", 1), ("a", "new"), ("m", 3), ("b", 4)]
    assert (span.status_code, span.status_message) == (1, "")


def test_nesting_deeper_than_the_format_has_is_cut(recording: Recording) -> None:
    endless: list[Any] = []
    endless.append(endless)
    recording.writer.record_event(recording.scope, None, 0, EPOCH, {"endless": endless, "other": 1})
    (event,) = recording.reader.events()
    assert event.truncated
    assert event.attributes["other"] == 1


def test_values_that_are_too_large_are_cut_and_counted(path: Path) -> None:
    with Writer(path, segment_size=4096) as writer:
        scope = define_scope(writer, RESOURCE, SCOPE)
        writer.record_event(scope, None, 0, EPOCH, {"text": "é" * 100_000, "bytes": b"x" * 100_000, "int": 1})
        losses = writer.losses()
    (event,) = Reader(path).events()
    text, data = event.attributes["text"], event.attributes["bytes"]
    assert isinstance(text, str)
    assert isinstance(data, bytes)
    assert set(text) == {"é"}
    assert set(data) == set(b"x")
    assert event.attributes["int"] == 1
    assert event.truncated
    assert losses["events"]["truncated"] == 1


def test_scopes_and_resources(recording: Recording) -> None:
    bare = Scope(Resource({}, None), "", None, None, {})
    scope = define_scope(recording.writer, bare.resource, bare)
    recording.writer.record_event(scope, None, 0, EPOCH, {})
    recording.writer.record_event(recording.scope, None, 0, EPOCH + 1, {})
    (file,) = recording.reader.files()
    completed = Resource({"service.instance.id": str(UUID(bytes=file.file_id))}, None)
    assert [event.scope for event in recording.reader.events()] == [
        dataclasses.replace(bare, resource=completed),
        SCOPE,
    ]
    assert UUID(bytes=file.file_id).version == 4


def test_strings_are_kept_once(recording: Recording) -> None:
    assert recording.writer.record_string("again") == recording.writer.record_string("again")
    assert recording.writer.record_string("again") != recording.writer.record_string("other")


def test_reading_shares_scopes(recording: Recording) -> None:
    for number in range(3):
        recording.writer.record_event(recording.scope, None, 0, EPOCH + number, {})
    first, *others = recording.reader.events()
    assert all(event.scope is first.scope for event in others)
