"""Arguments of every call: good ones, and what is wrong with each in turn."""

from __future__ import annotations

from typing import Any

from otlp_mmap import (
    DuplicateSpanError,
    InvalidTypeError,
    InvalidValueError,
    OtlpMmapError,
    UnknownReferenceError,
    UnknownSpanError,
)

from .telemetry import EPOCH

TRACE, SPAN, OTHER = b"t" * 16, b"s" * 8, b"o" * 8
CONTEXT = {"trace_id": TRACE, "span_id": SPAN, "flags": 1}
SUM = {"sum": {"aggregation_temporality": "DELTA", "is_monotonic": False}}

GOOD: dict[str, dict[str, Any]] = {
    "record_string": {"string": "text"},
    "create_resource": {"attributes": {}, "schema_url": None},
    "create_instrumentation_scope": {
        "resource_ref": "resource",
        "name": "scope",
        "version": None,
        "attributes": None,
        "schema_url": None,
    },
    "create_metric_stream": {
        "instrumentation_scope_ref": "scope",
        "name": "metric",
        "description": "",
        "unit": "",
        "aggregation": SUM,
    },
    "record_measurement": {
        "metric_ref": "metric",
        "attributes": {},
        "time_unix_nano": EPOCH,
        "value": 1,
        "span_context": None,
    },
    "record_event": {
        "instrumentation_scope_ref": "scope",
        "span_context": CONTEXT,
        "event_name_ref": "string",
        "time_unix_nano": EPOCH,
        "attributes": {},
        "severity_number": 9,
        "severity_text": "INFO",
        "body": "text",
        "observed_time_unix_nano": EPOCH,
        "dropped_attributes_count": 0,
    },
    "record_span_start": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": OTHER,
        "parent_span_id": SPAN,
        "flags": 1,
        "name": "name",
        "kind": 1,
        "start_time_unix_nano": EPOCH,
        "attributes": {},
        "trace_state": "",
    },
    "record_span_attributes": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "attributes": {"key": 1},
    },
    "record_span_event": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "name": "name",
        "time_unix_nano": EPOCH,
        "attributes": {},
        "dropped_attributes_count": 0,
    },
    "record_span_link": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "span_context": CONTEXT,
        "attributes": {},
        "trace_state": "",
        "dropped_attributes_count": 0,
    },
    "record_span_status": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "code": 2,
        "message": "text",
    },
    "record_span_name": {"instrumentation_scope_ref": "scope", "trace_id": TRACE, "span_id": SPAN, "name": "name"},
    "record_span_dropped": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "attributes": 1,
        "events": 1,
        "links": 1,
    },
    "record_span_end": {
        "instrumentation_scope_ref": "scope",
        "trace_id": TRACE,
        "span_id": SPAN,
        "end_time_unix_nano": EPOCH,
    },
}
"""Every call with arguments that it takes; a name in place of a reference stands for one of that kind."""

Case = tuple[str, Any, type[OtlpMmapError]]


def for_text(argument: str) -> list[Case]:
    """What is no text."""
    return [
        (argument, 1, InvalidTypeError),
        (argument, b"x", InvalidTypeError),
        (argument, "\ud800", InvalidValueError),
    ]


def for_id(argument: str, length: int) -> list[Case]:
    """What is no id."""
    return [
        (argument, b"x" * (length - 1), InvalidValueError),
        (argument, b"x" * (length + 1), InvalidValueError),
        (argument, b"", InvalidValueError),
        (argument, "x" * length, InvalidTypeError),
        (argument, 7, InvalidTypeError),
    ]


def for_whole(argument: str, too_large: int = 2**64) -> list[Case]:
    """What is no unsigned integer."""
    return [
        (argument, -1, InvalidValueError),
        (argument, too_large, InvalidValueError),
        (argument, 1.5, InvalidTypeError),
        (argument, True, InvalidTypeError),
        (argument, "1", InvalidTypeError),
    ]


def for_reference(argument: str, other_kind: str) -> list[Case]:
    """What is no reference of the kind that is asked for."""
    return [
        (argument, 1, UnknownReferenceError),
        (argument, 123_456, UnknownReferenceError),
        (argument, 2**31, UnknownReferenceError),
        (argument, -1, UnknownReferenceError),
        (argument, 2**40, UnknownReferenceError),
        (argument, 10**5000, UnknownReferenceError),
        (argument, other_kind, UnknownReferenceError),
        (argument, 1.0, InvalidTypeError),
        (argument, True, InvalidTypeError),
    ]


def for_attributes(argument: str) -> list[Case]:
    """What are no attributes."""
    return [
        (argument, 7, InvalidTypeError),
        (argument, [("key", 1)], InvalidTypeError),
        (argument, {1: "x"}, InvalidTypeError),
        (argument, {b"key": "x"}, InvalidTypeError),
        (argument, {"good": 1, None: "x"}, InvalidTypeError),
        (argument, {"": "x"}, InvalidValueError),
        (argument, {"\ud800": "x"}, InvalidValueError),
        *[(argument, {"good": 1, "key": value}, error) for value, error in BAD_VALUES],
    ]


