"""The console script `otlp-mmap`: that it is there and is the command line; its own tests are the Rust crate's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from .conftest import Recording
from .telemetry import EPOCH

COMMAND = Path(sys.executable).parent / "otlp-mmap"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the console script."""
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_exit_codes_and_streams(recording: Recording, tmp_path: Path) -> None:
    assert run("stat", recording.path).returncode == 0
    assert run("verify", recording.path).returncode == 0
    usage = run("no-such-command")
    assert (usage.returncode, usage.stdout) == (2, "")
    missing = run("dump", tmp_path / "missing")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "missing" in missing.stderr


def test_dump(recording: Recording) -> None:
    recording.writer.record_event(recording.scope, None, 0, EPOCH, {"key": "grüße"})
    printed = run("dump", recording.path, "--format", "jsonl")
    (event,) = [json.loads(line) for line in printed.stdout.splitlines()]
    assert (event["type"], event["attributes"]) == ("event", {"key": "grüße"})


def test_a_broken_pipe_is_success(recording: Recording) -> None:
    for _ in range(3000):
        recording.writer.record_event(recording.scope, None, 0, EPOCH, {"key": "x" * 100})
    pipeline = f"set -o pipefail; '{COMMAND}' dump '{recording.path}' | head -n 1"
    printed = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, check=False)
    assert (printed.returncode, printed.stderr) == (0, "")


def test_ctrl_c_ends_tail(recording: Recording) -> None:
    recording.writer.record_event(recording.scope, None, 0, EPOCH, {})
    tail = subprocess.Popen([COMMAND, "tail", "-f", recording.path], stdout=subprocess.PIPE)
    assert tail.stdout is not None
    assert b"EVENT" in tail.stdout.readline()
    tail.send_signal(signal.SIGINT)
    assert tail.wait(timeout=30) == -signal.SIGINT
    tail.stdout.close()
