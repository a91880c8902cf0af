"""Runs a program under an SDK and writes what it recorded: `python -m tests.equivalence.record SDK PROGRAM FOLDER`.

The official SDK keeps it in memory, and the official encoder makes OTLP messages of it: `FOLDER/SIGNAL.pb`. Ours
records into a file in `OTLP_MMAP_DIRECTORY`; the command line makes the messages.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from opentelemetry import _logs, metrics, trace

OFFICIAL = "opentelemetry.sdk"
OURS = "otlp_mmap.sdk"


def main(sdk: str, name: str, folder: Path) -> None:
    """Runs the program with the providers of the SDK."""
    program = importlib.import_module(f"tests.equivalence.programs.{name}")
    views = program.views(sdk) if hasattr(program, "views") else []
    resource = module(sdk, "resources").Resource.create({"service.name": name, "numbers": [1, 2], "debug": True})
    tracers = module(sdk, "trace").TracerProvider(resource=resource)
    loggers = module(sdk, "_logs").LoggerProvider(resource=resource)
    memory = Memory(sdk, tracers, loggers) if sdk == OFFICIAL else None
    readers = [memory.reader] if memory else []
    meters = module(sdk, "metrics").MeterProvider(readers, resource=resource, views=views)
    trace.set_tracer_provider(tracers)
    _logs.set_logger_provider(loggers)
    metrics.set_meter_provider(meters)
    program.run()
    if memory:
        memory.write(folder)
    for provider in (tracers, loggers, meters):
        provider.shutdown()


def module(sdk: str, name: str) -> Any:
    """A module of the SDK."""
    return importlib.import_module(f"{sdk}.{name}")


class Memory:
    """What the official SDK exported."""

    def __init__(self, sdk: str, tracers: Any, loggers: Any) -> None:
        spans = module(sdk, "trace.export")
        logs = module(sdk, "_logs.export")
        self.spans = module(sdk, "trace.export.in_memory_span_exporter").InMemorySpanExporter()
        self.logs = logs.InMemoryLogRecordExporter()
        self.reader = module(sdk, "metrics.export").InMemoryMetricReader()
        tracers.add_span_processor(spans.SimpleSpanProcessor(self.spans))
        loggers.add_log_record_processor(logs.SimpleLogRecordProcessor(self.logs))

    def write(self, folder: Path) -> None:
        """Writes the messages of each signal."""
        from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        messages = {
            "spans": encode_spans(self.spans.get_finished_spans()),
            "events": encode_logs(self.logs.get_finished_logs()),
        }
        if data := self.reader.get_metrics_data():
            messages["metrics"] = encode_metrics(data)
        for signal, message in messages.items():
            (folder / f"{signal}.pb").write_bytes(message.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