def for_context(argument: str) -> list[Case]:
    """What is no span context."""
    return [
        (argument, (TRACE, SPAN, 1), InvalidTypeError),
        (argument, {}, InvalidValueError),
        (argument, {"trace_id": TRACE}, InvalidValueError),
        (argument, {"span_id": SPAN}, InvalidValueError),
        (argument, {**CONTEXT, "trace_id": SPAN}, InvalidValueError),
        (argument, {**CONTEXT, "span_id": TRACE}, InvalidValueError),
        (argument, {**CONTEXT, "trace_id": TRACE.hex()}, InvalidTypeError),
        (argument, {**CONTEXT, "trace_id": bytes(16)}, InvalidValueError),
        (argument, {**CONTEXT, "span_id": bytes(8)}, InvalidValueError),
        (argument, {**CONTEXT, "flags": -1}, InvalidValueError),
        (argument, {**CONTEXT, "flags": None}, InvalidTypeError),
        (argument, {**CONTEXT, "sampled": True}, InvalidValueError),
        (argument, {**CONTEXT, "\ud800": True}, InvalidValueError),
    ]


BAD_VALUES: list[tuple[Any, type[OtlpMmapError]]] = [
    (object(), InvalidTypeError),
    ({1, 2}, InvalidTypeError),
    (1j, InvalidTypeError),
    (bytearray(b"x"), InvalidTypeError),
    (range(3), InvalidTypeError),
    (2**63, InvalidValueError),
    (-(2**63) - 1, InvalidValueError),
    ("\udc80", InvalidValueError),
    ([1, [object()]], InvalidTypeError),
    ({"inner": {"key": object()}}, InvalidTypeError),
    ({"inner": {5: 1}}, InvalidTypeError),
    (({"": 1},), InvalidValueError),
]

BAD: dict[str, list[Case]] = {
    "record_string": [*for_text("string"), ("string", "x" * 4097, InvalidValueError)],
    "create_resource": [*for_attributes("attributes"), *for_text("schema_url")],
    "create_instrumentation_scope": [
        *for_reference("resource_ref", "scope"),
        *for_text("name"),
        *for_text("version"),
        *for_attributes("attributes"),
        *for_text("schema_url"),
    ],
    "create_metric_stream": [
        *for_reference("instrumentation_scope_ref", "resource"),
        *for_text("name"),
        ("name", "", InvalidValueError),
        *for_text("description"),
        *for_text("unit"),
    ],
    "record_measurement": [
        *for_reference("metric_ref", "scope"),
        *for_attributes("attributes"),
        *for_whole("time_unix_nano"),
        ("value", "1", InvalidTypeError),
        ("value", True, InvalidTypeError),
        ("value", None, InvalidTypeError),
        ("value", 2**63, InvalidValueError),
        ("value", 10**5000, InvalidValueError),
        ("value", float("nan"), InvalidValueError),
        *for_context("span_context"),
    ],
    "record_event": [
        *for_reference("instrumentation_scope_ref", "string"),
        *for_context("span_context"),
        *for_reference("event_name_ref", "scope"),
        *for_whole("time_unix_nano"),
        *for_attributes("attributes"),
        *for_whole("severity_number", 25),
        *for_text("severity_text"),
        *[("body", value, error) for value, error in BAD_VALUES],
        *for_whole("observed_time_unix_nano"),
        *for_whole("dropped_attributes_count", 2**32),
    ],
    "record_span_start": [
        *for_reference("instrumentation_scope_ref", "metric"),
        *for_id("trace_id", 16),
        ("trace_id", bytes(16), InvalidValueError),
        *for_id("span_id", 8),
        ("span_id", bytes(8), InvalidValueError),
        ("span_id", SPAN, DuplicateSpanError),
        *for_id("parent_span_id", 8),
        *for_whole("flags", 2**32),
        *for_text("name"),
        *for_whole("kind", 6),
        *for_whole("start_time_unix_nano"),
        *for_attributes("attributes"),
        *for_text("trace_state"),
    ],
    "record_span_attributes": for_attributes("attributes"),
    "record_span_event": [
        *for_text("name"),
        *for_whole("time_unix_nano"),
        *for_attributes("attributes"),
        *for_whole("dropped_attributes_count", 2**32),
    ],
    "record_span_link": [
        *for_context("span_context"),
        ("span_context", None, InvalidTypeError),
        *for_attributes("attributes"),
        *for_text("trace_state"),
        *for_whole("dropped_attributes_count", 2**32),
    ],
    "record_span_status": [*for_whole("code", 3), *for_text("message")],
    "record_span_name": for_text("name"),
    "record_span_dropped": [
        *for_whole("attributes", 2**32),
        *for_whole("events", 2**32),
        *for_whole("links", 2**32),
    ],
    "record_span_end": for_whole("end_time_unix_nano"),
}
for _method in GOOD:
    if _method.startswith("record_span_") and _method != "record_span_start":
        BAD[_method] += [
            ("instrumentation_scope_ref", 1.0, InvalidTypeError),
            ("instrumentation_scope_ref", -1, UnknownReferenceError),
            ("instrumentation_scope_ref", "other scope", InvalidValueError),
            *for_id("trace_id", 16),
            *for_id("span_id", 8),
            ("span_id", OTHER, UnknownSpanError),
            ("trace_id", b"o" * 16, UnknownSpanError),
        ]
