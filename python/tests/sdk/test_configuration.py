"""From variables to providers: what is recorded, what is attached beside, and what is told about bad values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otlp_mmap import Reader

from .programs import Programs

CONFIGURE = """
import logging
from opentelemetry import _logs, metrics, trace
from otlp_mmap.sdk._configuration import _OTelSDKConfigurator
_OTelSDKConfigurator().configure(auto_instrumentation_version="1.2.3")

def work():
    with trace.get_tracer("test").start_as_current_span("work") as span:
        _logs.get_logger("test").emit(_logs.LogRecord(body="event"))
        metrics.get_meter("test").create_counter("counter").add(1)
    return span

"""

# What other packages offer: exporters, a sampler, an id generator.
FOREIGN = """
import os

class SpanExporter:
    def export(self, spans):
        os.write(2, "".join(f"exported span {span.name}\\n" for span in spans).encode())
    def shutdown(self):
        pass
    def force_flush(self, timeout_millis=None):
        return True

class LogExporter(SpanExporter):
    def export(self, batch):
        os.write(2, "".join(f"exported log {data.log_record.body}\\n" for data in batch).encode())

class Ids:
    def generate_span_id(self):
        return 7
    def generate_trace_id(self):
        return 9

def sampler(argument):
    from otlp_mmap.sdk.trace.sampling import ALWAYS_OFF
    print("sampler of", argument)
    return ALWAYS_OFF

def no_sampler(argument):
    return 5

