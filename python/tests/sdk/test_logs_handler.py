"""The handler for the standard library's `logging`: what the file has of a record, natively and by way of Python."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs as logs_api
from opentelemetry import trace
from opentelemetry._logs import LogRecord, NoOpLoggerProvider, SeverityNumber
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.util.types import Attributes

from otlp_mmap.instrumentation.logging.handler import LoggingHandler as InstrumentationHandler
from otlp_mmap.sdk._logs import LoggingHandler, LogRecordLimits
from otlp_mmap.sdk._logs._internal import std_to_otel

from .logging_sdk import Logs, Seen


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("n", logging.ERROR, "/p.py", 1, message, None, None)


class Logging:
    """A logger of `logging` whose records go into a file, and nowhere else."""

    def __init__(self, logs: Logs, **options: Any) -> None:
        self.logs = logs
        self.handler = options.pop("handler", LoggingHandler)(logger_provider=logs.provider, **options)
        self.log = logging.Logger("tests.handler", logging.DEBUG)
        self.log.addHandler(self.handler)


@pytest.fixture(params=["native", "processed"])
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Logging:
    """Once without and once with a processor: the file has the same."""
    logs = Logs(tmp_path / "logs.otlpmm")
    if request.param == "processed":
        logs.provider.add_log_record_processor(Seen())
    return Logging(logs)


def test_every_field(setup: Logging) -> None:
    before = time.time_ns()
    context = SpanContext(1, 2, False, TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        setup.log.warning("hello %s", "you", extra={"http.status_code": 200, "list": [1, "a"]})
    line = sys._getframe().f_lineno - 1
    event = setup.logs.event()
    assert event.body == "hello you"
    # `logging` keeps a time as a double of seconds.
    assert before - 1_000 <= event.time_unix_nano <= event.observed_time_unix_nano + 1_000
    assert (event.severity_number, event.severity_text) == (13, "WARN")
    assert (event.trace_id, event.span_id, event.flags) == ((1).to_bytes(16, "big"), (2).to_bytes(8, "big"), 1)
    assert list(event.attributes.items()) == [
        ("http.status_code", 200),
        ("list", [1, "a"]),
        ("code.file.path", __file__),
        ("code.function.name", "test_every_field"),
        ("code.line.number", line),
    ]
    assert (event.scope.name, event.scope.version, event.event_name) == ("tests.handler", None, "")


LEVELS = [
    (0, 0), (5, 0), (10, 5), (13, 8), (19, 8), (20, 9), (25, 12), (30, 13), (39, 16), (40, 17), (50, 21), (53, 24),
    (54, 24), (1_000, 24),
]  # fmt: skip


@pytest.mark.parametrize(("level", "number"), LEVELS)
def test_levels(setup: Logging, level: int, number: int) -> None:
    assert std_to_otel(level) is SeverityNumber(number)
    setup.log.handle(logging.makeLogRecord({"name": "x", "levelno": level, "levelname": "L", "msg": "m"}))
    assert setup.logs.event().severity_number == number


def test_names_of_levels(setup: Logging) -> None:
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 35):
        setup.log.log(level, "x")
    assert [event.severity_text for event in setup.logs.events()] == [
        "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "Level 35"
    ]  # fmt: skip


class Thing:
    """An object with a text."""

    def __str__(self) -> str:
        return "a thing"


MESSAGES: list[tuple[tuple[Any, ...], Any]] = [
    (("text",), "text"),
    (("100%",), "100%"),
    (("%s and %d", "a", 5), "a and 5"),
    (("%(a)s", {"a": 1}), "1"),
    ((Thing(),), "a thing"),
    ((Thing(), "unused"), None),
    (({"a": [1]},), {"a": [1]}),
    (([1, 2],), [1, 2]),
    ((7,), 7),
    ((b"raw",), b"raw"),
    ((None,), None),
    ((2.5,), 2.5),
    ((ValueError("no"),), "no"),
]


@pytest.mark.parametrize(("arguments", "body"), MESSAGES, ids=lambda value: repr(value)[:25])
def test_messages(setup: Logging, arguments: tuple[Any, ...], body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    setup.log.info(*arguments)
    if arguments[1:] == ("unused",):
        assert setup.logs.events() == []
    else:
        assert setup.logs.event().body == body


def test_a_message_that_cannot_be_formatted_is_handled_as_logging_does(
    setup: Logging, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.log.info("%d", "no number")
    setup.log.info("next")
    assert setup.logs.bodies() == ["next"]
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_formatter(setup: Logging) -> None:
    setup.handler.setFormatter(logging.Formatter("%(name)s/%(levelname)s: %(message)s"))
    setup.log.warning(["a"])
    event = setup.logs.event()
    assert event.body == "tests.handler/WARNING: ['a']"
    assert "message" not in event.attributes


def test_a_record_class_with_its_own_message(setup: Logging) -> None:
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - the standard library's name
            return str(self.msg).format(*self.args or ())

    setup.log.handle(Braces("n", logging.INFO, "/p.py", 1, "{} {}", (1, 2), None))
    assert setup.logs.event().body == "1 2"


def test_an_exception(setup: Logging) -> None:
    try:
        raise ZeroDivisionError(ValueError("inner"))
    except ZeroDivisionError:
        setup.log.exception("failed")
    attributes = setup.logs.event().attributes
    assert attributes["exception.type"] == "ZeroDivisionError"
    assert attributes["exception.message"] == "inner"
    assert str(attributes["exception.stacktrace"]).startswith("Traceback (most recent call last):")
    assert list(attributes)[-3:] == ["exception.type", "exception.message", "exception.stacktrace"]


def test_no_exception(setup: Logging) -> None:
    setup.log.exception("there is none")
    setup.log.error("not asked for", exc_info=False)
    assert all("exception.type" not in event.attributes for event in setup.logs.events())


def test_extra_attributes_give_way_to_those_of_the_record(setup: Logging) -> None:
    setup.log.info("x", extra={"code.line.number": -1, "": "none", "a": "b"})
    attributes = setup.logs.event().attributes
    assert attributes["code.line.number"] != -1
    assert (attributes["a"], "" in attributes) == ("b", False)
    assert len(attributes) == 4


def test_without_the_line_of_code(tmp_path: Path) -> None:
    setup = Logging(Logs(tmp_path / "a.otlpmm"), log_code_attributes=False)
    setup.log.info("x", extra={"a": 1})
    assert setup.logs.event().attributes == {"a": 1}


def test_the_newest_attributes_are_kept(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "a.otlpmm", log_record_limits=LogRecordLimits(max_log_record_attributes=2))
    with pytest.warns(UserWarning, match="dropped due to limits"):
        Logging(logs).log.info("x", extra={"a": 1, "b": 2})
    assert list(logs.event().attributes) == ["code.function.name", "code.line.number"]
    assert logs.event().dropped_attributes_count == 3


@pytest.mark.parametrize("processed", [False, True])
def test_the_handler_of_the_instrumentation(tmp_path: Path, processed: bool) -> None:
    logs = Logs(tmp_path / "a.otlpmm")
    if processed:
        logs.provider.add_log_record_processor(Seen())
    log = Logging(logs, handler=InstrumentationHandler).log
    log.info({"a": 1}, extra={"event.name": "old", "otel.event.name": "new", "k": "v"})
    log.info("x", extra={"otel.event.name": 5})
    log.info("y", extra={"event.name": "old"})
    first, second, third = logs.events()
    assert (first.body, first.event_name, first.attributes) == ("{'a': 1}", "new", {"k": "v"})
    assert (second.event_name, third.event_name, third.attributes) == ("5", "old", {})


def test_filters_and_levels(setup: Logging) -> None:
    setup.handler.setLevel(logging.ERROR)
    setup.log.warning("below the level")
    setup.handler.addFilter(lambda record: record.msg != "filtered")
    setup.log.error("filtered")
    setup.log.error("let through")
    assert setup.logs.bodies() == ["let through"]


def test_a_subclass_that_changes_records(tmp_path: Path) -> None:
    class Own(LoggingHandler):
        def _get_attributes(self, record: logging.LogRecord) -> Attributes:
            return {"own": record.name}

    class Translated(LoggingHandler):
        def _translate(self, record: logging.LogRecord) -> LogRecord:
            return LogRecord(body=f"translated {record.msg}")

    class Emitting(LoggingHandler):
        def emit(self, record: logging.LogRecord) -> None:
            record.msg = f"changed {record.msg}"
            super().emit(record)

    logs = Logs(tmp_path / "a.otlpmm")
    for handler in (Own, Translated, Emitting):
        Logging(logs, handler=handler).log.info("x")
    own, translated, emitting = sorted(logs.events(), key=lambda event: event.observed_time_unix_nano)
    assert own.attributes == {"own": "tests.handler"}
    assert (translated.body, emitting.body) == ("translated x", "changed x")


def test_a_subclass_with_other_arguments(tmp_path: Path) -> None:
    class Own(LoggingHandler):
        def __init__(self, color: str, logs: Logs) -> None:
            super().__init__(logging.ERROR, logs.provider)
            self.color = color

    logs = Logs(tmp_path / "a.otlpmm")
    handler = Own("red", logs=logs)
    handler.handle(record("x"))
    assert (logs.event().body, handler.color) == ("x", "red")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Callable[..., Logs]]:
    """Makes the handler one of the root logger, as automatic instrumentation does."""
    added: list[logging.Handler] = []
    root = logging.getLogger()

    def add(**options: Any) -> Logs:
        logs = Logs(tmp_path / "root.otlpmm", **options)
        added.append(LoggingHandler(logger_provider=logs.provider))
        root.addHandler(added[0])
        return logs

    yield add
    for handler in added:
        root.removeHandler(handler)


@pytest.mark.parametrize("processed", [False, True])
def test_warnings_of_our_own_do_not_go_round_for_ever(root: Callable[..., Logs], processed: bool) -> None:
    # The path of the module of each warning is longer than the limit, so each is worth a warning again.
    logs = root(log_record_limits=LogRecordLimits(max_log_record_attribute_length=2))
    if processed:
        logs.provider.add_log_record_processor(Seen())
    logging.getLogger("application").warning("the first", extra={"long": "abc", "bad": object()})
    bodies = logs.bodies()
    assert "the first" in bodies
    assert any("exceed" in body for body in bodies)
    assert len(bodies) < 1_000


def test_a_failing_processor_that_is_logged_does_not_go_round_for_ever(root: Callable[..., Logs]) -> None:
    def fail(_: object) -> None:
        logging.getLogger("processor").error("about to fail")
        raise ValueError("no")

    logs = root()
    logs.provider.add_log_record_processor(Seen(fail))
    logging.getLogger("application").warning("the first")
    assert "the first" in logs.bodies()
    assert len(logs.bodies()) < 1_000


def test_a_lock_of_the_handler_is_not_needed(setup: Logging) -> None:
    assert setup.handler.lock is not None
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with setup.handler.lock or threading.Lock():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    setup.log.info("not kept waiting")
    done.set()
    thread.join()
    assert setup.logs.bodies() == ["not kept waiting"]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    setup = Logging(Logs(tmp_path / "a.otlpmm"))

    def run(first: int) -> None:
        for number in range(first, first + 1_000):
            setup.log.info("%d", number)

    threads = [threading.Thread(target=run, args=(first,)) for first in range(0, 4_000, 1_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(body) for body in setup.logs.bodies()) == list(range(4_000))


def test_another_sdk_gets_the_record_as_the_api_has_it() -> None:
    class Logger(logs_api.Logger):
        def __init__(self) -> None:
            super().__init__("foreign")
            self.records: list[LogRecord] = []

        def emit(self, record: LogRecord | None = None, **_arguments: Any) -> None:
            assert record
            self.records.append(record)

        def enabled(self, **_arguments: Any) -> bool:
            return True

    class Provider(logs_api.LoggerProvider):
        logger = Logger()

        def get_logger(self, *_arguments: Any, **_more: Any) -> logs_api.Logger:
            return self.logger

    log = logging.Logger("foreign")
    log.addHandler(LoggingHandler(logger_provider=Provider()))
    log.error("to %s", "another")
    (emitted,) = Provider.logger.records
    assert (emitted.body, emitted.severity_number) == ("to another", SeverityNumber.ERROR)


def test_a_provider_that_does_nothing() -> None:
    handler = LoggingHandler(logger_provider=NoOpLoggerProvider())
    handler.handle(record("x"))
    handler.flush()


def test_flush(setup: Logging) -> None:
    before = threading.active_count()
    setup.handler.flush()
    processors = setup.logs.provider._multi_log_record_processor._log_record_processors
    for processor in processors:
        assert isinstance(processor, Seen)
        while not processor.calls:
            time.sleep(0.001)
        assert processor.calls == ["force_flush True"]
    if not processors:
        assert threading.active_count() <= before
