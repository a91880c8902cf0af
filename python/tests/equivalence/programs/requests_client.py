"""requests under the official instrumentation, against a server of its own."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from opentelemetry import trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor

tracer = trace.get_tracer("requests_client")


class Handler(BaseHTTPRequestHandler):
    """Answers by the path, and hands the trace's context on."""

    def do_GET(self) -> None:
        """A status, or a redirect."""
        status = int(self.path.strip("/").split("?")[0])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()
        parent = bool(self.headers["traceparent"])
        trace.get_current_span().set_attribute("never", parent)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Prints nothing."""


def run() -> None:
    """Sends requests."""
    RequestsInstrumentor().instrument()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tracer.start_as_current_span("all"), requests.Session() as session:
        for path in ("/200?color=red", "/404", "/500", "/302"):
            session.get(url + path)
        session.post(url + "/201", data=b"12345")
    requests.get(url + "/200")
    server.shutdown()
    server.server_close()
    with contextlib.suppress(requests.ConnectionError):
        requests.get("http://nowhere.invalid./200", timeout=5)