OTEL_SPAN_EVENT_COUNT_LIMIT = OTEL_FOREIGN = ""
"""

ENTRY_POINTS = """
[opentelemetry_traces_exporter]
foreign = foreign:SpanExporter
otlp_proto_grpc = foreign:SpanExporter
[opentelemetry_logs_exporter]
foreign = foreign:LogExporter
[opentelemetry_id_generator]
foreign = foreign:Ids
[opentelemetry_traces_sampler]
foreign = foreign:sampler
wrong = foreign:no_sampler
[opentelemetry_environment_variables]
foreign = foreign
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Programs beside which another package is installed."""
    installed = tmp_path / "foreign-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "foreign.py").write_text(FOREIGN)
    return Programs(tmp_path)


def recorded(programs: Programs) -> dict[str, int]:
    """How many spans, events and metrics there are."""
    if not programs.recordings.exists():
        return {}
    reader = Reader(programs.recordings)
    return {"spans": len(reader.spans()), "events": len(reader.events()), "metrics": len(reader.metrics())}


def run(programs: Programs, variables: dict[str, str], body: str = "work()", status: int = 0) -> str:
    """Runs a program that is configured by variables."""
    programs.variables.update(variables)
    return programs.python(body, set_up=CONFIGURE, status=status)


@pytest.mark.parametrize("value", [None, "", "otlp_mmap"])
def test_every_signal_is_recorded_by_default(programs: Programs, value: str | None) -> None:
    names = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
    assert run(programs, {} if value is None else dict.fromkeys(names, value)) == ""
    assert recorded(programs) == {"spans": 1, "events": 1, "metrics": 1}
    (span,) = Reader(programs.recordings).spans()
    assert span.scope.resource.attributes["telemetry.auto.version"] == "1.2.3"


@pytest.mark.parametrize(
    ("variable", "signal"),
    [("OTEL_TRACES_EXPORTER", "spans"), ("OTEL_METRICS_EXPORTER", "metrics"), ("OTEL_LOGS_EXPORTER", "events")],
)
def test_none_turns_a_signal_off(programs: Programs, variable: str, signal: str) -> None:
    assert run(programs, {variable: " None"}) == ""
    assert recorded(programs) == {"spans": 1, "events": 1, "metrics": 1, signal: 0}


def test_exporters_are_attached_beside_the_recording(programs: Programs) -> None:
    printed = run(programs, {"OTEL_TRACES_EXPORTER": "foreign, otlp_mmap", "OTEL_LOGS_EXPORTER": "foreign"})
    assert sorted(printed.splitlines()) == ["exported log event", "exported span work"]
    assert recorded(programs) == {"spans": 1, "events": 1, "metrics": 1}


def test_the_exporter_otlp_is_that_of_its_protocol(programs: Programs) -> None:
    assert run(programs, {"OTEL_TRACES_EXPORTER": "otlp"}) == "exported span work\n"
    printed = run(programs, {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier pigeon"})
    assert "carrier pigeon" in printed
    assert recorded(programs)["spans"] == 2


def test_the_exporter_console_is_ours(programs: Programs) -> None:
    printed = run(programs, {"OTEL_TRACES_EXPORTER": "console"})
    assert json.loads(printed)["name"] == "work"


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("OTEL_TRACES_EXPORTER", "exporter of traces 'no_such'"),
        ("OTEL_METRICS_EXPORTER", "exporter of metrics 'no_such'"),
        ("OTEL_LOGS_EXPORTER", "exporter of logs 'no_such'"),
        ("OTEL_TRACES_SAMPLER", "sampler 'no_such'"),
        ("OTEL_PYTHON_ID_GENERATOR", "id generator 'no_such'"),
        ("OTEL_PYTHON_TRACER_CONFIGURATOR", "configurator 'no_such'"),
        ("OTEL_LOG_LEVEL", "OTEL_LOG_LEVEL='no_such'"),
    ],
)
def test_what_cannot_be_found_is_an_error_and_recording_goes_on(programs: Programs, variable: str, told: str) -> None:
    printed = run(programs, {variable: "no_such"})
    assert told in printed
    assert len(printed.splitlines()) == 1
    assert recorded(programs) == {"spans": 1, "events": 1, "metrics": 1}


def test_samplers_of_others_are_found_and_given_the_argument(programs: Programs) -> None:
    variables = {"OTEL_TRACES_SAMPLER": "foreign", "OTEL_TRACES_SAMPLER_ARG": "half"}
    assert run(programs, variables) == "sampler of half\n"
    assert recorded(programs)["spans"] == 0


def test_what_is_no_sampler_is_told(programs: Programs) -> None:
    printed = run(programs, {"OTEL_TRACES_SAMPLER": "wrong"})
    assert "is no sampler" in printed
    assert len(printed.splitlines()) == 1
    assert recorded(programs)["spans"] == 1


@pytest.mark.parametrize(("sampler", "argument", "spans"), [("always_off", "", 0), ("traceidratio", "1", 1)])
def test_our_own_samplers_are_known_by_name(programs: Programs, sampler: str, argument: str, spans: int) -> None:
    assert run(programs, {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}) == ""
    assert recorded(programs)["spans"] == spans


def test_id_generators_of_others_are_found(programs: Programs) -> None:
    assert run(programs, {"OTEL_PYTHON_ID_GENERATOR": "foreign"}) == ""
    (span,) = Reader(programs.recordings).spans()
    assert (span.trace_id, span.span_id) == ((9).to_bytes(16, "big"), (7).to_bytes(8, "big"))


def test_the_sdk_can_be_switched_off(programs: Programs) -> None:
    assert run(programs, {"OTEL_SDK_DISABLED": "True"}, "assert not work().is_recording()") == ""
    assert recorded(programs) == {}


def test_a_configuration_file_is_refused(programs: Programs) -> None:
    printed = run(programs, {"OTEL_CONFIG_FILE": "otel.yaml"}, status=1)
    assert "OTEL_CONFIG_FILE=otel.yaml" in printed
    assert recorded(programs) == {}


def test_the_log_level_is_that_of_our_own_messages(programs: Programs) -> None:
    printed = run(programs, {"OTEL_LOG_LEVEL": "ERROR"}, "print(logging.getLogger('otlp_mmap').level)")
    assert printed == "40\n"


def test_the_standard_librarys_log_records_are_recorded_whatever_configures_logging_later(programs: Programs) -> None:
    body = """
        import logging.config
        logging.getLogger("shop").warning("first")
        logging.basicConfig(format="basic %(message)s")
        logging.getLogger("shop").warning("second")
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})
        logging.getLogger("shop").warning("third")
    """
    printed = run(programs, {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}, body)
    assert printed == "basic second\n"
    assert [event.body for event in Reader(programs.recordings).events()] == ["first", "second", "third"]


def test_a_provider_of_the_api_is_ours_by_name(programs: Programs) -> None:
    names = ("TRACER", "METER", "LOGGER")
    programs.variables.update({f"OTEL_PYTHON_{name}_PROVIDER": "otlp_mmap" for name in names})
    set_up = "from opentelemetry import _logs, metrics, trace\n" + CONFIGURE[CONFIGURE.index("def work") :]
    assert programs.python("work()", set_up=set_up) == ""
    assert recorded(programs) == {"spans": 1, "events": 1, "metrics": 1}


def test_options_that_another_package_declares_are_not_declared_twice(programs: Programs) -> None:
    body = """
        from otlp_mmap.sdk.environment_variables import _options
        names = [name for name in dir(_options) if name.startswith("OTEL_")]
        assert "OTEL_SPAN_LINK_COUNT_LIMIT" in names
        assert "OTEL_SPAN_EVENT_COUNT_LIMIT" not in names
        assert "OTEL_FOREIGN" not in names
    """
    assert programs.python(body, set_up="") == ""
