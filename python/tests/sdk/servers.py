"""An application of Flask under gunicorn and `opentelemetry-instrument`, and requests to it over a Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from otlp_mmap import Reader
from otlp_mmap.model import Span

from .programs import TIMEOUT_SECONDS, Programs

BIN = Path(sys.executable).parent

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


def python(scripts: Path) -> Path:
    """The interpreter beside these scripts."""
    return scripts / Path(sys.executable).name


@contextlib.contextmanager
def served(programs: Programs, *options: str, scripts: Path = BIN) -> Iterator[Path]:
    """Gunicorn with two workers, on a Unix socket; it ends in order when the block does."""
    path = programs.directory / "socket"
    command = [
        scripts / "opentelemetry-instrument",
        python(scripts),
        "-m",
        "gunicorn",
        "--workers=2",
        f"--bind=unix:{path}",
        *options,
        "shop:app",
    ]
    with (programs.directory / "gunicorn.log").open("w") as log:
        server = subprocess.Popen(
            [*map(str, command)], cwd=programs.directory, env=programs.environment(), stdout=log, stderr=log
        )
        try:
            wait_for_server(path, server)
            yield path
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(TIMEOUT_SECONDS)


def wait_for_server(path: Path, server: subprocess.Popen[bytes]) -> None:
    """Returns when requests are answered."""
    for _ in range(TIMEOUT_SECONDS * 10):
        assert server.poll() is None
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(path, "/work")
            return
        time.sleep(0.1)
    raise TimeoutError


def wait_until_answered(path: Path) -> None:
    """Asks until a worker answers, at most once."""
    for _ in range(TIMEOUT_SECONDS * 10):
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
