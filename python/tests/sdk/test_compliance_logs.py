"""Rows of the specification's table for logs, by what is in the file: see COMPLIANCE.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber

from otlp_mmap import Reader, Writer, model
from otlp_mmap.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from otlp_mmap.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.metrics.export import InMemoryMetricReader

from .metrics import recorded
from .test_compliance_traces import measured


class Logs:
    """A provider, its logger, and what is in its file."""

    def __init__(self, writer: Writer, **options: Any) -> None:
        self.writer = writer
        self.provider = LoggerProvider(recording=Recording(writer), shutdown_on_exit=False, **options)
        # Any: what is not in the API.
        self.logger: Any = self.provider.get_logger("lib", "2", "https://example.org/schema", {"k": 1})

    def event(self) -> model.Event:
        """The only log record."""
        (event,) = Reader(self.writer.path).events()
        return event


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    with Writer(tmp_path / "l.otlpmm") as writer:
        yield Logs(writer)


class Own(LogRecordProcessor):
    """A processor of others, which wants nothing of one name and changes the rest."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        log_record.log_record.body = ["seen", log_record.log_record.body]

    def enabled(self, *, event_name: str | None = None, **properties: Any) -> bool:
        return event_name != "unwanted"

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.calls.append("force_flush")
        return True


def test_a_record_is_in_the_file_with_scope_and_fields(logs: Logs) -> None:
    record = LogRecord(
        timestamp=5, severity_number=SeverityNumber.WARN, severity_text="W", body={"text": ["a", 1]},
        attributes={"a": 1}, event_name="shop.paid",
    )  # fmt: skip
    logs.logger.emit(record)
    event = logs.event()
    assert (event.time_unix_nano, event.body, event.attributes) == (5, {"text": ["a", 1]}, {"a": 1})
    assert (event.severity_number, event.severity_text, event.event_name) == (13, "W", "shop.paid")
    scope = event.scope
    expected = ("lib", "2", "https://example.org/schema", {"k": 1})
    assert (scope.name, scope.version, scope.schema_url, scope.attributes) == expected


def test_a_record_has_the_ids_of_the_current_span(logs: Logs) -> None:
    context = trace.SpanContext(3, 4, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        logs.logger.emit(LogRecord(body="b"))
    event = logs.event()
    assert (event.trace_id, event.span_id) == ((3).to_bytes(16, "big"), (4).to_bytes(8, "big"))


def test_an_exception_becomes_attributes(logs: Logs) -> None:
    logs.logger.emit(body="b", exception=ValueError("why"))
    attributes = logs.event().attributes
    assert (attributes["exception.type"], attributes["exception.message"]) == ("ValueError", "why")


def test_a_processor_changes_records_and_says_which_it_wants(logs: Logs) -> None:
    processor = Own()
    logs.provider.add_log_record_processor(processor)
    # The file takes what no processor wants.
    assert logs.logger.enabled(event_name="unwanted")
    beside = LoggerProvider(recording=Recording(None), shutdown_on_exit=False)
    logger: Any = beside.get_logger("without a file")
    assert not logger.enabled()
    beside.add_log_record_processor(Own())
    assert not logger.enabled(event_name="unwanted")
    assert logger.enabled(event_name="wanted")
    logs.logger.emit(LogRecord(body="b"))
    assert logs.event().body == ["seen", "b"]
    assert logs.provider.force_flush() is True
    logs.provider.shutdown()
    assert processor.calls == ["force_flush", "shutdown"]


def test_simple_and_batch_processors_export_beside_the_file(logs: Logs) -> None:
    simple, batch = InMemoryLogRecordExporter(), InMemoryLogRecordExporter()
    logs.provider.add_log_record_processor(SimpleLogRecordProcessor(simple))
    logs.provider.add_log_record_processor(BatchLogRecordProcessor(batch, schedule_delay_millis=1e6))
    logs.logger.emit(LogRecord(body="b"))
    assert [data.log_record.body for data in simple.get_finished_logs()] == ["b"]
    assert batch.get_finished_logs() == ()
    logs.provider.force_flush()
    assert [data.log_record.body for data in batch.get_finished_logs()] == ["b"]
    assert logs.event().body == "b"
    logs.provider.shutdown()


def test_an_exporter_of_others(logs: Logs) -> None:
    class Exporter(LogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            bodies.extend(data.log_record.body for data in batch)
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None:
            bodies.append("shutdown")

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    bodies: list[object] = []
    logs.provider.add_log_record_processor(SimpleLogRecordProcessor(Exporter()))
    logs.logger.emit(LogRecord(body="b"))
    logs.provider.shutdown()
    assert bodies == ["b", "shutdown"]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", (1, 5)),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", (3, 1)),
    ],
)
def test_each_limit_has_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, expected: tuple[int, int]
) -> None:
    monkeypatch.setenv(variable, "1")
    with Writer(tmp_path / "l.otlpmm") as writer:
        logs = Logs(writer)
        with pytest.warns() if expected[0] == 1 else monkeypatch.context():
            logs.logger.emit(LogRecord(body="b", attributes={"a": "12345", "b": "12345", "c": "12345"}))
        attributes = logs.event().attributes
        assert (len(attributes), len(str(next(iter(attributes.values()))))) == expected


def test_options_of_the_batch_processor_are_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_QUEUE_SIZE", 9), ("MAX_EXPORT_BATCH_SIZE", 8), ("SCHEDULE_DELAY", 7000)):
        monkeypatch.setenv(f"OTEL_BLRP_{name}", str(value))
    monkeypatch.setenv("OTEL_BLRP_EXPORT_TIMEOUT", "6000")
    processor: Any = BatchLogRecordProcessor(InMemoryLogRecordExporter())
    batches = processor._batch_processor
    assert (batches._max_queue_size, batches._max_export_batch_size) == (9, 8)
    assert (batches._schedule_delay_millis, batches._export_timeout_millis) == (7000, 6000)
    processor.shutdown()


def test_loggers_and_batch_processors_measure_themselves(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    reader = InMemoryMetricReader()
    with recorded(Path(logs.writer.path).parent / "metrics", metric_readers=[reader]) as metrics:
        own = Logs(logs.writer, meter_provider=metrics.provider)
        processor = BatchLogRecordProcessor(
            InMemoryLogRecordExporter(), schedule_delay_millis=1e6, max_queue_size=7, max_export_batch_size=7,
            meter_provider=metrics.provider,
        )  # fmt: skip
        own.provider.add_log_record_processor(processor)
        own.logger.emit(LogRecord(body="b"))
        found = measured(reader)
        assert found["otel.sdk.log.created"] == found["otel.sdk.processor.log.queue.size"] == 1
        assert found["otel.sdk.processor.log.queue.capacity"] == 7
        own.provider.force_flush()
        assert measured(reader)["otel.sdk.processor.log.processed"] == 1
        own.provider.shutdown()
