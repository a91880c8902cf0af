"""Rows of the specification's table for traces that no other test shows: see COMPLIANCE.md."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.trace import Link, SpanContext

from otlp_mmap.sdk import trace
from otlp_mmap.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from .metrics import recorded
from .tracing import Traces, names

LINK = SpanContext(1, 2, is_remote=False)


def at_once(work: Callable[[int], None], count: int = 8) -> None:
    """Calls from this many threads, which begin together; an exception in one of them fails the test."""
    barrier, done = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        work(number)
        done.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(count))


def test_a_provider_and_its_tracers_are_safe_for_threads(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    found = set()

    def work(number: int) -> None:
        for each in range(20):
            tracer = traces.provider.get_tracer(f"scope {each}")
            found.add(tracer)
            tracer.start_span(f"{number}.{each}").end()
            traces.tracer.start_span(f"{number}.{each}").end()
            traces.provider.force_flush()

    at_once(work)
    assert len(found) == 20
    assert sorted(names(traces.spans())) == sorted(f"{n}.{each}" for n in range(8) for each in range(20) for _ in "ab")
    at_once(lambda _: traces.provider.shutdown())


def test_a_parent_is_given_by_a_context_alone(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    span = traces.tracer.start_span("s")
    for parent in (span, span.get_span_context()):
        with pytest.raises(TypeError):
            traces.tracer.start_span("child", parent=parent)
    span.end()
    assert names(traces.spans()) == ["s"]


def everything(path: Path) -> dict[str, int]:
    """How much is in the file of a span that was given three of each."""
    traces = Traces(path)
    attributes = {"a": "12345", "b": "12345", "c": "12345"}
    with traces.tracer.start_as_current_span("s", attributes=attributes) as span:
        for _ in range(3):
            span.add_event("e", attributes)
            span.add_link(LINK, attributes)
    found = traces.span()
    return {
        "attributes": len(found.attributes),
        "length": len(str(found.attributes["a"])),
        "events": len(found.events),
        "links": len(found.links),
        "event attributes": len(found.events[0].attributes),
        "link attributes": len(found.links[0].attributes),
        "event length": len(str(found.events[0].attributes["a"])),
    }


@pytest.mark.parametrize(
    ("variable", "limited"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", {"attributes": 2}),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", {"length": 2}),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", {"events": 2}),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", {"links": 2}),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", {"event attributes": 2}),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", {"link attributes": 2}),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", {"attributes": 2, "event attributes": 2, "link attributes": 2}),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", {"length": 2, "event length": 2}),
    ],
)
def test_each_limit_has_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, limited: dict[str, int]
) -> None:
    unlimited = everything(tmp_path / "unlimited.otlpmm")
    monkeypatch.setenv(variable, "2")
    assert everything(tmp_path / "limited.otlpmm") == {**unlimited, **limited}
    assert set(unlimited.values()) == {3, 5}


def test_keys_and_values_may_be_of_any_script(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    attributes = {"größe": "naïve", "世界": "🌍", "ключ": "ψ"}
    traces.tracer.start_span("s", attributes=attributes).end()
    assert traces.span().attributes == attributes


def test_links_keep_their_order(tmp_path: Path) -> None:
    traces = Traces(tmp_path / "t.otlpmm")
    contexts = [SpanContext(1, number, is_remote=False) for number in range(1, 9)]
    with traces.tracer.start_as_current_span("s", links=[Link(context) for context in contexts[:4]]) as span:
        for context in contexts[4:]:
            span.add_link(context)
    assert [int.from_bytes(link.span_id, "big") for link in traces.span().links] == list(range(1, 9))


def test_the_documentation_says_what_the_specification_asks_of_it() -> None:
    text = " ".join((trace.__doc__ or "").split())
    assert "better given to `start_span` than set later" in text
    assert "None means as the value of an attribute is not defined" in text


def test_an_empty_resource_has_nothing() -> None:
    for empty in (Resource.get_empty(), Resource({})):
        assert (dict(empty.attributes), empty.schema_url) == ({}, "")


class Nowhere(SpanExporter):
    """Takes spans."""

    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def measured(reader: InMemoryMetricReader) -> dict[str, float]:
    """The value of each metric of the SDK itself."""
    data = reader.get_metrics_data()
    assert data is not None
    found = [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics]
    points = {metric.name: metric.data.data_points[0] for metric in found}
    return {name: point.value for name, point in points.items() if isinstance(point, NumberDataPoint)}


def test_a_batch_processor_measures_its_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    reader = InMemoryMetricReader()
    with recorded(tmp_path, metric_readers=[reader]) as metrics:
        traces = Traces(tmp_path / "t.otlpmm")
        processor = BatchSpanProcessor(
            Nowhere(), max_queue_size=7, max_export_batch_size=7, schedule_delay_millis=1e6,
            meter_provider=metrics.provider,
        )  # fmt: skip
        traces.provider.add_span_processor(processor)
        for _ in range(3):
            traces.tracer.start_span("s").end()
        found = measured(reader)
        assert found["otel.sdk.processor.span.queue.size"] == 3
        assert found["otel.sdk.processor.span.queue.capacity"] == 7
        traces.provider.force_flush()
        found = measured(reader)
        assert found["otel.sdk.processor.span.queue.size"] == 0
        assert found["otel.sdk.processor.span.processed"] == 3
        traces.provider.shutdown()
