"""Programs that were not changed, under `opentelemetry-instrument`, alone and with servers that fork."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otlp_mmap import Reader
from otlp_mmap.model import Span

from .programs import TIMEOUT_SECONDS, Programs

pytest.importorskip("opentelemetry.instrumentation.flask")

BIN = Path(sys.executable).parent
INSTRUMENT = BIN / "opentelemetry-instrument"

APPLICATION = """
import os
from flask import Flask

app = Flask(__name__)

@app.get("/work")
def work():
    return str(os.getpid())

@app.get("/die")
def die():
    os._exit(1)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An application that knows nothing of telemetry."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    return Programs(tmp_path, {"OTEL_SERVICE_NAME": "shop"})


class _Connection(http.client.HTTPConnection):
    """To a server on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def get(path: Path, url: str) -> str:
    """The body of the answer to a request."""
    connection = _Connection(path)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


@contextlib.contextmanager
def served(programs: Programs, *options: str) -> Iterator[Path]:
    """Gunicorn with two workers, on a Unix socket; it ends in order when the block does."""
    path = programs.directory / "socket"
    command = [INSTRUMENT, BIN / "gunicorn", "--workers=2", f"--bind=unix:{path}", *options, "shop:app"]
    log = (programs.directory / "gunicorn.log").open("w")
    server = subprocess.Popen(
        [*map(str, command)], cwd=programs.directory, env=programs.environment(), stdout=log, stderr=log
    )
    try:
        wait_for_server(path, server)
        yield path
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(TIMEOUT_SECONDS)
        log.close()


def wait_for_server(path: Path, server: subprocess.Popen[bytes]) -> None:
    """Returns when requests are answered."""
    for _ in range(TIMEOUT_SECONDS * 10):
        assert server.poll() is None
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(path, "/work")
            return
        time.sleep(0.1)
    raise TimeoutError


def requests(programs: Programs) -> list[Span]:
    """The spans of requests to /work. That of a worker killed just after its answer may be in flight still."""
    reader = Reader(programs.recordings)
    spans = [*reader.spans(), *reader.spans_in_flight()]
    return [span for span in spans if span.attributes.get("http.target") == "/work"]


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


def wait_until_answered(path: Path) -> None:
    """Asks until a worker answers, at most once."""
    for _ in range(TIMEOUT_SECONDS * 10):
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(path, "/work")
            return
        time.sleep(0.1)
    raise TimeoutError


def test_the_requests_that_die_are_told_as_in_flight(programs: Programs) -> None:
    with served(programs) as path, contextlib.suppress(http.client.HTTPException, OSError):
        get(path, "/die")
    assert programs.in_flight() == ["GET /die"]
