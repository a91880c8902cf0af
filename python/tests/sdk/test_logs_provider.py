"""Logger providers: loggers and their scopes, processors and exporters, configuration, life of the process."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import Logger as APILogger
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber

import otlp_mmap.sdk._logs as logs_module
from otlp_mmap import Reader
from otlp_mmap.sdk._logs import (
    ConcurrentMultiLogRecordProcessor,
    LoggerProvider,
    LoggingHandler,
    LogRecordLimits,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
    SynchronousMultiLogRecordProcessor,
    export,
)
from otlp_mmap.sdk._logs._internal import _disable_logger_configurator, _LoggerConfig
from otlp_mmap.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    InMemoryLogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.trace import SpanLimits
from otlp_mmap.sdk.util.instrumentation import InstrumentationScope

from .logging_sdk import Logs, Seen, forget_warnings, resource_of


@pytest.fixture(autouse=True)
def _unfiltered() -> None:
    """Each test sees its warnings, also if the test before had the same."""
    forget_warnings()


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """A provider that records into a file."""
    return Logs(tmp_path / "logs.otlpmm")


def test_scopes(logs: Logs) -> None:
    provider = logs.provider
    first = provider.get_logger("a", "1", "https://schema")
    assert isinstance(first, APILogger)
    assert provider.get_logger("a", "1", "https://schema") is first
    assert provider.get_logger("a", "1", "https://other") is not first
    with_attributes = provider.get_logger("a", "1", "https://schema", {"k": "v"})
    assert with_attributes is not first
    for logger in (first, with_attributes):
        logger.emit(body="x")
    first_scope, second_scope = (event.scope for event in logs.events())
    assert (first_scope.name, first_scope.version, first_scope.schema_url) == ("a", "1", "https://schema")
    assert (first_scope.attributes, second_scope.attributes) == ({}, {"k": "v"})


def test_processors_see_a_record_in_their_order_and_the_file_has_what_they_made_of_it(logs: Logs) -> None:
    def first(record: ReadWriteLogRecord) -> None:
        record.log_record.body = f"{record.log_record.body!s}, first"
        record.log_record.attributes["added"] = 1  # type: ignore[index]

    def second(record: ReadWriteLogRecord) -> None:
        record.log_record.body = f"{record.log_record.body!s}, second"
        record.log_record.severity_number = SeverityNumber.FATAL
        record.resource = Resource({"of": "the processor"})

    logs.provider.add_log_record_processor(Seen(first))
    logs.provider.add_log_record_processor(seen := Seen(second))
    logs.logger.emit(body="body", attributes={"a": "b"}, event_name="e", timestamp=1, severity_text="s")
    event = logs.event()
    assert event.body == "body, first, second"
    assert event.attributes == {"a": "b", "added": 1}
    assert (event.severity_number, event.severity_text) == (21, "s")
    assert (event.event_name, event.time_unix_nano) == ("e", 1)
    assert resource_of(event) == {"of": "the processor"}
    assert seen.records[0].instrumentation_scope == logs.logger.instrumentation_scope


def test_a_processor_that_fails_does_not_reach_the_application(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ValueError("broken")

    logs.provider.add_log_record_processor(Seen(fail))
    logs.provider.add_log_record_processor(seen := Seen())
    for body in ("recorded", "all the same"):
        logs.logger.emit(body=body)
    assert logs.bodies() == ["recorded", "all the same"]
    assert len(seen.records) == 2
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["broken"]


def test_a_processor_gets_the_same_record_that_was_emitted(logs: Logs) -> None:
    logs.provider.add_log_record_processor(seen := Seen())
    record = LogRecord(body="x")
    logs.logger.emit(record)
    assert seen.records[0].log_record is record
    assert seen.records[0].resource is logs.provider.resource


def test_a_processor_that_is_added_to_the_multi_processor_itself(tmp_path: Path) -> None:
    multi = SynchronousMultiLogRecordProcessor()
    logs = Logs(tmp_path / "a.otlpmm", multi_log_record_processor=multi)
    multi.add_log_record_processor(seen := Seen())
    logs.logger.emit(body="x")
    assert len(seen.records) == 1


def test_enabled(logs: Logs) -> None:
    assert logs.logger.enabled()
    logs.provider.add_log_record_processor(unwilling := Seen(wants=False))
    # The file takes what no processor wants.
    assert logs.logger.enabled(severity_number=SeverityNumber.INFO, event_name="e")
    assert unwilling.asked == [
        {
            "context": None,
            "instrumentation_scope": logs.logger.instrumentation_scope,
            "severity_number": SeverityNumber.INFO,
            "event_name": "e",
        }
    ]
    logs.provider._set_logger_configurator(logger_configurator=_disable_logger_configurator)
    assert not logs.logger.enabled()


def test_a_disabled_logger_records_nothing(tmp_path: Path) -> None:
    def configure(scope: InstrumentationScope) -> _LoggerConfig:
        return _LoggerConfig(is_enabled=scope.name != "off")

    logs = Logs(tmp_path / "a.otlpmm", _logger_configurator=configure)
    logs.provider.add_log_record_processor(seen := Seen())
    handler = LoggingHandler(logger_provider=logs.provider)
    for name in ("off", "on"):
        logs.provider.get_logger(name).emit(body=name)
        handler.handle(logging.LogRecord(name, logging.INFO, "/p.py", 1, f"handled {name}", None, None))
    assert logs.bodies() == ["on", "handled on"]
    assert len(seen.records) == 2


def test_a_configurator_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def configure(_: InstrumentationScope) -> _LoggerConfig:
        raise ValueError("no")

    logs = Logs(tmp_path / "a.otlpmm", _logger_configurator=configure)
    logs.logger.emit(body="x")
    assert logs.bodies() == ["x"]
    assert "The logger configurator failed for scope 'tests.scope'" in caplog.text


def test_a_disabled_sdk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", " True ")
    logs = Logs(tmp_path / "a.otlpmm")
    assert isinstance(logs.logger, NoOpLogger)
    logs.logger.emit(body="x")
    assert logs.events() == []


def test_another_resource_of_the_same_loggers(logs: Logs) -> None:
    logs.logger.emit(body="before")
    logs.provider._update_resource(Resource({"more": 1}))
    logs.logger.emit(body="after")
    assert [resource_of(event) for event in logs.events()] == [
        {"service.name": "tests"},
        {"service.name": "tests", "more": 1},
    ]


@pytest.mark.parametrize("text", ["-1", "+5", "1_000", "1.0", "many"])
def test_the_limits_of_log_records_refuse_what_those_of_spans_do(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", text)
    for limits in (LogRecordLimits, SpanLimits):
        with pytest.raises(ValueError, match="OTEL_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer"):
            limits()


def test_shutdown_ends_the_processors_and_the_recording_goes_on(logs: Logs) -> None:
    logs.provider.add_log_record_processor(seen := Seen())
    assert logs.provider.force_flush(500)
    logs.provider.shutdown()
    assert seen.calls == ["force_flush True", "shutdown"]
    logs.logger.emit(body="late")
    assert logs.bodies() == ["late"]


@pytest.mark.parametrize("kind", [SynchronousMultiLogRecordProcessor, ConcurrentMultiLogRecordProcessor])
def test_multi_processors(kind: type[Any]) -> None:
    multi, seen = kind(), [Seen(), Seen(wants=False)]
    for processor in seen:
        multi.add_log_record_processor(processor)
    record = ReadWriteLogRecord(LogRecord(body="x"))
    multi.on_emit(record)
    assert all(processor.records == [record] for processor in seen)
    assert multi.enabled()
    assert multi.force_flush(1_000)
    multi.shutdown()
    assert all(processor.calls == ["force_flush True", "shutdown"] for processor in seen)


class Slow(Seen):
    """A processor whose flush takes longer than it has time."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        time.sleep((timeout_millis + 5) / 1e3)
        return False


