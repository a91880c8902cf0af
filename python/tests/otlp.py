"""OTLP by the official protobuf classes: from the reader's model, and from OTLP JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from otlp_mmap import model

IDS = {"traceId", "spanId", "parentSpanId"}


def parse(line: str, message: Any) -> Any:
    """An OTLP JSON document as a message; protobuf's JSON has base64 where OTLP's has hexadecimal ids."""
    return json_format.ParseDict(with_base64_ids(json.loads(line)), message)


def with_base64_ids(value: Any) -> Any:
    """The document with its ids in base64."""
    if isinstance(value, list):
        return [with_base64_ids(element) for element in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(inner)).decode() if key in IDS else with_base64_ids(inner)
            for key, inner in value.items()
        }
    return value


def any_value(value: Any) -> AnyValue:
    """A value."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(element) for element in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
    raise TypeError(value)


def attributes(entries: dict[str, Any]) -> list[KeyValue]:
    """Attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in entries.items()]


def resource(resource: model.Resource) -> Resource:
    """A resource."""
    return Resource(attributes=attributes(resource.attributes))


def scope(scope: model.Scope) -> InstrumentationScope:
    """An instrumentation scope."""
    return InstrumentationScope(name=scope.name, version=scope.version or "", attributes=attributes(scope.attributes))


def span(span: model.Span) -> trace_pb2.Span:
    """A span; one in flight is marked by an attribute."""
    unfinished = {"otlp_mmap.span.unfinished": True} if span.end_time_unix_nano is None else {}
    return trace_pb2.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id or b"",
        trace_state=span.trace_state,
        flags=span.flags,
        name=span.name,
        kind=span.kind,  # type: ignore[arg-type]
        start_time_unix_nano=span.start_time_unix_nano,
        end_time_unix_nano=span.end_time_unix_nano or 0,
        attributes=attributes({**span.attributes, **unfinished}),
        dropped_attributes_count=span.dropped_attributes_count,
        events=[
            trace_pb2.Span.Event(
                time_unix_nano=event.time_unix_nano,
                name=event.name,
                attributes=attributes(event.attributes),
                dropped_attributes_count=event.dropped_attributes_count,
            )
            for event in span.events
        ],
        dropped_events_count=span.dropped_events_count,
        links=[
            trace_pb2.Span.Link(
                trace_id=link.trace_id,
                span_id=link.span_id,
                trace_state=link.trace_state,
                flags=link.flags,
                attributes=attributes(link.attributes),
                dropped_attributes_count=link.dropped_attributes_count,
            )
            for link in span.links
        ],
        dropped_links_count=span.dropped_links_count,
        status=status(span) if span.status_code else None,
    )


def status(span: model.Span) -> trace_pb2.Status:
    """The status of a span."""
    return trace_pb2.Status(code=span.status_code, message=span.status_message)  # type: ignore[arg-type]


def log_record(event: model.Event) -> logs_pb2.LogRecord:
    """An event."""
    return logs_pb2.LogRecord(
        time_unix_nano=event.time_unix_nano,
        observed_time_unix_nano=event.observed_time_unix_nano,
        severity_number=event.severity_number,  # type: ignore[arg-type]
        severity_text=event.severity_text,
        event_name=event.event_name,
        body=None if event.body is None else any_value(event.body),
        attributes=attributes(event.attributes),
        dropped_attributes_count=event.dropped_attributes_count,
        flags=event.flags,
        trace_id=event.trace_id or b"",
        span_id=event.span_id or b"",
    )


def number_point(value: float, **fields: Any) -> metrics_pb2.NumberDataPoint:
    """A point of a gauge or sum."""
    if isinstance(value, int):
        return metrics_pb2.NumberDataPoint(as_int=value, **fields)
    return metrics_pb2.NumberDataPoint(as_double=value, **fields)
