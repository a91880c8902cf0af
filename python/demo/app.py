"""The demo's application: a small shop that knows the OpenTelemetry API and Flask, and nothing of recordings.

`opentelemetry-instrument` starts gunicorn, which imports the shop once and forks its workers. The instrumentation of
Flask and the SDK, which records into a file of each process, come from installed packages by their entry points.
"""

import logging
import time

from flask import Flask, abort
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import SeverityNumber

REPORT_SECONDS = 60


def create_app() -> Flask:
    """The application."""
    app = Flask(__name__)
    # An order that fails is part of the demo: its exception is in the recording.
    app.logger.setLevel(logging.CRITICAL)
    add_routes(app)
    return app


def add_routes(app: Flask) -> None:
    """The shop's pages."""
    tracer = trace.get_tracer("shop", "1.0")
    logger = _logs.get_logger("shop", "1.0")
    orders = metrics.get_meter("shop", "1.0").create_counter("shop.orders", "{order}", "Orders by product.")

    @app.get("/")
    def index() -> str:
        with tracer.start_as_current_span("render the shelf", attributes={"shelf.products": ["tea", "coffee"]}):
            return "tea, coffee\n"

    @app.post("/orders/<product>/<int:number>")
    def order(product: str, number: int) -> str:
        with tracer.start_as_current_span("charge the card", attributes={"order.number": number}) as span:
            orders.add(1, {"product": product})
            logger.emit(
                event_name="order.placed",
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"order {number}: {product}",
                attributes={"order.number": number, "order.product": product},
            )
            if product == "gold":
                raise LookupError("nobody has ever had gold on the shelf")
            span.add_event("charged", {"amount": 4.2})
        return "thank you\n"

    @app.get("/report")
    def report() -> str:
        with tracer.start_as_current_span("sum up the year", attributes={"report.year": 2026}) as span:
            span.add_event("opened the books")
            time.sleep(REPORT_SECONDS)
        return "in the black\n"

    @app.get("/missing")
    def missing() -> str:
        abort(404)