@pytest.mark.parametrize("kind", [SynchronousMultiLogRecordProcessor, ConcurrentMultiLogRecordProcessor])
def test_multi_processors_that_cannot_flush_in_time(kind: type[Any]) -> None:
    multi, last = kind(), Seen()
    multi.add_log_record_processor(Slow())
    multi.add_log_record_processor(last)
    assert multi.force_flush(20) is False
    if kind is SynchronousMultiLogRecordProcessor:
        assert last.calls == []


def test_a_simple_processor(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    exporter = InMemoryLogRecordExporter()
    processor = SimpleLogRecordProcessor(exporter)
    logs.provider.add_log_record_processor(processor)
    logs.logger.emit(body="x", attributes={"a": 1})
    (found,) = exporter.get_finished_logs()
    assert isinstance(found, ReadableLogRecord)
    assert (found.log_record.body, found.resource, found.dropped_attributes) == ("x", logs.provider.resource, 0)
    exporter.clear()
    assert exporter.get_finished_logs() == ()
    logs.provider.shutdown()
    logs.logger.emit(body="y")
    assert exporter.get_finished_logs() == ()
    assert exporter.export([found]) is LogRecordExportResult.FAILURE
    assert "Processor is already shutdown, ignoring call" in caplog.text
    assert logs.bodies() == ["x", "y"]


def test_a_failing_exporter_is_logged(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(InMemoryLogRecordExporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
            raise ValueError(len(batch))

    logs.provider.add_log_record_processor(SimpleLogRecordProcessor(Failing()))
    logs.logger.emit(body="x")
    assert "Exception while exporting logs." in caplog.text
    assert logs.bodies() == ["x"]


def test_a_batch_processor(logs: Logs) -> None:
    exporter = InMemoryLogRecordExporter()
    processor = BatchLogRecordProcessor(exporter, schedule_delay_millis=1_000_000)
    logs.provider.add_log_record_processor(processor)
    for number in range(5):
        logs.logger.emit(body=number)
    assert logs.provider.force_flush()
    found = exporter.get_finished_logs()
    assert [log.log_record.body for log in found] == [0, 1, 2, 3, 4] == logs.bodies()
    # The queue does not keep what a context refers to.
    assert found[0].log_record.context == {}
    logs.provider.shutdown()


def test_options_of_a_batch_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "7")
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "10")
    monkeypatch.setenv("OTEL_BLRP_EXPORT_TIMEOUT", "8")
    batches = BatchLogRecordProcessor(InMemoryLogRecordExporter())._batch_processor
    assert (batches._schedule_delay_millis, batches._max_queue_size) == (7, 20)
    assert (batches._max_export_batch_size, batches._export_timeout_millis) == (10, 8)
    with pytest.raises(ValueError, match="max_export_batch_size"):
        BatchLogRecordProcessor(InMemoryLogRecordExporter(), max_queue_size=5)


def test_a_console_exporter() -> None:
    out = io.StringIO()
    exporter = ConsoleLogRecordExporter(out)
    record = LogRecord(timestamp=0, observed_timestamp=1_500_000_000, body=b"1", severity_number=SeverityNumber.INFO)
    exporter.export([ReadableLogRecord(record, Resource({"a": 1}))])
    printed = json.loads(out.getvalue())
    assert printed["body"] == "MQ=="
    assert printed["timestamp"] == "1970-01-01T00:00:00.000000Z"
    assert printed["observed_timestamp"] == "1970-01-01T00:00:01.500000Z"
    assert (printed["severity_number"], printed["resource"]["attributes"]) == (9, {"a": 1})


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (logs_module, "LogLimits", "LogRecordLimits"),
        (logs_module, "LogDroppedAttributesWarning", "LogRecordDroppedAttributesWarning"),
        (export, "ConsoleLogExporter", "ConsoleLogRecordExporter"),
        (export, "InMemoryLogExporter", "InMemoryLogRecordExporter"),
        (export, "LogExporter", "LogRecordExporter"),
    ],
)
def test_old_names(module: Any, old: str, new: str) -> None:
    assert old in module.__all__
    assert issubclass(getattr(module, old), getattr(module, new))
    assert new in getattr(module, old).__deprecated__


