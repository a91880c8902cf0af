"""Programs that were not changed, under `opentelemetry-instrument`, alone and with servers that fork."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sys
from pathlib import Path

import pytest

from otlp_mmap import Reader

from .programs import Programs
from .servers import APPLICATION, BIN, get, requests, served, wait_until_answered

pytest.importorskip("opentelemetry.instrumentation.flask")

INSTRUMENT = BIN / "opentelemetry-instrument"


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An application that knows nothing of telemetry."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    return Programs(tmp_path, {"OTEL_SERVICE_NAME": "shop"})


def test_a_program_that_was_not_changed_is_recorded(programs: Programs) -> None:
    (programs.directory / "program.py").write_text("import shop\nshop.app.test_client().get('/work')\n")
    assert programs.run(INSTRUMENT, sys.executable, "program.py") == ""
    (span,) = requests(programs)
    resource = span.scope.resource.attributes
    assert (span.name, resource["service.name"]) == ("GET /work", "shop")
    assert "telemetry.auto.version" in resource
    assert span.scope.name == "opentelemetry.instrumentation.flask"


def test_an_option_of_the_command_is_a_variable(programs: Programs) -> None:
    (programs.directory / "program.py").write_text("import os\nprint(os.environ['OTEL_SPAN_EVENT_COUNT_LIMIT'])\n")
    command = (INSTRUMENT, "--span_event_count_limit", "7", sys.executable, "program.py")
    assert programs.run(*command) == "7\n"


def test_a_configuration_file_is_refused_loudly_and_the_program_runs(programs: Programs) -> None:
    programs.variables["OTEL_CONFIG_FILE"] = "otel.yaml"
    (programs.directory / "program.py").write_text("print('it runs')\n")
    printed = programs.run(INSTRUMENT, sys.executable, "program.py")
    assert "OTEL_CONFIG_FILE=otel.yaml" in printed
    assert "it runs" in printed
    assert not programs.recordings.exists()


@pytest.mark.parametrize("options", [(), ("--preload",), ("--worker-class=gthread", "--threads=4")])
def test_workers_of_gunicorn_record_each_request_also_those_of_killed_workers(
    programs: Programs, options: tuple[str, ...]
) -> None:
    answered = 1  # by wait_for_server
    with served(programs, *options) as path:
        for _ in range(3):
            workers = {int(get(path, "/work")) for _ in range(20)}
            answered += 20
            os.kill(workers.pop(), signal.SIGKILL)
            with contextlib.suppress(http.client.HTTPException, OSError):
                get(path, "/die")
            wait_until_answered(path)
            answered += 1
    spans = requests(programs)
    assert len(spans) == answered
    # Each worker is an instance.
    instances = {span.scope.resource.attributes["service.instance.id"] for span in spans}
    pids = {file.pid for file in Reader(programs.recordings).files()}
    assert 3 < len(instances) <= len(pids)


def test_the_requests_that_die_are_told_as_in_flight(programs: Programs) -> None:
    with served(programs) as path, contextlib.suppress(http.client.HTTPException, OSError):
        get(path, "/die")
    assert programs.in_flight() == ["GET /die"]
