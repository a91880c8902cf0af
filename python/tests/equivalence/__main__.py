"""Runs the programs, prints a line for each, and fails on any difference that is not decided.

`python -m tests.equivalence [PROGRAM...]`; with `--official-twice` both sides are the official SDK, which tests the
comparison itself.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from ..otlp import parse
from . import normal, programs
from .decided import DECIDED, Decided, Difference
from .record import OFFICIAL, OURS

PYTHON = Path(__file__).resolve().parents[2]
MESSAGES: dict[str, Any] = {"spans": TracesData, "events": LogsData, "metrics": MetricsData}
NAMES = [module.name for module in pkgutil.iter_modules(programs.__path__)]


def main() -> int:
    """Runs the programs that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.equivalence", description=__doc__)
    parser.add_argument("programs", nargs="*", choices=[[], *NAMES], metavar="PROGRAM", help=", ".join(NAMES))
    parser.add_argument("--official-twice", action="store_true", help="compare the official SDK with itself")
    arguments = parser.parse_args()
    used: set[Decided] = set()
    failed = 0
    for name in arguments.programs or NAMES:
        official = record(OFFICIAL, name)
        other = record(OFFICIAL if arguments.official_twice else OURS, name)
        differences = list(compare(name, official, other))
        open_ones = [each for each in differences if not any(decided.covers(each) for decided in DECIDED)]
        used.update(decided for decided in DECIDED for each in differences if decided.covers(each))
        failed += bool(open_ones)
        print(f"{name}: {len(official)} items, {len(differences)} differences, {len(open_ones)} of them not decided")
        for each in open_ones:
            print(f"  {each}")
    stale = [] if arguments.programs or arguments.official_twice else [each for each in DECIDED if each not in used]
    for entry in stale:
        print(f"decided, but nothing differs: {entry}")
    print(f"{len(arguments.programs or NAMES) - failed} passed, {failed + len(stale)} failed")
    return 1 if failed or stale else 0


def record(sdk: str, name: str) -> normal.Items:
    """Runs a program under an SDK in a process of its own: what it recorded."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTLP_"))}
        paths = os.pathsep.join([str(PYTHON), str(PYTHON / "python")])
        environment = kept | {"PYTHONPATH": paths, "OTLP_MMAP_DIRECTORY": scratch}
        command = [sys.executable, "-m", "tests.equivalence.record", sdk, name, scratch]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} under {sdk} failed:\n{done.stderr}")
        documents = {signal: document(sdk, signal, folder, environment) for signal in MESSAGES}
    spans = normal.Spans(documents["spans"])
    logs = normal.log_items(documents["events"], spans)
    return spans.items() | logs | normal.metric_items(documents["metrics"], spans)


def document(sdk: str, signal: str, folder: Path, environment: dict[str, str]) -> Any:
    """A signal's message: as the official encoder wrote it, or of our recording by the command line."""
    message = MESSAGES[signal]()
    if sdk == OFFICIAL:
        path = folder / f"{signal}.pb"
        return message.FromString(path.read_bytes()) if path.exists() else message
    arguments = ["dump", str(folder), "--format", "otlp-json", "--signal", signal]
    command = [sys.executable, "-m", "otlp_mmap._cli", *arguments]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return parse(printed.stdout, message)


def compare(program: str, official: normal.Items, ours: normal.Items) -> Iterator[Difference]:
    """Each field of each item that is not the same."""
    for item in sorted(official.keys() | ours.keys()):
        if item not in official or item not in ours:
            yield Difference(program, item, "is there", item in official, item in ours)
            continue
        left, right = flat(official[item]), flat(ours[item])
        for field in sorted(left.keys() | right.keys()):
            if left.get(field) != right.get(field):
                yield Difference(program, item, field, left.get(field), right.get(field))


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """A value by paths, so that one attribute or event is one difference."""
    if isinstance(value, dict) and value:
        inner = ((f"{prefix}.{key}" if prefix else str(key), each) for key, each in value.items())
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inner = ((f"{prefix}[{index}]", each) for index, each in enumerate(value))
    else:
        return {prefix: value}
    return {path: found for key, each in inner for path, found in flat(each, key).items()}


if __name__ == "__main__":
    sys.exit(main())
