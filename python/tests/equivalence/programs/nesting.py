"""Spans in spans, thirty deep and three wide, with what the API allows on each."""

from __future__ import annotations

from opentelemetry import baggage, context, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

tracer = trace.get_tracer("nesting", "1.2", schema_url="https://example.org/nesting", attributes={"depth": 30})


def deep(depth: int) -> None:
    """Goes on in a child."""
    with tracer.start_as_current_span(f"depth {depth}", attributes={"depth": depth}) as span:
        span.add_event("entered", {"left": 30 - depth, "even": depth % 2 == 0})
        if depth < 30:
            deep(depth + 1)
        span.set_attribute("after", 0.5 * depth)


def wide(levels: int, name: str) -> None:
    """Goes on in three children of each kind of status."""
    for number, kind in enumerate((SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER)):
        with tracer.start_as_current_span(f"{name}.{number}", kind=kind) as span:
            span.set_status(Status(StatusCode.ERROR, "wrong") if number == 0 else Status(StatusCode(number - 1)))
            if levels:
                wide(levels - 1, f"{name}.{number}")


def values() -> None:
    """Attributes of every type, set again, and some that are not allowed."""
    with tracer.start_as_current_span("values") as span:
        span.set_attributes(
            {"text": "grüße \N{PARTY POPPER}", "int": -(2**40), "float": 2.5, "true": True, "false": False}
        )
        span.set_attributes({"texts": ["a", "b"], "ints": (1, 2), "floats": [0.5], "flags": [True, False], "none": []})
        span.set_attribute("again", "first")
        span.set_attribute("again", 2)
        span.set_attribute("mixed", [1, "two"])  # type: ignore[list-item]
        span.set_attribute("object", object())  # type: ignore[arg-type]
        span.set_attribute("", "empty key")
        span.set_attribute("bytes", b"\x00\xff")
        span.set_attribute("map", {"a": 1, "b": [True, None]})
        span.set_attribute("big", 2**63 - 1)
        span.update_name("values, renamed")


def linked() -> None:
    """A span with links to others, and a trace of its own in which a span outlives its parent."""
    with tracer.start_as_current_span("target") as target:
        pass
    links = [Link(target.get_span_context(), {"why": "after"}), Link(target.get_span_context())]
    with tracer.start_as_current_span("linked", context=context.Context(), links=links) as span:
        span.add_link(target.get_span_context(), {"late": True})
        inner = tracer.start_span("outlives its parent", kind=SpanKind.CONSUMER)
    inner.end()
    span.set_attribute("after the end", 1)


@tracer.start_as_current_span("decorated")
def decorated() -> str | None:
    """A function in a span, with baggage, which is no part of it."""
    token = context.attach(baggage.set_baggage("user", "7"))
    try:
        trace.get_current_span().set_attribute("user", str(baggage.get_baggage("user")))
        return None
    finally:
        context.detach(token)


def remote() -> None:
    """A span with a remote parent that was sampled, and one with a parent that was not."""
    for flags in (1, 0):
        state = trace.TraceState([("vendor", "a:b"), ("other", "1")])
        parent = trace.SpanContext(2**127 + 5, 2**63 + 5, True, trace.TraceFlags(flags), state)
        remote_context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        with tracer.start_as_current_span("of a remote parent", remote_context) as span:
            span.set_attribute("flags", flags)


def run() -> None:
    """Runs all."""
    deep(1)
    wide(2, "wide")
    values()
    linked()
    decorated()
    remote()
    other = trace.get_tracer("other library")
    with other.start_as_current_span("of another scope"), tracer.start_as_current_span("inside of it"):
        pass
