"""The demo's adapter: spans, metrics and events of the OpenTelemetry API, and that it never raises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.trace import SpanKind, Status, StatusCode

from demo.adapter import LoggerProvider, MeterProvider, Scopes, TracerProvider
from otlp_mmap import Reader, Writer
from otlp_mmap.model import HistogramPoint, NumberPoint


@pytest.fixture
def scopes(path: Path) -> Iterator[Scopes]:
    """The scopes of a writer that closes at the end."""
    with Writer(path) as writer:
        yield Scopes(writer, {"service.name": "adapter", "service.instance.id": "1"})


def test_spans(scopes: Scopes, path: Path) -> None:
    tracer = TracerProvider(scopes).get_tracer("tests", "1")
    with tracer.start_as_current_span("outer", kind=SpanKind.CLIENT, attributes={"a": 1}) as outer:
        odd: Any = object
        outer.set_attributes({"b": [1, 2], "odd": odd})
        outer.add_event("event", {"c": 3}, 5)
        link = trace.Link(outer.get_span_context(), {"d": 4})
        with tracer.start_as_current_span("inner", links=[link]) as inner:
            inner.update_name("renamed")
            inner.set_status(Status(StatusCode.OK))
            inner.set_status(StatusCode.ERROR, "too late")
        assert Reader(path).spans_in_flight()[0].name == "outer"
    second, first = Reader(path).spans()
    assert (first.name, first.kind, first.parent_span_id, first.flags) == ("outer", 3, None, 0x101)
    assert first.attributes == {"a": 1, "b": [1, 2], "odd": "<class 'object'>"}
    assert [(event.name, event.time_unix_nano, event.attributes) for event in first.events] == [("event", 5, {"c": 3})]
    assert (second.name, second.trace_id, second.parent_span_id) == ("renamed", first.trace_id, first.span_id)
    assert (second.status_code, second.status_message) == (1, "")
    assert [(link.span_id, link.attributes) for link in second.links] == [(first.span_id, {"d": 4})]
    assert first.scope is second.scope
    assert first.scope.resource.attributes == {"service.name": "adapter", "service.instance.id": "1"}


def test_exceptions(scopes: Scopes, path: Path) -> None:
    tracer = TracerProvider(scopes).get_tracer("tests")
    with pytest.raises(KeyError), tracer.start_as_current_span("with"):
        raise KeyError("mine")
    with pytest.raises(KeyError), tracer.start_span("bare"):
        raise KeyError("mine")
    for span in Reader(path).spans():
        assert (span.status_code, span.status_message) == (2, "KeyError: 'mine'")
        assert span.events[0].name == "exception"
        assert span.events[0].attributes["exception.message"] == "'mine'"


def test_metrics(scopes: Scopes, path: Path) -> None:
    meter = MeterProvider(scopes).get_meter("tests")
    meter.create_counter("counter", "1", "counts").add(2, {"a": 1})
    meter.create_up_down_counter("balance").add(-2.5)
    meter.create_gauge("gauge").set(7)
    meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=[1]).record(3)
    meter.create_observable_counter("observable", [])
    found = {metric.stream.name: metric.point for metric in Reader(path).metrics()}
    assert found == {
        "counter": NumberPoint(2),
        "balance": NumberPoint(-2.5),
        "gauge": NumberPoint(7),
        "histogram": HistogramPoint(1, 3, 3, 3, (0, 1)),
    }


def test_events(scopes: Scopes, path: Path) -> None:
    logger = LoggerProvider(scopes).get_logger("tests")
    with TracerProvider(scopes).get_tracer("tests").start_as_current_span("span") as span:
        logger.emit(
            timestamp=5,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body={"text": "body"},
            event_name="event",
            attributes={"a": 1},
        )
    (event,) = Reader(path).events()
    assert (event.time_unix_nano, event.severity_number, event.severity_text) == (5, 13, "WARN")
    assert (event.body, event.event_name, event.attributes) == ({"text": "body"}, "event", {"a": 1})
    assert event.span_id == span.get_span_context().span_id.to_bytes(8, "big")


def test_nothing_is_raised(scopes: Scopes, caplog: pytest.LogCaptureFixture) -> None:
    providers = (TracerProvider(scopes), MeterProvider(scopes), LoggerProvider(scopes))
    bad: Any = 5
    with providers[0].get_tracer("tests").start_as_current_span(bad) as span:
        span.set_attribute("\ud800", 2**70)
    scopes.writer.close()
    with providers[0].get_tracer("tests").start_as_current_span("late") as late:
        late.set_attribute("a", 1)
    providers[0].get_tracer("new").start_span("late").end()
    providers[1].get_meter("new").create_counter("late").add(1)
    providers[1].get_meter("tests").create_counter("late").add(1)
    providers[2].get_logger("new").emit(body="late")
    providers[2].get_logger("tests").emit(body="late")
    assert not late.is_recording()
    assert "telemetry was not recorded" in caplog.text


def test_flask(scopes: Scopes, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    app = Flask("tests")
    instrumentor: Any = FlaskInstrumentor
    instrumentor.instrument_app(app, tracer_provider=TracerProvider(scopes), meter_provider=MeterProvider(scopes))

    @app.get("/user/<name>")
    def user(name: str) -> str:
        in_flight = Reader(path).spans_in_flight()
        return f"{name}: {', '.join(span.name for span in in_flight)}"

    client = app.test_client()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert client.get("/user/eve", headers={"traceparent": parent}).text == "eve: GET /user/<name>"
    (span,) = Reader(path).spans()
    assert (span.kind, span.flags, span.trace_id.hex()) == (2, 0x301, "0af7651916cd43dd8448eb211c80319c")
    assert span.parent_span_id == bytes.fromhex("b7ad6b7169203331")
    assert span.attributes["http.response.status_code"] == 200
    metrics = {metric.stream.name: metric.point for metric in Reader(path).metrics()}
    assert metrics["http.server.active_requests"] == NumberPoint(0)
    duration = metrics["http.server.request.duration"]
    assert isinstance(duration, HistogramPoint)
    assert duration.count == 1
