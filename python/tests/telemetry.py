"""Telemetry to record: the reader's own classes filled by a seeded generator, and calls that record them.

What is recorded can thus be compared with what is read by `==`, field by field.
"""

from __future__ import annotations

import random
from typing import Any

from otlp_mmap import SpanContext, Writer
from otlp_mmap.model import Event, Resource, Scope, Span, SpanEvent, SpanLink

EPOCH = 1_700_000_000_000_000_000

VALUES: tuple[Any, ...] = (
    "",
    "text",
    "grüße, 世界, \N{PARTY POPPER}, nul \0, quote \" and ' and \\",
    True,
    False,
    0,
    1,
    -1,
    2**63 - 1,
    -(2**63),
    0.0,
    -2.5,
    1e308,
    float("inf"),
    float("-inf"),
    b"",
    b"\x00\xff\x80",
    None,
    [],
    [1, 2.5, "three", True, b"4", None, [5, [6]], {"seven": 7}],
    {},
    {"a": {"b": {"c": [{"d": None}]}}, "list": ["x", 1]},
)

# With an instance id: a reader adds one to a resource that has none.
RESOURCE = Resource(
    {"service.name": "tests", "service.instance.id": "1", "all": list(VALUES)}, "https://example.org/resource"
)
SCOPE = Scope(RESOURCE, "tests.scope", "1.2.3", "https://example.org/scope", {"scope.kind": "test", "n": 7})


def define_scope(writer: Writer, resource: Resource, scope: Scope) -> int:
    """Records a resource and a scope, and returns the reference of the scope."""
    resource_ref = writer.create_resource(resource.attributes, resource.schema_url)
    return writer.create_instrumentation_scope(
        resource_ref, scope.name, scope.version, scope.attributes, schema_url=scope.schema_url
    )


def make_attributes(rng: random.Random, most: int = 5) -> dict[str, Any]:
    """Some attributes of any types."""
    keys = rng.sample([f"key.{number}" for number in range(12)], rng.randint(0, most))
    return {key: rng.choice(VALUES) for key in keys}


def make_span(rng: random.Random, scope: Scope = SCOPE) -> Span:
    """An ended span with something in every field."""
    start = EPOCH + rng.randrange(10**12)
    return Span(
        scope=scope,
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.choice([None, rng.randbytes(8)]),
        trace_state=rng.choice(["", "vendor=1,other=a:b"]),
        flags=rng.choice([0, 1, 0x101, 0x301]),
        name=rng.choice(["GET /", "long " * 60, "ünïcode", ""]),
        kind=rng.randrange(6),
        start_time_unix_nano=start,
        end_time_unix_nano=start + rng.randrange(10**9),
        attributes=make_attributes(rng),
        dropped_attributes_count=rng.choice([0, 3]),
        events=tuple(make_span_event(rng) for _ in range(rng.randrange(4))),
        dropped_events_count=rng.choice([0, 2]),
        links=tuple(make_span_link(rng) for _ in range(rng.randrange(3))),
        dropped_links_count=rng.choice([0, 1]),
        status_code=(status := rng.randrange(3)),
        status_message="it broke" if status == 2 else "",
        truncated=False,
        spilled=False,
    )


def make_span_event(rng: random.Random) -> SpanEvent:
    """An event of a span."""
    return SpanEvent(EPOCH + rng.randrange(10**12), rng.choice(["retry", ""]), make_attributes(rng), rng.choice([0, 5]))


def make_span_link(rng: random.Random) -> SpanLink:
    """A link of a span."""
    state = rng.choice(["", "a=b"])
    flags = rng.choice([0, 1, 0x301])
    return SpanLink(rng.randbytes(16), rng.randbytes(8), state, flags, make_attributes(rng), rng.choice([0, 4]))


def make_event(rng: random.Random, scope: Scope = SCOPE) -> Event:
    """An event with something in every field."""
    within_span = rng.random() < 0.7
    return Event(
        scope=scope,
        time_unix_nano=EPOCH + rng.randrange(10**12),
        observed_time_unix_nano=EPOCH + rng.randrange(10**12),
        severity_number=rng.randrange(25),
        severity_text=rng.choice(["", "INFO", "warning"]),
        event_name=rng.choice(["", "order.placed", "order.cancelled"]),
        body=rng.choice(VALUES),
        attributes=make_attributes(rng),
        dropped_attributes_count=rng.choice([0, 2]),
        flags=rng.choice([0, 1]) if within_span else 0,
        trace_id=rng.randbytes(16) if within_span else None,
        span_id=rng.randbytes(8) if within_span else None,
        truncated=False,
    )


def start_span(writer: Writer, scope_ref: int, span: Span, name: str | None = None) -> None:
    """Records everything of a span but its end; under another name first, if one is given."""
    ids = (scope_ref, span.trace_id, span.span_id)
    writer.record_span_start(
        *ids,
        span.parent_span_id,
        span.flags,
        span.name if name is None else name,
        span.kind,
        span.start_time_unix_nano,
        {},
        trace_state=span.trace_state,
    )
    for key, value in span.attributes.items():
        writer.record_span_attributes(*ids, {key: value})
    for event in span.events:
        writer.record_span_event(
            *ids,
            event.name,
            event.time_unix_nano,
            event.attributes,
            dropped_attributes_count=event.dropped_attributes_count,
        )
    for link in span.links:
        context: SpanContext = {"trace_id": link.trace_id, "span_id": link.span_id, "flags": link.flags}
        writer.record_span_link(
            *ids,
            context,
            link.attributes,
            trace_state=link.trace_state,
            dropped_attributes_count=link.dropped_attributes_count,
        )
    dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
    if any(dropped):
        writer.record_span_dropped(*ids, attributes=dropped[0], events=dropped[1], links=dropped[2])
    if span.status_code:
        writer.record_span_status(*ids, span.status_code, span.status_message)
    if name is not None:
        writer.record_span_name(*ids, span.name)


def record_span(writer: Writer, scope_ref: int, span: Span, name: str | None = None) -> None:
    """Records a span from its start to its end."""
    start_span(writer, scope_ref, span, name)
    assert span.end_time_unix_nano is not None
    writer.record_span_end(scope_ref, span.trace_id, span.span_id, span.end_time_unix_nano)


def record_event(writer: Writer, scope_ref: int, event: Event) -> None:
    """Records an event."""
    context: SpanContext | None = None
    if event.trace_id is not None and event.span_id is not None:
        context = {"trace_id": event.trace_id, "span_id": event.span_id, "flags": event.flags}
    writer.record_event(
        scope_ref,
        context,
        writer.record_string(event.event_name) if event.event_name else None,
        event.time_unix_nano,
        event.attributes,
        severity_number=event.severity_number,
        severity_text=event.severity_text,
        body=event.body,
        observed_time_unix_nano=event.observed_time_unix_nano,
        dropped_attributes_count=event.dropped_attributes_count,
    )
