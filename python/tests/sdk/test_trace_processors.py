"""Span processors and exporters, which are beside the file."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import Context, get_value
from opentelemetry.trace import StatusCode

from otlp_mmap.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    Span,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
)
from otlp_mmap.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from otlp_mmap.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .tracing import Seen, Traces, names

MULTI: list[Callable[[], Any]] = [SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor]


@pytest.fixture(params=MULTI, ids=["one by one", "at once"])
def traces(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Traces]:
    traces = Traces(tmp_path / "t.otlpmm", active_span_processor=request.param())
    yield traces
    traces.provider.shutdown()
    traces.writer.close()


def test_processors_see_spans_in_their_order(traces: Traces) -> None:
    with traces.tracer.start_as_current_span("unseen"):
        pass
    first, second = Seen(), Seen()
    with traces.tracer.start_as_current_span("older"):
        traces.provider.add_span_processor(first)
        traces.provider.add_span_processor(second)
        context = Context()
        with traces.tracer.start_as_current_span("new", context):
            pass
    expected = [("start", "new"), ("ending", "new"), ("end", "new"), ("ending", "older"), ("end", "older")]
    assert first.calls == second.calls == expected
    assert first.parents == [context]
    assert names(traces.spans()) == ["unseen", "new", "older"]


def test_a_processor_changes_a_span_when_it_starts_and_when_it_ends(tmp_path: Path) -> None:
    class Baggage(SpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            span.set_attribute("user", str(get_value("user", parent_context)))

        def _on_ending(self, span: Span) -> None:
            assert span.is_recording()
            assert span.end_time is not None
            span.set_attribute("ending", True)
            span.set_status(StatusCode.ERROR, "at the end")

        def on_end(self, span: ReadableSpan) -> None:
            assert not hasattr(span, "set_attribute")

    traces = Traces(tmp_path / "t.otlpmm")
    traces.provider.add_span_processor(Baggage())
    with traces.tracer.start_as_current_span("s", Context(user="me")) as span:
        pass
    assert not span.is_recording()
    found = traces.span()
    assert found.attributes == {"user": "me", "ending": True}
    assert (found.status_code, found.status_message) == (2, "at the end")


def test_other_threads_cannot_change_an_ending_span(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Late(SpanProcessor):
        def _on_ending(self, span: Span) -> None:
            thread = threading.Thread(target=lambda: span.set_attribute("late", True))
            thread.start()
            thread.join()

    traces = Traces(tmp_path / "t.otlpmm")
    traces.provider.add_span_processor(Late())
    traces.tracer.start_span("s").end()
    assert traces.span().attributes == {}
    assert "Setting attribute on ended span" in caplog.text


def test_what_a_processor_raises_is_logged_once(traces: Traces, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(SpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            raise RuntimeError("at the start")

        def _on_ending(self, span: Span) -> None:
            raise RuntimeError("ending")

        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("at the end")

        def shutdown(self) -> None:
            raise RuntimeError("at shutdown")

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            raise RuntimeError("flushing")

    seen = Seen()
    traces.provider.add_span_processor(Failing())
    traces.provider.add_span_processor(seen)
    for _ in range(3):
        with traces.tracer.start_as_current_span("s"):
            pass
    assert traces.provider.force_flush() is False
    traces.provider.shutdown()
    assert [record.exc_text or record.exc_info for record in caplog.records]
    assert sorted(str(record.exc_info[1]) for record in caplog.records if record.exc_info) == [
        "at shutdown",
        "at the end",
        "at the start",
        "ending",
        "flushing",
    ]
    assert len(seen.calls) == 9
    assert len(traces.spans()) == 3


def test_processors_of_others_need_only_some_methods(tmp_path: Path) -> None:
    class Duck:
        """No subclass, and without `_on_ending`."""

        def __init__(self) -> None:
            self.names: list[str] = []

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            self.names.append(span.name)

        def on_end(self, span: ReadableSpan) -> None:
            self.names.append(span.name)

    alone: Any = Duck()
    added: Any = Duck()
    for processor, options in ((alone, {"active_span_processor": alone}), (added, {})):
        traces = Traces(tmp_path / f"{len(options)}.otlpmm", **options)
        if not options:
            traces.provider.add_span_processor(processor)
        with traces.tracer.start_as_current_span("s"):
            pass
        assert processor.names == ["s", "s"]


def test_a_multi_processor_of_others(tmp_path: Path) -> None:
    class Own(SynchronousMultiSpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span.name)
            super().on_end(span)

    ended: list[str] = []
    traces = Traces(tmp_path / "t.otlpmm", active_span_processor=Own())
    traces.tracer.start_span("s").end()
    assert ended == ["s"]


def test_force_flush_has_one_timeout_for_all(traces: Traces) -> None:
    class Slow(SpanProcessor):
        def force_flush(self, timeout_millis: int = 30000) -> bool:
            asked.append(timeout_millis)
            return timeout_millis > 1000

    asked: list[int] = []
    traces.provider.add_span_processor(Slow())
    assert traces.provider.force_flush(60_000) is True
    assert traces.provider.force_flush(500) is False
    assert len(asked) == 2
    assert 1000 < asked[0] <= 60_000
    assert asked[1] <= 500


def test_exporters_in_memory(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    all_of_them, newest = InMemorySpanExporter(), InMemorySpanExporter(max_spans=1)
    for exporter in (all_of_them, newest):
        traces.provider.add_span_processor(SimpleSpanProcessor(exporter))
    for name in "ab":
        with traces.tracer.start_as_current_span(name, attributes={"n": name}):
            pass
    assert [span.name for span in all_of_them.get_finished_spans()] == ["a", "b"]
    (span,) = newest.get_finished_spans()
    assert isinstance(span, ReadableSpan)
    assert (span.name, dict(span.attributes or {}), span.resource) == ("b", {"n": "b"}, traces.provider.resource)
    newest.clear()
    assert newest.get_finished_spans() == ()
    newest.shutdown()
    assert newest.export([span]) is SpanExportResult.FAILURE


def test_batches(tmp_path: Path) -> None:
    class Batches(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            batches.append([span.name for span in spans])
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            batches.append(["shutdown"])

    batches: list[list[str]] = []
    traces = Traces(tmp_path / "t.otlpmm")
    processor = BatchSpanProcessor(Batches(), max_export_batch_size=2, schedule_delay_millis=1e6)
    traces.provider.add_span_processor(processor)
    for name in "abc":
        traces.tracer.start_span(name).end()
    assert traces.provider.force_flush() is True
    assert sorted(name for batch in batches for name in batch) == ["a", "b", "c"]
    traces.provider.shutdown()
    assert batches[-1] == ["shutdown"]


def test_the_console(tmp_path: Path) -> None:
    out = io.StringIO()
    traces = Traces(tmp_path / "t.otlpmm")
    traces.provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    with traces.tracer.start_as_current_span("s", attributes={"a": 1}) as span:
        span.add_event("e")
    shown = json.loads(out.getvalue())
    assert (shown["name"], shown["attributes"], shown["events"][0]["name"]) == ("s", {"a": 1}, "e")
