"""asyncio: tasks, gather, decorated coroutines, async generators, threads, and the official instrumentation."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator

from opentelemetry import metrics, trace
from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

tracer = trace.get_tracer("async_code")
counter = metrics.get_meter("async_code").create_counter("steps")


@tracer.start_as_current_span("decorated coroutine")
async def decorated(number: int) -> int:
    """A coroutine in a span."""
    trace.get_current_span().set_attribute("number", number)
    await asyncio.sleep(0)
    with tracer.start_as_current_span(f"inside {number}"):
        await asyncio.sleep(0.001 * number)
        counter.add(1, {"number": number})
    return number


async def numbers() -> AsyncIterator[int]:
    """An asynchronous generator with a span for each of its steps."""
    for number in range(3):
        with tracer.start_as_current_span(f"step {number}"):
            await asyncio.sleep(0)
        yield number


def in_thread(number: int) -> None:
    """What a worker thread records."""
    with tracer.start_as_current_span(f"thread {number}"):
        counter.add(1, {"thread": number})


async def cancelled() -> None:
    """A task that is cancelled in its span."""
    with tracer.start_as_current_span("cancelled"):
        await asyncio.sleep(60)


async def fails() -> None:
    """A task that fails in its span."""
    with tracer.start_as_current_span("fails"):
        await asyncio.sleep(0)
        raise RuntimeError("failed")


async def main() -> None:
    """Runs all under one span."""
    with tracer.start_as_current_span("main"):
        await asyncio.gather(*(decorated(number) for number in range(5)))
        async for number in numbers():
            trace.get_current_span().add_event("step", {"number": number})
        await asyncio.gather(*(asyncio.to_thread(in_thread, number) for number in range(3)))
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, fails(), return_exceptions=True)
        context = contextvars.copy_context()
    context.run(in_thread, 10)
    with tracer.start_as_current_span("without a parent"):
        pass


def run() -> None:
    """Runs the loop."""
    AsyncioInstrumentor().instrument()
    ThreadingInstrumentor().instrument()
    asyncio.run(main())
