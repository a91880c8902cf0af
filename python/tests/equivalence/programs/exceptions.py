"""Exceptions: through spans, recorded by hand, chained, and ones that end nothing."""

from __future__ import annotations

import asyncio
import contextlib

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

tracer = trace.get_tracer("exceptions")


class OrderError(Exception):
    """An exception of the program's own."""


def escapes(record: bool, status: bool) -> None:
    """An exception that leaves a span."""
    with (
        contextlib.suppress(OrderError),
        tracer.start_as_current_span(
            f"escapes, {record}, {status}", record_exception=record, set_status_on_exception=status
        ),
    ):
        raise OrderError("no such order: 7")


def chained() -> None:
    """An exception with a cause, in two spans."""
    with (
        contextlib.suppress(ValueError),
        tracer.start_as_current_span("outer"),
        tracer.start_as_current_span("inner"),
    ):
        try:
            int("x")
        except ValueError as error:
            raise ValueError("not a number") from error


def recorded() -> None:
    """Exceptions recorded by hand."""
    with tracer.start_as_current_span("recorded") as span:
        try:
            raise KeyError("key")
        except KeyError as error:
            span.record_exception(error)
            span.record_exception(error, {"exception.message": "another", "attempt": 2}, escaped=True)
        span.record_exception(OrderError("never raised"))
        span.record_exception(OrderError())


def exits() -> None:
    """What is no Exception: these leave the span without a mark, or with one."""
    for error in (SystemExit(0), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()):
        with contextlib.suppress(BaseException), tracer.start_as_current_span(f"exits: {type(error).__name__}"):
            raise error


def statuses() -> None:
    """Which of two statuses stays."""
    for first in StatusCode:
        for second in StatusCode:
            with tracer.start_as_current_span(f"{first.name} then {second.name}") as span:
                span.set_status(Status(first, "first" if first is StatusCode.ERROR else None))
                span.set_status(second, "second")
    with contextlib.suppress(OrderError), tracer.start_as_current_span("error after OK") as span:
        span.set_status(StatusCode.OK)
        raise OrderError("late")


def used() -> None:
    """`use_span` with each of its options."""
    for number in range(8):
        span = tracer.start_span(f"used {number}")
        with (
            contextlib.suppress(OrderError),
            trace.use_span(
                span,
                end_on_exit=bool(number & 1),
                record_exception=bool(number & 2),
                set_status_on_exception=bool(number & 4),
            ),
        ):
            raise OrderError(str(number))
        span.end()


def run() -> None:
    """Runs all."""
    for record in (True, False):
        for status in (True, False):
            escapes(record, status)
    chained()
    recorded()
    exits()
    statuses()
    used()
