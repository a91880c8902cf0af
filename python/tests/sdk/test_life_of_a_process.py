"""However a process ends, its finished spans are there; and it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from otlp_mmap import Reader
from otlp_mmap.sdk._shared_internal._exceptions import format_exception

from .programs import SET_UP, Programs


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


FINAL = """
        class Final:
            def __del__(self):
                record()
        keep = Final()
        keep.keep = keep
        sys.modules["keeps"] = keep
"""

EVERYTHING_OF_A_SPAN = """
        from types import MappingProxyType
        from opentelemetry.trace import Link, SpanKind, Status, StatusCode

        def record():
            with trace.get_tracer("late").start_as_current_span("first", kind=SpanKind.SERVER) as first:
                first.set_attributes({"list": [1, 2], "range": range(2), "mapping": MappingProxyType({"key": 1})})
                first.add_event("event")
                first.record_exception(ValueError("of the program"))
                first.set_status(Status(StatusCode.ERROR, "reason"))
                links = [Link(first.get_span_context())]
                assert first.attributes and first.events and not first.links
            @tracer.start_as_current_span("second", links=links, context=trace.set_span_in_context(first))
            def function():
                raise ValueError("of the function")
            try:
                function()
            except ValueError:
                pass
"""

EVERYTHING_OF_THE_OTHERS = """
        import logging
        from opentelemetry._logs import SeverityNumber
        from otlp_mmap.sdk._logs import LoggerProvider, LoggingHandler
        from otlp_mmap.sdk.metrics import MeterProvider
        logs = LoggerProvider()
        logger, handler = logs.get_logger("test"), LoggingHandler(logger_provider=logs)
        program = logging.getLogger("program")
        program.addHandler(handler)
        meter = MeterProvider().get_meter("test")
        counter, histogram = meter.create_counter("counter"), meter.create_histogram("histogram")

        def record():
            counter.add(1, {"key": "value"})
            histogram.record(1)
            logger.emit(body="body", severity_number=SeverityNumber.INFO, exception=ValueError("of the program"))
            try:
                raise ValueError("of the program")
            except ValueError:
                program.exception("raised")
"""


def test_the_first_spans_of_a_process_may_be_those_of_a_finalizer_at_its_end(programs: Programs) -> None:
    assert programs.python(EVERYTHING_OF_A_SPAN + FINAL) == ""
    assert programs.spans() == ["first", "second"]


def test_the_first_spans_of_a_process_may_be_those_of_the_last_exit_handler(programs: Programs) -> None:
    # The last one that runs: it is registered before anything of ours is imported.
    set_up = "import atexit\natexit.register(lambda: record())\n" + SET_UP
    assert programs.python(EVERYTHING_OF_A_SPAN, set_up=set_up) == ""
    assert programs.spans() == ["first", "second"]


def test_the_first_logs_and_measurements_may_be_those_of_a_finalizer(programs: Programs) -> None:
    assert programs.python(EVERYTHING_OF_THE_OTHERS + FINAL) == ""
    reader = Reader(programs.recordings)
    assert [event.body for event in reader.events()] == ["body", "raised"]
    assert all("exception.stacktrace" in event.attributes for event in reader.events())
    assert sorted(metric.stream.name for metric in reader.metrics()) == ["counter", "histogram"]


def test_an_exception_has_its_traceback_also_where_the_source_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> list[str]:
        raise ImportError("sys.meta_path is None")

    monkeypatch.setattr("traceback.format_exception", fail)
    with pytest.raises(ValueError, match="of the program") as raised:
        raise ValueError("of the program")
    lines = format_exception(raised.type, raised.value, raised.tb).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith(f'  File "{__file__}", line ')
    assert lines[1].endswith(", in test_an_exception_has_its_traceback_also_where_the_source_cannot_be_read")
    assert lines[2:] == ["ValueError: of the program"]


@pytest.mark.parametrize(
    ("package", "provider", "argument", "kind", "on_end"),
    [
        ("trace", "TracerProvider", "active_span_processor", "SpanProcessor", "on_end"),
        ("_logs", "LoggerProvider", "multi_log_record_processor", "LogRecordProcessor", "on_emit"),
    ],
)
def test_the_end_shuts_down_processors_that_are_called_on_threads(
    programs: Programs, package: str, provider: str, argument: str, kind: str, on_end: str
) -> None:
    set_up = f"""
from otlp_mmap.sdk.{package} import Concurrent{"Multi" + kind}, {kind}, {provider}

class Processor({kind}):
    def {on_end}(self, item):
        print("called")
    def force_flush(self, timeout_millis=0):
        return True
    def shutdown(self):
        print("shut down")

multi = Concurrent{"Multi" + kind}()
provider = {provider}({argument}=multi)
multi.add_{"span" if package == "trace" else "log_record"}_processor(Processor())
"""
    body = "provider.get_tracer('test').start_span('s').end()"
    if package == "_logs":
        body = "provider.get_logger('test').emit(body='x')"
    assert programs.python(body, set_up=set_up) == "called\nshut down\n"


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
