"""Celery under the official instrumentation: tasks through a broker in memory, run by a worker in a thread."""

from __future__ import annotations

import contextlib
from typing import Any

from celery import Celery
from celery.contrib.testing.worker import start_worker
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor

tracer = trace.get_tracer("celery_app")
done = metrics.get_meter("celery_app").create_counter("orders.done")

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.update(task_always_eager=False, worker_hijack_root_logger=False)


@app.task(name="shop.add")  # type: ignore[untyped-decorator]
def add(a: int, b: int) -> int:
    """A task that goes well."""
    with tracer.start_as_current_span("add", attributes={"a": a}):
        done.add(1, {"a": a})
        return a + b


@app.task(name="shop.fail")  # type: ignore[untyped-decorator]
def fail() -> None:
    """A task that fails."""
    raise ValueError("no such order")


@app.task(name="shop.retry", bind=True, max_retries=1)  # type: ignore[untyped-decorator]
def retry(self: Any) -> str:
    """A task that goes well the second time."""
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return "done"


def run() -> None:
    """Sends tasks and waits for each."""
    CeleryInstrumentor().instrument()
    with (
        start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60),
        tracer.start_as_current_span("all"),
    ):
        for result in (add.delay(1, 2), fail.delay(), retry.delay(), add.apply_async((3, 4), expires=600)):
            with contextlib.suppress(ValueError):
                result.get(timeout=60)
    add.apply((5, 6))
