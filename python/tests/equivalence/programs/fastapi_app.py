"""A FastAPI application under the official instrumentation."""

from __future__ import annotations

import logging

from fastapi import BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

tracer = trace.get_tracer("fastapi_app")
placed = metrics.get_meter("fastapi_app").create_counter("orders.placed")


def application() -> FastAPI:
    """The application."""
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> dict[str, int]:
        with tracer.start_as_current_span("load", attributes={"order": number}):
            logging.getLogger("shop").warning("order %d", number)
        return {"order": number}

    @app.post("/orders", status_code=201)
    def place(later: BackgroundTasks) -> str:
        placed.add(1)
        later.add_task(notify)
        return "placed"

    @app.get("/forbidden")
    async def forbidden() -> None:
        raise HTTPException(403, "not yours")

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("the stock is gone")

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    return app


def notify() -> None:
    """What runs after the response."""
    with tracer.start_as_current_span("notify"):
        pass


def run() -> None:
    """Sends requests."""
    app = application()
    FastAPIInstrumentor.instrument_app(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/orders/7?color=red")
        client.post("/orders", content=b"12345")
        client.get("/forbidden")
        client.get("/fails")
        client.get("/orders/none")
        client.get("/nowhere")
        with client.websocket_connect("/socket") as session:
            session.send_text("hello")
            session.receive_text()
        parent = "00-80000000000000000000000000000005-8000000000000005-01"
        client.get("/orders/8", headers={"traceparent": parent, "tracestate": "vendor=a"})
