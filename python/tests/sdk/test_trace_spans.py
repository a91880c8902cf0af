"""Spans: what the methods of the API do, in the file and on the readable side."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as trace_api
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otlp_mmap import Reader
from otlp_mmap.sdk import trace
from otlp_mmap.sdk.trace import SpanLimits

from .tracing import Traces, names, remote


@pytest.fixture
def traces(tmp_path: Path) -> Iterator[Traces]:
    traces = Traces(tmp_path / "t.otlpmm")
    yield traces
    traces.writer.close()


def test_a_span_is_in_the_file_from_its_start_to_its_end(traces: Traces) -> None:
    span = traces.tracer.start_span("work", kind=SpanKind.SERVER, attributes={"a": 1}, start_time=1_000)
    span.set_attribute("b", "two")
    (found,) = traces.in_flight()
    assert (found.name, found.kind, found.start_time_unix_nano) == ("work", 2, 1_000)
    assert found.attributes == {"a": 1, "b": "two"}
    span.end(2_000)
    assert traces.in_flight() == []
    found = traces.span()
    assert (found.start_time_unix_nano, found.end_time_unix_nano) == (1_000, 2_000)
    assert (found.scope.name, found.scope.version) == ("tests.scope", "1.0")
    assert found.scope.resource.attributes["service.name"] == "tests"


def test_ids_and_flags_in_the_file_are_those_of_the_span(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("parent") as parent, traces.tracer.start_as_current_span("child") as child:
        pass
    with traces.tracer.start_as_current_span("of remote", context=remote(TraceFlags.SAMPLED)):
        pass
    found_child, found_parent, of_remote = traces.spans()
    for span, found in ((parent, found_parent), (child, found_child)):
        context = span.get_span_context()
        assert found.trace_id == context.trace_id.to_bytes(16, "big")
        assert found.span_id == context.span_id.to_bytes(8, "big")
        assert found.flags == 0x100 | TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID
    assert found_child.parent_span_id == found_parent.span_id
    assert found_parent.parent_span_id is None
    assert of_remote.flags == 0x300 | TraceFlags.SAMPLED
    assert of_remote.parent_span_id == (0xDEF).to_bytes(8, "big")


@pytest.mark.parametrize(
    "value",
    ["", "grüße, 世界", True, False, 0, -(2**63), 2**63 - 1, 2.5, b"\x00\xff", None, (1, 2), ("a", "b"), (True,), ()],
)
def test_attribute_values_are_the_same_on_both_sides(traces: Traces, value: Any) -> None:
    with traces.tracer.start_as_current_span("s", attributes={"start": value}) as span:
        span.set_attribute("later", value)
        span.set_attributes({"many": value})
        span.add_event("e", {"in": value})
        assert dict(span.attributes) == {"start": value, "later": value, "many": value}
    found = traces.span()
    expected = list(value) if isinstance(value, tuple) else value
    assert found.attributes == {"start": expected, "later": expected, "many": expected}
    assert [type(item) for item in found.attributes.values()] == [type(expected)] * 3
    assert found.events[0].attributes == {"in": expected}


def test_the_last_value_of_an_attribute_counts(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("s", attributes={"a": 1, "b": 1}) as span:
        span.set_attribute("a", 2)
        span.set_attributes({"b": 2, "c": 2})
        span.set_attribute("".join(["c"]), 3)
        assert dict(span.attributes) == {"a": 2, "b": 2, "c": 3}
    assert traces.span().attributes == {"a": 2, "b": 2, "c": 3}


def test_keys_and_values_of_subclasses_of_str_are_texts(traces: Traces) -> None:
    class Name(str, enum.Enum):
        KEY = "key"

        def __hash__(self) -> int:
            raise AssertionError("the application's code was called")

    with traces.tracer.start_as_current_span("s") as span:
        span.set_attribute(Name.KEY, Name.KEY)
        span.set_attribute("key", "other")
    assert traces.span().attributes == {"key": "other"}


def test_invalid_keys_are_left_out_and_counted(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    with traces.tracer.start_as_current_span("s", attributes={"": 1, "a": 1}) as span:
        span.set_attribute("", 1)
        assert span.dropped_attributes == 2
    assert "must be non-empty" in caplog.text
    found = traces.span()
    assert (found.attributes, found.dropped_attributes_count) == ({"a": 1}, 2)


def test_attributes_of_the_application_can_change_afterwards(traces: Traces) -> None:
    attributes: dict[str, Any] = {"list": [1, 2], "map": {"a": [1]}}
    with traces.tracer.start_as_current_span("s", attributes=attributes) as span:
        attributes["list"].append(3)
        attributes["map"]["a"].append(2)
        attributes["more"] = 1
        assert dict(span.attributes) == {"list": (1, 2), "map": {"a": (1,)}}
        with pytest.raises(TypeError):
            span.attributes["other"] = 1


def test_events_have_names_times_and_attributes_in_order(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("s") as span:
        span.add_event("first", {"n": 1}, timestamp=5)
        span.add_event("second")
        first, second = span.events
        assert (first.name, first.timestamp, first.attributes) == ("first", 5, {"n": 1})
        assert (second.name, second.attributes, second.dropped_attributes) == ("second", {}, 0)
    first, second = traces.span().events
    assert (first.name, first.time_unix_nano, first.attributes) == ("first", 5, {"n": 1})
    assert second.name == "second"
    assert second.time_unix_nano == span.events[1].timestamp


def test_links_of_the_start_and_later_ones(traces: Traces) -> None:
    state = TraceState([("vendor", "1")])
    linked = [SpanContext(7, n, n == 1, TraceFlags(n), state) for n in (1, 2)]
    with traces.tracer.start_as_current_span("s", links=[Link(linked[0], {"n": 1})]) as span:
        span.add_link(linked[1])
        assert [link.context for link in span.links] == linked
        assert [dict(link.attributes) for link in span.links] == [{"n": 1}, {}]
    found = traces.span().links
    assert [link.span_id for link in found] == [(1).to_bytes(8, "big"), (2).to_bytes(8, "big")]
    assert [link.attributes for link in found] == [{"n": 1}, {}]
    assert [link.trace_state for link in found] == ["vendor=1"] * 2
    assert [link.flags for link in found] == [0x301, 0x102], "whether the span is remote, and that this is known"


def test_links_to_nothing_are_none_and_bad_ones_raise_nothing(traces: Traces) -> None:
    links: Any = [None, Link(trace_api.INVALID_SPAN_CONTEXT), "no link"]
    with traces.tracer.start_as_current_span("s", links=links) as span:
        span.add_link(None)
        span.add_link(trace_api.INVALID_SPAN_CONTEXT)
        span.add_link("no context")
        assert span.links == ()
    assert traces.span().links == ()


def test_update_name(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("old") as span:
        span.update_name("new")
        assert span.name == "new"
        assert names(traces.in_flight()) == ["new"]
    assert names(traces.spans()) == ["new"]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([(StatusCode.ERROR, "bad")], (2, "bad")),
        ([(Status(StatusCode.ERROR, "bad"),)], (2, "bad")),
        ([(StatusCode.OK,)], (1, "")),
        ([(StatusCode.OK,), (StatusCode.ERROR, "late")], (1, "")),
        ([(StatusCode.ERROR, "bad"), (StatusCode.UNSET,)], (2, "bad")),
        ([(StatusCode.ERROR, "bad"), (StatusCode.OK,)], (1, "")),
        ([(StatusCode.ERROR, "one"), (StatusCode.ERROR, "two")], (2, "two")),
        ([("no status",)], (0, "")),
    ],
)
def test_status_rules(traces: Traces, calls: list[tuple[Any, ...]], expected: tuple[int, str]) -> None:
    with traces.tracer.start_as_current_span("s") as span:
        for call in calls:
            span.set_status(*call)
    found = traces.span()
    assert (found.status_code, found.status_message) == expected
    assert (span.status.status_code.value, span.status.description or "") == expected


def test_a_description_that_is_none_is_what_the_api_says(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    with traces.tracer.start_as_current_span("s") as span:
        span.set_status(StatusCode.OK, "not for OK")
        span.set_status(Status(StatusCode.ERROR, "bad"), "ignored")
    assert "description should only be set when status_code is set to StatusCode.ERROR" in caplog.text
    assert "ignored. Use either `Status` or `(StatusCode, Description)`" in caplog.text


def test_an_ended_span_takes_nothing_and_warns(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    span = traces.tracer.start_span("s")
    assert span.is_recording()
    span.end(9)
    assert not span.is_recording()
    context = trace_api.INVALID_SPAN_CONTEXT
    span.set_attribute("a", 1)
    span.set_attributes({"a": 1})
    span.add_event("e")
    span.add_link(SpanContext(1, 1, False))
    span.add_link(context)
    span.update_name("other")
    span.set_status(StatusCode.ERROR)
    span.record_exception(ValueError())
    span.end(10)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 8
    assert {record.name for record in caplog.records} == {"otlp_mmap.sdk.trace"}
    found = traces.span()
    assert (found.name, found.attributes, found.events, found.links) == ("s", {}, (), ())
    assert (found.end_time_unix_nano, found.status_code) == (9, 0)
    assert (span.name, dict(span.attributes), span.events, span.links, span.end_time) == ("s", {}, (), (), 9)


def test_exceptions_have_type_message_and_stack_trace(traces: Traces) -> None:
    class OwnError(Exception):
        """An exception of a module."""

    with traces.tracer.start_as_current_span("s") as span:
        try:
            raise OwnError("why")
        except OwnError as error:
            span.record_exception(error, {"more": 1}, timestamp=3, escaped=True)
    (event,) = traces.span().events
    assert (event.name, event.time_unix_nano) == ("exception", 3)
    assert event.attributes["exception.type"] == f"{__name__}.{OwnError.__qualname__}"
    assert event.attributes["exception.message"] == "why"
    assert str(event.attributes["exception.stacktrace"]).endswith("OwnError: why\n")
    assert event.attributes["exception.escaped"] == "True"
    assert event.attributes["more"] == 1
    assert traces.span().status_code == 0


def test_an_exception_without_a_text_does_not_reach_the_application(traces: Traces) -> None:
    class BadError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(BadError), traces.tracer.start_as_current_span("s"):
        raise BadError
    assert traces.span().name == "s"


def test_limits_keep_the_first_and_count_the_rest(tmp_path: Path) -> None:
    limits = SpanLimits(
        max_span_attributes=2,
        max_events=2,
        max_links=1,
        max_event_attributes=1,
        max_link_attributes=1,
        max_attribute_length=3,
        max_span_attribute_length=4,
    )
    traces = Traces(tmp_path / "t.otlpmm", span_limits=limits)
    links = [Link(SpanContext(1, n, False), {"a": "12345", "b": 1}) for n in (1, 2, 3)]
    with traces.tracer.start_as_current_span("s", attributes={"a": "12345", "b": 1, "c": 1}, links=links) as span:
        span.set_attributes({"d": 1, "a": "67890"})
        for n in range(5):
            span.add_event(str(n), {"a": "12345", "b": 1})
        assert (span.dropped_attributes, span.dropped_events, span.dropped_links) == (2, 3, 2)
        assert span.events[0].dropped_attributes == 1
        assert span.links[0].dropped_attributes == 1
        assert dict(span.attributes) == {"a": "6789", "b": 1}
    found = traces.span()
    assert found.attributes == {"a": "6789", "b": 1}
    assert (found.dropped_attributes_count, found.dropped_events_count, found.dropped_links_count) == (2, 3, 2)
    assert [(event.name, event.attributes, event.dropped_attributes_count) for event in found.events] == [
        ("0", {"a": "123"}, 1),
        ("1", {"a": "123"}, 1),
    ]
    assert [(link.attributes, link.dropped_attributes_count) for link in found.links] == [({"a": "123"}, 1)]


def test_texts_with_lone_surrogates_and_names_of_other_types(traces: Traces) -> None:
    tracer: Any = traces.tracer
    tracer.start_span("a\ud800b", attributes={"k\ud800": "v\ud800"}).end()
    tracer.start_span(7).end()
    first, second = sorted(traces.spans(), key=lambda span: span.name, reverse=True)
    assert (first.name[0], first.name[-1], second.name) == ("a", "b", "7")
    assert len(first.attributes) == 1


def test_times_that_are_none(traces: Traces) -> None:
    tracer: Any = traces.tracer
    tracer.start_span("float", start_time=1e9).end(2e9)
    tracer.start_span("bad", start_time="yesterday").end(-1)
    by_name = {span.name: span for span in traces.spans()}
    assert (by_name["float"].start_time_unix_nano, by_name["float"].end_time_unix_nano) == (10**9, 2 * 10**9)
    assert 10**18 < by_name["bad"].start_time_unix_nano <= (by_name["bad"].end_time_unix_nano or 0)


def test_threads_share_a_span(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("s") as span:

        def work(thread: int) -> None:
            for n in range(10):
                span.set_attribute(f"{thread}.{n}", n)
                span.add_event(f"{thread}.{n}")

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = traces.span()
    assert len(found.attributes) == len(found.events) == 80
    assert found.attributes == dict(span.attributes)


def test_the_readable_span_is_a_copy(traces: Traces) -> None:
    span: Any = traces.tracer.start_span("s", attributes={"a": 1})
    readable: Any = span._readable_span()
    span.set_attribute("b", 1)
    assert not hasattr(readable, "set_attribute")
    assert trace.ReadableSpan in type(readable).__mro__
    assert dict(readable.attributes) == {"a": 1}
    assert readable.to_json() != span.to_json()
    assert readable.context is span.get_span_context()
    with pytest.warns(DeprecationWarning, match="Use instrumentation_scope"):
        assert readable.instrumentation_info.name == "tests.scope"
    span.end()


def test_a_span_is_what_others_look_for(traces: Traces) -> None:
    span = traces.tracer.start_span("s")
    for cls in (trace_api.Span, trace.Span, trace.ReadableSpan):
        assert isinstance(span, cls)
    with pytest.raises(TypeError):
        trace.Span()  # type: ignore[abstract]
    span.end()


def test_without_a_file_everything_else_works(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    traces.writer.close()
    with traces.tracer.start_as_current_span("s", attributes={"a": 1}) as span:
        span.set_attribute("b", 1)
        span.add_event("e")
    assert dict(span.attributes) == {"a": 1, "b": 1}
    assert Reader(tmp_path / "t.otlpmm").spans() == []
