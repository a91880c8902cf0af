"""A Flask application under the official instrumentation."""

from __future__ import annotations

from flask import Flask, Response, request
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor

tracer = trace.get_tracer("flask_app")


def application() -> Flask:
    """The application."""
    app = Flask("shop")

    @app.get("/orders/<int:number>")
    def order(number: int) -> dict[str, int]:
        with tracer.start_as_current_span("load", attributes={"order": number}) as span:
            span.add_event("loaded")
        return {"order": number}

    @app.post("/orders")
    def place() -> Response:
        trace.get_current_span().set_attribute("length", len(request.data))
        return Response("placed", 201, {"X-Order": "7"})

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError("the stock is gone")

    @app.get("/stream")
    def stream() -> Response:
        return Response((f"{number}\n" for number in range(3)), mimetype="text/plain")

    return app


def run() -> None:
    """Sends requests."""
    app = application()
    FlaskInstrumentor().instrument_app(app)  # type: ignore[no-untyped-call]
    client = app.test_client()
    client.get("/orders/7?color=red", headers={"User-Agent": "tests"})
    client.post("/orders", data=b"12345")
    client.get("/fails")
    client.get("/nowhere")
    client.delete("/orders")
    client.get("/stream")
    parent = "00-80000000000000000000000000000005-8000000000000005-01"
    client.get("/orders/8", headers={"traceparent": parent, "tracestate": "vendor=a"})
    client.get("/orders/9", headers={"traceparent": parent[:-1] + "0"})
