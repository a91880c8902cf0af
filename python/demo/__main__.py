"""Runs the demo: starts the shop, sends it requests, kills it in the middle of one, and reads what is left.

Exits with 1 if anything is missing: a request that was answered, an order, an event, or the span that was in flight.
"""

import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from otlp_mmap import Reader

SERVICE = "shop"
ROUNDS = 75
CLIENTS = 8
PATIENCE_SECONDS = 60.0
PRODUCTS = ("tea", "coffee", "tea", "gold")


def main() -> int:
    """Runs the demo and returns its exit code."""
    recordings = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out").resolve()
    shutil.rmtree(recordings, ignore_errors=True)
    recordings.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        shop = start_shop(recordings, listener)
        try:
            port = listener.getsockname()[1]
            say(f"The shop runs: gunicorn, 2 workers, port {port}. Its telemetry goes to {recordings}.")
            answers = send_requests(port)
            say(f"{sum(answers.values())} requests were answered: {summary(answers)}.")
            ask_for_report(port)
            wait_for_report(recordings)
            say("One more request is being worked on. Now SIGKILL, for the master and its workers.")
        finally:
            os.killpg(shop.pid, signal.SIGKILL)
            shop.wait()
    show(recordings)
    return check(recordings, answers)


def start_shop(recordings: Path, listener: socket.socket) -> "subprocess.Popen[bytes]":
    """Starts gunicorn as the leader of a process group of its own, as any application is started that shall record."""
    programs = Path(sys.executable).parent
    command = [str(programs / "opentelemetry-instrument"), str(programs / "gunicorn"), "--preload"]
    arguments = ["--workers=2", "--threads=8", "--log-level=warning", f"--bind=fd://{listener.fileno()}"]
    environment = {
        **os.environ,
        "OTLP_MMAP_DIRECTORY": str(recordings),
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
    }
    return subprocess.Popen(
        [*command, *arguments, f"{__package__}.app:create_app()"],
        env=environment,
        pass_fds=[listener.fileno()],
        start_new_session=True,
    )


def send_requests(port: int) -> "Counter[tuple[str, int]]":
    """Sends requests from several threads; how many were answered, by route and status."""
    answers: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def customer(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        product = PRODUCTS[number % len(PRODUCTS)]
        pages = [("GET", "/", "/"), ("POST", f"/orders/{product}/{number}", "/orders"), ("GET", "/missing", "/missing")]
        for method, path, route in [*pages, pages[0]]:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            with lock:
                answers[route, answer.status] += 1
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(customer, range(ROUNDS)))
    return answers


def ask_for_report(port: int) -> None:
    """Sends the request that will never be answered."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /report HTTP/1.1\r\nHost: shop\r\n\r\n")
    # The connection stays open until this process ends.
    _open.append(connection)


_open: list[socket.socket] = []


def wait_for_report(recordings: Path) -> None:
    """Watches the files of the living processes until the report's spans are in flight."""
    reader = Reader(recordings)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if {span.name for span in reader.spans_in_flight()} >= {"GET /report", "sum up the year"}:
            return
        time.sleep(0.05)
    raise TimeoutError("the report never began")


def show(recordings: Path) -> None:
    """What the command line says about the files."""
    say("The processes are gone. What their files still hold:")
    path = str(recordings)
    otlp_mmap("stat", path)
    say("The request that was being worked on, and the span inside of it:")
    otlp_mmap("dump", path, "--signal", "spans", "--where", "in_flight = true")
    say("The shop's counter, of each worker:")
    otlp_mmap("dump", path, "--signal", "metrics", "--where", "metric = shop.orders")
    say("The last events:")
    otlp_mmap("tail", path, "--signal", "events", "-n", "5")
    say("The last spans that ended, and the last one that ended with an error:")
    otlp_mmap("tail", path, "--signal", "spans", "-n", "3")
    otlp_mmap("tail", path, "--signal", "spans", "-n", "1", "--where", 'status = error and name = "charge the card"')


def check(recordings: Path, answers: "Counter[tuple[str, int]]") -> int:
    """Compares what the files hold with what was sent."""
    lines = otlp_mmap("dump", str(recordings), "--format", "jsonl", capture=True).splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    spans = [record for record in records if record["type"] == "span" and record["service"] == SERVICE]
    ended = [span for span in spans if not span["in_flight"]]
    orders = sum(count for (route, _), count in answers.items() if route == "/orders")
    counted = [r for r in records if r["type"] == "metric" and r["name"] == "shop.orders"]
    results = [
        ("spans of answered requests", sum(answers.values()), sum(span["kind"] == "server" for span in ended)),
        ("spans of orders", orders, sum(span["name"] == "charge the card" for span in ended)),
        ("orders counted", orders, sum(int(metric["value"]) for metric in counted)),
        ("events", orders, sum(record["type"] == "event" for record in records)),
        ("spans in flight", 2, len(spans) - len(ended)),
    ]
    say("Sent, and found:")
    for name, sent, found in results:
        print(f"  {name:28}{sent:6}{found:6}  {'all there' if sent == found else 'MISSING'}")
    return 0 if all(sent == found for _, sent, found in results) else 1


def otlp_mmap(*arguments: str, capture: bool = False) -> str:
    """Runs the command line of the package, as a shell would."""
    if not capture:
        print(f"\n$ {shlex.join(['otlp-mmap', *arguments])}", flush=True)
    command = [str(Path(sys.executable).parent / "otlp-mmap"), *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None).stdout or ""


def summary(answers: "Counter[tuple[str, int]]") -> str:
    """The answers in words."""
    return ", ".join(f"{count} x {status} {route}" for (route, status), count in sorted(answers.items()))


def say(text: str) -> None:
    """Tells the person in front of the screen what happens."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
