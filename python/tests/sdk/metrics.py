"""What the tests of metrics share: a provider that records into a file of the test, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import Meter

from otlp_mmap import Reader, Writer
from otlp_mmap.model import Metric
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.metrics import MeterProvider

Values = dict[tuple[str, tuple[tuple[str, Any], ...]], Any]


class Metrics:
    """A provider, its meter, and the file it records into."""

    def __init__(self, writer: Writer, **arguments: Any) -> None:
        self.writer = writer
        self.provider = MeterProvider(recording=Recording(writer), shutdown_on_exit=False, **arguments)
        self.meter: Meter = self.provider.get_meter("meter", "1.0")

    def series(self) -> list[Metric]:
        """What is in the file of this process, which must be sound."""
        reader = Reader(self.writer.path)
        assert reader.faults() == []
        return reader.metrics()

    def values(self) -> Values:
        """The value of each series, or its count, by metric and attributes."""
        return {(of.stream.name, tuple(of.attributes.items())): value_of(of) for of in self.series()}

    def losses(self) -> dict[str, int]:
        """What was counted beside the records."""
        counts = self.writer.losses()["measurements"]
        return {reason: count for reason, count in counts.items() if count and reason != "recorded"}


def value_of(series: Metric) -> Any:
    """The value of a series; of a histogram its count."""
    point: Any = series.point
    return point.value if hasattr(point, "value") else point.count


@contextmanager
def recorded(path: Path, **arguments: Any) -> Iterator[Metrics]:
    """Metrics that are recorded into a directory, with these arguments of the provider."""
    with Writer(path) as writer:
        metrics = Metrics(writer, **arguments)
        yield metrics
        if not metrics.provider._shutdown:
            metrics.provider.shutdown()


def messages(log: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, once, since the last call."""
    found = [record.getMessage() for record in log.records]
    log.clear()
    return found
