"""Workers of gunicorn are killed under load, one by one: no finished request is without its span.

A request is finished when its client has the whole response. Where its span is then depends on who ends it:

- The instrumentation of Flask ends it when the request's context is popped, before gunicorn sends the first byte: the
  span of a finished request has ended, and nothing less will do.
- The middleware for WSGI ends it when the response's iterable is, after the last byte was sent. A worker that is
  killed between the two leaves the span in flight, with everything that was set, the status of the response too.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from typing_extensions import Self

from otlp_mmap import Reader
from otlp_mmap.model import Span

from .programs import TIMEOUT_SECONDS, Programs
from .servers import get, served

pytest.importorskip("opentelemetry.instrumentation.flask")

WORKERS = 4
CLIENTS = 6
ROUNDS = 4
MIN_REQUESTS = 1000

APPLICATION = """
import os, signal, time
from flask import Flask, Response

app = Flask(__name__)

@app.get("/work")
def work():
    time.sleep(0.001)
    return str(os.getpid())

@app.get("/die-after")
def die_after():
    response = Response(str(os.getpid()))
    response.call_on_close(lambda: os.kill(os.getpid(), signal.SIGKILL))
    return response
"""

MIDDLEWARE = """
import os, signal
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    yield b"done"
    if environ["PATH_INFO"] == "/die-after":
        os.kill(os.getpid(), signal.SIGKILL)

app = OpenTelemetryMiddleware(application)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An application that knows nothing of telemetry."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    return Programs(tmp_path, {"OTEL_SERVICE_NAME": "shop"})


class Load:
    """Requests of several clients at once, each on a connection of its own and with an id of its own in its query.

    Args:
        path: of the server's socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._run, args=(client,)) for client in range(CLIENTS)]
        self.workers: dict[str, int] = {}
        """Of each finished request, by its target, the process that answered."""
        self.broken: set[str] = set()
        """The requests without a whole response."""

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def _run(self, client: int) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            target = f"/work?id={client}-{number}"
            try:
                self.workers[target] = int(get(self._path, target))
            except (OSError, http.client.HTTPException):
                self.broken.add(target)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(TIMEOUT_SECONDS * 100):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


def kill_worker_by_worker(load: Load) -> set[int]:
    """Kills all workers, one after the other at random moments; then their successors, once all of them answer."""
    killed: set[int] = set()

    def answering() -> set[int]:
        return set(load.workers.copy().values()) - killed

    for _ in range(ROUNDS):
        wait_until(lambda: len(answering()) == WORKERS)
        for worker in random.sample(sorted(answering()), WORKERS):
            time.sleep(random.uniform(0, 0.2))
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
    wait_until(lambda: bool(answering()) and len(load.workers) > MIN_REQUESTS)
    return killed


def targets(spans: Iterable[Span]) -> Counter[object]:
    """How many of the spans each request has; only those that tell that it was answered."""
    return Counter(span.attributes["http.target"] for span in spans if span.attributes.get("http.status_code") == 200)


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_no_finished_request_is_without_its_span_when_workers_are_killed_one_by_one(
    programs: Programs, options: tuple[str, ...]
) -> None:
    with served(programs, f"--workers={WORKERS}", *options) as path, Load(path) as load:
        killed = kill_worker_by_worker(load)
    reader = Reader(programs.recordings)
    ended, in_flight = targets(reader.spans()), targets(reader.spans_in_flight())

    # It was a load, and it was felt.
    assert len(killed) == ROUNDS * WORKERS
    assert killed < set(load.workers.values())
    assert len(load.workers) > MIN_REQUESTS
    assert load.broken

    assert load.workers.keys() - ended.keys() == set()
    # Each is there once; one that was broken may have got as far as its span.
    counts = ended + in_flight
    del counts["/work"]  # by wait_for_server
    assert {target: count for target, count in counts.items() if count > 1} == {}
    assert counts.keys() - load.workers.keys() <= load.broken


@pytest.mark.parametrize(("application", "has_ended"), [(APPLICATION, True), (MIDDLEWARE, False)])
def test_a_worker_killed_behind_the_last_byte_of_a_response_leaves_the_span(
    programs: Programs, application: str, has_ended: bool
) -> None:
    (programs.directory / "shop.py").write_text(application)
    with served(programs, "--workers=1") as path:
        get(path, "/die-after?id=1")
    reader = Reader(programs.recordings)
    spans = reader.spans() if has_ended else reader.spans_in_flight()
    assert targets(spans)["/die-after?id=1"] == 1
    assert sum(targets(reader.spans()).values()) == (2 if has_ended else 1)