class Counter:
    """A meter provider that counts what is added to one instrument."""

    def __init__(self) -> None:
        self.added: list[Any] = []

    def get_meter(self, name: str) -> Counter:
        assert name == "opentelemetry-sdk"
        return self

    def create_counter(self, name: str, unit: str, description: str) -> Counter:
        self.name, self.unit, self.description = name, unit, description
        return self

    def add(self, amount: int, attributes: Any = None) -> None:
        self.added.append((amount, attributes))


def test_metrics_of_loggers_and_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    loggers, processors = Counter(), Counter()
    logs = Logs(tmp_path / "a.otlpmm", meter_provider=loggers)
    logs.logger.emit(body="x")
    assert (loggers.name, loggers.unit, loggers.added) == ("otel.sdk.log.created", "{log_record}", [(1, None)])
    processor = SimpleLogRecordProcessor(InMemoryLogRecordExporter(), meter_provider=processors)  # type: ignore[arg-type]
    logs.provider.add_log_record_processor(processor)
    logs.logger.emit(body="y")
    assert processors.name == "otel.sdk.processor.log.processed"
    ((amount, attributes),) = processors.added
    assert (amount, attributes["otel.component.type"]) == (1, "simple_log_processor")
    assert logs.bodies() == ["x", "y"]


def test_loggers_are_made_by_threads_at_once(logs: Logs) -> None:
    barrier, found = threading.Barrier(8), []

    def run() -> None:
        barrier.wait()
        found.append(logs.provider.get_logger("shared"))
        found[-1].emit(body="x")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(logger) for logger in found}) == 1
    assert len(logs.events()) == 8


def test_a_processor_must_have_its_methods() -> None:
    with pytest.raises(TypeError):
        LogRecordProcessor()  # type: ignore[abstract]


def test_the_provider_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    from otlp_mmap.sdk import _recording

    monkeypatch.setenv("OTLP_MMAP_DIRECTORY", str(tmp_path / "files"))
    monkeypatch.setattr(_recording, "_default", None)
    provider = LoggerProvider(Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.get_logger("a").emit(body=time.time_ns())
    (path,) = (tmp_path / "files").iterdir()
    assert path.name.startswith("shop.")
    assert len(Reader(path).events()) == 1
    assert _recording._default
    assert _recording._default.writer
    _recording._default.writer.close()


FORKING = """
import os
from otlp_mmap.sdk._logs import LoggerProvider
from otlp_mmap.sdk.resources import Resource

provider = LoggerProvider(Resource.create({}), shutdown_on_exit=False)
logger = provider.get_logger("before")
pid = os.fork()
process = provider.resource.attributes["process.pid"]
assert process == logger.resource.attributes["process.pid"] == os.getpid(), process
logger.emit(body=os.getpid())
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_forked_child_finds_out_its_resource_anew(tmp_path: Path) -> None:
    # The detector runs on a thread, which it could not start if the hooks for a fork came in another order.
    environment = {
        **os.environ,
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process",
        "OTLP_MMAP_DIRECTORY": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", FORKING], env=environment, timeout=120, check=True)
    files = [Reader(path).events() for path in tmp_path.iterdir()]
    assert len(files) == 2
    for (event,) in files:
        assert event.scope.resource.attributes["process.pid"] == event.body
