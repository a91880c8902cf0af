"""The standard library's logging through a handler, and log records of the API."""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry import _logs, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.logging import LoggingInstrumentor

tracer = trace.get_tracer("logs")

BODIES: list[Any] = [
    "text",
    "",
    7,
    -2.5,
    True,
    None,
    b"\x00\xff",
    ["a", 1, [2.5, None]],
    {"a": {"b": [True, {"c": b"d"}]}, "n": 1},
]


def standard() -> None:
    """Loggers of the standard library."""
    logger = logging.getLogger("shop.orders")
    logger.setLevel(logging.DEBUG)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 35, 5):
        logger.log(level, "order %s of %d", "A7", 3, extra={"order.id": "A7", "count": 3})
    logger.warning("no arguments: 100%")
    logger.info({"a": "map"})
    logger.info(12)
    logger.info("an object in extra", extra={"object": SeverityNumber.INFO, "list": [1, 2], "map": {"a": 1}})
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("it failed")
    logging.getLogger("shop.stock").error("of another logger", stack_info=False)


def records() -> None:
    """Log records of the API."""
    logger = _logs.get_logger("logs", "1.0", schema_url="https://example.org/logs", attributes={"scope": "attribute"})
    for number, body in enumerate(BODIES):
        logger.emit(LogRecord(timestamp=1_700_000_000_000_000_000 + number, body=body, attributes={"number": number}))
    for severity in SeverityNumber:
        logger.emit(LogRecord(severity_number=severity, severity_text=severity.name, body="severity"))
    logger.emit(
        LogRecord(event_name="order.placed", attributes={"order.id": "A7", "tags": ["a", "b"], "map": {"x": 1}})
    )
    logger.emit(body="by keywords", severity_number=SeverityNumber.WARN, event_name="keywords")
    logger.emit(LogRecord(body="an exception", exception=ValueError("attached")))
    _logs.get_logger("other").emit(LogRecord(body="other scope", observed_timestamp=1_700_000_000_000_000_001))


def run() -> None:
    """Runs all, in a span and without."""
    LoggingInstrumentor().instrument()
    standard()
    records()
    with tracer.start_as_current_span("in a span"):
        standard()
        records()
        with tracer.start_as_current_span("deeper"):
            logging.getLogger("shop").error("deeper")
    parent = trace.SpanContext(2**127 + 5, 2**63 + 5, True, trace.TraceFlags(0))
    with trace.use_span(trace.NonRecordingSpan(parent)):
        logging.getLogger("shop").error("in a trace that is not sampled")
