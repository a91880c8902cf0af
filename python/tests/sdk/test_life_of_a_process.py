"""However a process ends, its finished spans are there; and it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from otlp_mmap import Reader

from .programs import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Programs of the test."""
    return Programs(tmp_path, {"OTEL_SERVICE_NAME": "life"})


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("provider.force_flush()", 0),
        ("provider.shutdown(); provider.shutdown()", 0),
        ("sys.exit(3)", 3),
        ("raise SystemExit", 0),
        ("raise ValueError('of the program')", 1),
        ("os._exit(4)", 4),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.execv('/bin/true', ['/bin/true'])", 0),
    ],
)
def test_no_end_loses_a_finished_span_and_one_that_is_open_is_told(programs: Programs, end: str, status: int) -> None:
    body = f"""
        for number in range(100):
            span(f"{{number:03}}")
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        open_span = tracer.start_span("open")
        {end}
    """
    programs.python(body, status=status)
    assert programs.spans() == [f"{number:03}" for number in range(100)]
    assert programs.in_flight() == ["open"]


def test_the_file_is_named_after_the_service_and_tells_its_resource(programs: Programs) -> None:
    programs.python("span('one')")
    (file,) = Reader(programs.recordings).files()
    assert file.path.name.startswith("life.")
    (span,) = Reader(programs.recordings).spans()
    assert span.scope.resource.attributes["service.name"] == "life"
    assert span.scope.resource.attributes["telemetry.sdk.name"] == "otlp-mmap"


def test_a_shutdown_ends_processors_and_not_the_recording(programs: Programs) -> None:
    programs.python("span('before'); provider.shutdown(); span('after')")
    assert programs.spans() == ["after", "before"]


def test_the_flush_of_a_provider_answers_true(programs: Programs) -> None:
    assert programs.python("span('one'); print(provider.force_flush(10))").endswith("True\n")


def test_spans_of_exit_handlers_are_recorded(programs: Programs) -> None:
    # Handlers run last first: this one before that of the provider.
    programs.python("import atexit; atexit.register(lambda: span('at exit'))")
    assert programs.spans() == ["at exit"]


def test_threads_that_record_while_the_interpreter_ends_do_not_keep_it(programs: Programs) -> None:
    programs.python(
        """
        def work():
            while True:
                span("busy")
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        span("main")
        """
    )
    assert "main" in programs.spans()


def test_spans_of_finalizers_at_the_end_do_no_harm(programs: Programs) -> None:
    printed = programs.python(
        """
        span("first")
        class Final:
            def __del__(self):
                span("final")
        keep = Final()
        keep.keep = keep
        sys.modules["keeps"] = keep
        """
    )
    assert printed == ""
    assert programs.spans() == ["final", "first"]


def test_tasks_of_asyncio_have_each_their_own_context(programs: Programs) -> None:
    programs.python(
        """
        import asyncio

        async def child(number):
            with tracer.start_as_current_span(f"child {number}"):
                await asyncio.sleep(0)

        async def parent(number):
            with tracer.start_as_current_span(f"parent {number}"):
                await asyncio.gather(child(number), child(number))

        async def main():
            await asyncio.gather(*(parent(number) for number in range(10)))

        asyncio.run(main())
        """
    )
    spans = Reader(programs.recordings).spans()
    assert len(spans) == 30
    parents = {span.span_id: span.name for span in spans if span.name.startswith("parent")}
    for span in spans:
        if span.name.startswith("child"):
            assert span.parent_span_id
            assert parents[span.parent_span_id] == span.name.replace("child", "parent")


def test_a_task_that_is_cancelled_ends_its_span(programs: Programs) -> None:
    programs.python(
        """
        import asyncio

        async def task():
            with tracer.start_as_current_span("cancelled"):
                await asyncio.Event().wait()

        async def main():
            running = asyncio.create_task(task())
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(main())
        """
    )
    assert programs.spans() == ["cancelled"]
