"""Tracers and providers: parents, the current span, decorators, ids, and what happens at a fork."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags, TraceState

from otlp_mmap import Reader
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.trace import Tracer, TracerProvider, _disable_tracer_configurator, _TracerConfig
from otlp_mmap.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from ..processes import fork, join
from .tracing import Seen, Traces, current, names, remote


@pytest.fixture
def traces(tmp_path: Path) -> Iterator[Traces]:
    traces = Traces(tmp_path / "t.otlpmm")
    yield traces
    traces.writer.close()


def test_the_current_span_is_the_parent(traces: Traces) -> None:
    assert current() is trace_api.INVALID_SPAN
    with traces.tracer.start_as_current_span("outer") as outer:
        assert current() is outer
        with traces.tracer.start_as_current_span("inner") as inner:
            assert current() is inner
        assert current() is outer
        beside = traces.tracer.start_span("beside")
        assert current() is outer
        beside.end()
    assert current() is trace_api.INVALID_SPAN
    parents = {span.name: span.parent_span_id for span in traces.spans()}
    span_id = outer.get_span_context().span_id.to_bytes(8, "big")
    assert parents == {"outer": None, "inner": span_id, "beside": span_id}
    assert inner.parent is outer.get_span_context()
    assert {span.trace_id for span in traces.spans()} == {outer.get_span_context().trace_id.to_bytes(16, "big")}


def test_other_values_of_the_context_stay(traces: Traces) -> None:
    token = context_api.attach(context_api.set_value("key", "value"))
    with traces.tracer.start_as_current_span("s"):
        assert context_api.get_value("key") == "value"
    context_api.detach(token)


def test_a_given_context_has_the_parent_and_does_not_become_current(traces: Traces) -> None:
    given = context_api.set_value("given", True, remote())
    with traces.tracer.start_as_current_span("outer") as outer:
        with traces.tracer.start_as_current_span("s", context=given) as span:
            assert current() is span
            assert context_api.get_value("given") is None
            assert span.parent.is_remote
        assert current() is outer
        root = traces.tracer.start_span("root", context=Context())
        assert root.parent is None
        root.end()


def test_spans_of_others_are_parents(traces: Traces) -> None:
    class Foreign(trace_api.NonRecordingSpan):
        """Of another implementation."""

    state = TraceState([("vendor", "1")])
    parent = SpanContext(1, 2, False, TraceFlags(TraceFlags.SAMPLED | 2), state)
    with traces.tracer.start_as_current_span("s", trace_api.set_span_in_context(Foreign(parent))) as span:
        assert span.parent is parent
        assert span.get_span_context().trace_state is state
    found = traces.span()
    assert (found.trace_state, found.flags) == ("vendor=1", 0x103)
    assert found.parent_span_id == (2).to_bytes(8, "big")


def test_what_is_no_parent(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(trace_api.NonRecordingSpan):
        def get_span_context(self) -> SpanContext:
            raise RuntimeError("broken")

    class Wrong(trace_api.NonRecordingSpan):
        def get_span_context(self) -> Any:
            return "no context"

    parents: list[Any] = [trace_api.INVALID_SPAN, "no span", None, Broken(trace_api.INVALID_SPAN_CONTEXT)]
    for parent in parents:
        span: Any = traces.tracer.start_span("s", trace_api.set_span_in_context(parent))
        assert span.parent is None
        span.end()
    assert "broken" in caplog.text
    with pytest.raises(TypeError, match="parent_span_context must be a SpanContext or None"):
        traces.tracer.start_span("s", trace_api.set_span_in_context(Wrong(trace_api.INVALID_SPAN_CONTEXT)))


def test_exceptions_leave_the_block_and_are_recorded(traces: Traces) -> None:
    inner = traces.tracer.start_as_current_span("inner", record_exception=False, set_status_on_exception=False)
    with pytest.raises(ValueError, match="why"), traces.tracer.start_as_current_span("outer"), inner:
        raise ValueError("why")
    inner, outer = traces.spans()
    assert (inner.status_code, inner.events) == (0, ())
    assert (outer.status_code, outer.status_message) == (StatusCode.ERROR.value, "ValueError: why")
    assert [event.name for event in outer.events] == ["exception"]
    assert outer.events[0].attributes["exception.escaped"] == "False"
    assert current() is trace_api.INVALID_SPAN


def test_what_is_no_exception_is_no_error(traces: Traces) -> None:
    with pytest.raises(KeyboardInterrupt), traces.tracer.start_as_current_span("s"):
        raise KeyboardInterrupt
    assert (traces.span().status_code, traces.span().events) == (0, ())


def test_a_started_span_as_a_context_manager(traces: Traces) -> None:
    span = traces.tracer.start_span("s")
    with span as entered:
        assert entered is span
        assert current() is trace_api.INVALID_SPAN
    with pytest.raises(ValueError, match="why"), traces.tracer.start_span("s"):
        raise ValueError("why")
    _, found = traces.spans()
    assert found.events[0].attributes["exception.escaped"] == "True"
    assert found.status_message == "ValueError: why"


def test_end_on_exit_is_a_choice(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("s", end_on_exit=False) as span:
        pass
    assert current() is trace_api.INVALID_SPAN
    assert span.is_recording()
    span.end()
    assert names(traces.spans()) == ["s"]


def test_use_span_of_the_api(traces: Traces) -> None:
    span = traces.tracer.start_span("s")
    with trace_api.use_span(span):
        assert current() is span
    with pytest.raises(ValueError, match="why"), trace_api.use_span(span, end_on_exit=True):
        raise ValueError("why")
    assert traces.span().status_message == "ValueError: why"


def test_a_context_manager_can_be_used_again_and_within_itself(traces: Traces) -> None:
    manager = traces.tracer.start_as_current_span("s")
    assert traces.in_flight() == []
    with manager as first, manager as second:
        assert current() is second
    with manager as third:
        pass
    assert len({span.get_span_context().span_id for span in (first, second, third)}) == 3
    assert second.parent is first.get_span_context()
    assert len(traces.spans()) == 3


def test_functions_are_decorated(traces: Traces) -> None:
    tracer: Tracer = traces.tracer

    @tracer.start_as_current_span("work", attributes={"a": 1})
    def work(number: int) -> int:
        """Works."""
        return 1 if number == 0 else number * work(number - 1)

    assert (work.__name__, work.__doc__) == ("work", "Works.")
    assert work(3) == 6
    assert names(traces.spans()) == ["work"] * 4
    assert len({span.trace_id for span in traces.spans()}) == 1


def test_coroutines_are_decorated_and_overlap(traces: Traces) -> None:
    tracer: Tracer = traces.tracer

    @tracer.start_as_current_span("work")
    async def work(number: int) -> trace_api.Span:
        span = trace_api.get_current_span()
        for _ in range(number):
            await asyncio.sleep(0)
            assert current() is span
        return span

    async def all_of_them() -> list[trace_api.Span]:
        return await asyncio.gather(*(work(number) for number in (3, 1, 2)))

    spans = asyncio.run(all_of_them())
    assert not any(span.is_recording() for span in spans)
    assert len({span.get_span_context().trace_id for span in spans}) == 3
    assert names(traces.spans()) == ["work"] * 3


def test_generators(traces: Traces) -> None:
    def numbers() -> Iterator[int]:
        with traces.tracer.start_as_current_span("sync"):
            yield 1
            yield 2

    async def more_numbers() -> AsyncIterator[int]:
        with traces.tracer.start_as_current_span("async"):
            yield 1

    async def use() -> list[int]:
        return [number async for number in more_numbers()]

    for _ in numbers():
        break
    assert asyncio.run(use()) == [1]
    found = traces.spans()
    assert names(found) == ["sync", "async"]
    assert [span.status_code for span in found] == [0, 0]


def test_leaving_in_another_context_is_logged_and_ends_the_span(
    traces: Traces, caplog: pytest.LogCaptureFixture
) -> None:
    manager = traces.tracer.start_as_current_span("s")
    manager.__enter__()
    thread = threading.Thread(target=lambda: manager.__exit__(None, None, None))
    thread.start()
    thread.join()
    assert "Failed to detach context" in caplog.text
    assert names(traces.spans()) == ["s"]
    context_api.attach(Context())


def test_another_context_runtime(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    class Runtime:
        """Not the standard one."""

        def __init__(self) -> None:
            self.stack = [Context()]

        def get_current(self) -> Context:
            return self.stack[-1]

        def attach(self, context: Context) -> int:
            self.stack.append(context)
            return len(self.stack)

        def detach(self, token: int) -> None:
            assert token == len(self.stack)
            self.stack.pop()

    monkeypatch.setattr(context_api, "_RUNTIME_CONTEXT", Runtime())
    with traces.tracer.start_as_current_span("outer") as outer, traces.tracer.start_as_current_span("inner") as inner:
        assert inner.parent is outer.get_span_context()
    assert current() is trace_api.INVALID_SPAN
    assert len(traces.spans()) == 2


class Counting(IdGenerator):
    """An id generator of another package."""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    def generate_trace_id(self) -> int:
        return self.generate_span_id() << 64


def test_id_generators_of_others(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm", id_generator=Counting())
    with traces.tracer.start_as_current_span("a") as a, traces.tracer.start_as_current_span("b") as b:
        assert a.get_span_context()[:2] == (1 << 64, 2)
        assert b.get_span_context()[:2] == (1 << 64, 3)
    assert [span.flags for span in traces.spans()] == [0x101] * 2


def test_an_id_generator_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(RandomIdGenerator):
        def generate_span_id(self) -> int:
            raise RuntimeError("no more ids")

        def generate_trace_id(self) -> int:
            return 1 << 200

    traces = Traces(tmp_path / "t.otlpmm", id_generator=Failing())
    with traces.tracer.start_as_current_span("s") as span:
        assert span.get_span_context().is_valid
    assert "ids are random" in caplog.text
    assert len(traces.spans()) == 1


def test_ids_are_random(traces: Traces) -> None:
    contexts = [traces.tracer.start_span("s").get_span_context() for _ in range(500)]
    assert len({context.trace_id for context in contexts}) == len({context.span_id for context in contexts}) == 500
    for shift in range(128):
        assert 150 < sum(context.trace_id >> shift & 1 for context in contexts) < 350
    for shift in range(64):
        assert 150 < sum(context.span_id >> shift & 1 for context in contexts) < 350


def test_threads_and_forked_children_have_other_ids(traces: Traces) -> None:
    def span_ids() -> list[int]:
        return [traces.tracer.start_span("s").get_span_context().span_id for _ in range(50)]

    found = span_ids()
    thread = threading.Thread(target=lambda: found.extend(span_ids()))
    thread.start()
    thread.join()
    reading, writing = os.pipe()

    def child() -> None:
        os.write(writing, b"".join(span_id.to_bytes(8, "big") for span_id in span_ids()))

    assert join([fork(child), fork(child)]) == [0, 0]
    data = os.read(reading, 1 << 16)
    found += [int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data), 8)]
    assert len(set(found)) == len(found) == 200


def test_a_span_over_a_fork_is_the_parents_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    seen = Seen()
    traces.provider.add_span_processor(seen)

    def child() -> None:
        with traces.tracer.start_as_current_span("child's"):
            pass
        span.set_attribute("child", True)
        span.add_event("child")
        span.end()
        assert [name for call, name in seen.calls if call == "end"] == ["child's"]
        assert not caplog.records

    with traces.tracer.start_as_current_span("parent's") as span:
        assert join([fork(child)]) == [0]
        span.set_attribute("parent", True)
    found = traces.span()
    assert (found.name, found.attributes, found.events) == ("parent's", {"parent": True}, ())
    (own,) = [path for path in tmp_path.iterdir() if path != traces.writer.path]
    (of_child,) = Reader(own).spans()
    assert (of_child.name, of_child.parent_span_id) == ("child's", found.span_id)
    assert Reader(own).losses()["spans"]["invalid"] == 0


def test_a_child_that_records_nothing_gets_no_file(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    assert join([fork(lambda: None)]) == [0]
    assert list(tmp_path.iterdir()) == [traces.writer.path]


def test_get_tracer_gives_the_same_one_for_the_same_scope(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    get = traces.provider.get_tracer
    assert get("a", "1", "url", {"k": 1}) is get("a", "1", "url", {"k": 1})
    assert len({get("a"), get("a", "1"), get("a", "1", "url"), get("a", "1", "url", {"k": 1})}) == 4
    assert isinstance(get("a"), Tracer)
    assert isinstance(get("a"), trace_api.Tracer)
    assert not caplog.records
    nameless: Any = None
    assert get("") is get(nameless)
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


def test_scopes_have_schema_urls_and_attributes(traces: Traces) -> None:
    tracer: Any = traces.provider.get_tracer("lib", "2", "https://example.org/schema", {"k": 1})
    with tracer.start_as_current_span("s") as span:
        assert span.instrumentation_scope.name == "lib"
    scope = traces.span().scope
    found = (scope.name, scope.version, scope.schema_url, scope.attributes)
    assert found == ("lib", "2", "https://example.org/schema", {"k": 1})


def test_disabled_tracers_start_spans_that_record_nothing(traces: Traces) -> None:
    provider = traces.provider
    with traces.tracer.start_as_current_span("s") as parent:
        provider._set_tracer_configurator(tracer_configurator=_disable_tracer_configurator)
        with traces.tracer.start_as_current_span("none") as span:
            assert not span.is_recording()
            assert span.get_span_context() is parent.get_span_context()
    root = traces.tracer.start_span("none")
    assert not root.get_span_context().is_valid
    root.end()
    provider._set_tracer_configurator(tracer_configurator=lambda _: _TracerConfig.default())
    traces.tracer.start_span("again").end()
    assert names(traces.spans()) == ["s", "again"]


def test_the_variable_disables_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", " True ")
    assert isinstance(TracerProvider(shutdown_on_exit=False).get_tracer("a"), trace_api.NoOpTracer)


def test_another_resource_is_for_spans_that_start_later(traces: Traces) -> None:
    before: Any = traces.tracer.start_span("before")
    traces.provider._update_resource(Resource({"service.name": "renamed"}))
    after: Any = traces.tracer.start_span("after")
    before.end()
    after.end()
    assert [span.resource.attributes["service.name"] for span in (before, after)] == ["tests", "renamed"]
    in_file = [span.scope.resource.attributes["service.name"] for span in traces.spans()]
    assert in_file == ["tests", "renamed"]


SHUTDOWN = """
import atexit
from otlp_mmap.sdk.trace import SpanProcessor, TracerProvider

class Processor(SpanProcessor):
    count = 0

    def shutdown(self):
        Processor.count += 1

atexit.register(lambda: print(Processor.count))
provider = TracerProvider(shutdown_on_exit={at_exit})
provider.add_span_processor(Processor())
with provider.get_tracer("t").start_as_current_span("s"):
    pass
{explicit}
"""


@pytest.mark.parametrize(
    ("at_exit", "explicit", "expected"),
    [(True, "", "1"), (True, "provider.shutdown()", "1"), (False, "", "0"), (False, "provider.shutdown()", "1")],
)
def test_the_end_of_the_interpreter_shuts_down_once(
    tmp_path: Path, at_exit: bool, explicit: str, expected: str
) -> None:
    program = SHUTDOWN.format(at_exit=at_exit, explicit=explicit)
    environment = os.environ | {"OTLP_MMAP_DIRECTORY": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")
    assert names(Reader(tmp_path).spans()) == ["s"]
