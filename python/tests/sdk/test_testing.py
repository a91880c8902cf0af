"""`otlp_mmap.testing`: what users' tests see, and that it leaves nothing behind."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_api

import otlp_mmap.testing
from otlp_mmap.sdk.metrics.view import View
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.trace.sampling import ALWAYS_OFF
from otlp_mmap.testing import Telemetry

TRACER = trace.get_tracer("tests.testing")
COUNTER = metrics.get_meter("tests.testing").create_counter("calls")
LOGGER = _logs.get_logger("tests.testing")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    with Telemetry(resource=Resource({"service.name": "tests"}), log_level=logging.DEBUG) as telemetry:
        yield telemetry


def work(number: int) -> None:
    with TRACER.start_as_current_span("work"):
        COUNTER.add(number, {"a": "b"})
        LOGGER.emit(body=number)
        logging.getLogger("tests.testing.std").debug("number %d", number)


def calls(telemetry: Telemetry) -> Any:
    """The only point of the counter; Any: points of other metrics have no value."""
    (point,) = telemetry.metric("calls").data.data_points
    return point


def test_the_example_of_the_module() -> None:
    documentation = otlp_mmap.testing.__doc__ or ""
    example = documentation.partition("official SDK's.\n")[2].partition("\nWith pytest")[0]
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(example), "example", "exec"), names)
    names["test_an_order"]()


def test_all_signals(telemetry: Telemetry) -> None:
    work(3)
    span: Any = telemetry.span("work")
    assert span.resource.attributes["service.name"] == "tests"
    assert [record.log_record.body for record in telemetry.logs] == [3, "number 3"]
    assert all(record.log_record.trace_id == span.context.trace_id for record in telemetry.logs)
    assert (calls(telemetry).value, calls(telemetry).attributes) == (3, {"a": "b"})
    COUNTER.add(2, {"a": "b"})
    assert calls(telemetry).value == 5
    reader = telemetry.reader
    assert [span.name for span in reader.spans()] == ["work"]
    assert len(reader.events()) == 2
    assert [metric.stream.name for metric in reader.metrics()] == ["calls"]


@pytest.mark.parametrize("number", [1, 2])
def test_each_block_begins_with_nothing(telemetry: Telemetry, number: int) -> None:
    assert (telemetry.spans, telemetry.metrics, telemetry.logs) == ((), (), ())
    work(number)
    assert calls(telemetry).value == number
    telemetry.clear()
    assert (telemetry.spans, telemetry.logs) == ((), ())
    assert len(telemetry.metrics) == 1


def test_behind_the_block() -> None:
    root, before = logging.getLogger(), (trace._TRACER_PROVIDER, logs_api._LOGGER_PROVIDER)
    handlers, level = list(root.handlers), root.level
    with Telemetry(log_level=logging.DEBUG) as telemetry:
        work(1)
        path = telemetry._writer.path
    work(2)
    assert (len(telemetry.spans), len(telemetry.logs)) == (1, 2)
    assert calls(telemetry).value == 1
    assert len(telemetry.reader.spans()) == 1
    assert before == (trace._TRACER_PROVIDER, logs_api._LOGGER_PROVIDER)
    assert (root.handlers, root.level) == (handlers, level)
    assert not path.parent.exists()


def test_blocks_within_one_another() -> None:
    with Telemetry() as outer:
        work(1)
        with Telemetry() as inner:
            work(2)
        work(4)
    assert (len(outer.spans), len(inner.spans)) == (2, 1)
    assert calls(inner).value == 2


def test_options() -> None:
    with Telemetry(sampler=ALWAYS_OFF, views=[View(instrument_name="calls", name="renamed")]) as telemetry:
        work(1)
    assert telemetry.spans == ()
    assert [metric.name for metric in telemetry.metrics] == ["renamed"]
    # `logging` was not asked for.
    assert [record.log_record.body for record in telemetry.logs] == [1]


def test_a_name_that_is_not_there(telemetry: Telemetry) -> None:
    work(1)
    work(2)
    with pytest.raises(AssertionError, match="0 spans are called 'play'; there are: 'work', 'work'"):
        telemetry.span("play")
    with pytest.raises(AssertionError, match="2 spans are called 'work'"):
        telemetry.span("work")
    with pytest.raises(AssertionError, match="0 metrics are called 'x'; there are: 'calls'"):
        telemetry.metric("x")


def test_it_works_where_there_is_no_directory_for_recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OTLP_MMAP_DIRECTORY", str(tmp_path / "file"))
    with Telemetry() as telemetry:
        work(1)
    assert len(telemetry.spans) == 1
