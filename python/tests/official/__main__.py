"""Runs suites, prints what passed and what does not apply, a line a module, and fails if anything else happened."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from . import lists
from .metadata import write_metadata
from .sources import CACHE, INSTRUMENTATIONS, SUITES, Suite, fetch

PYTHON = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).parent / "shim"

GROUPS = {"instrumentations": INSTRUMENTATIONS}

# Some official tests measure time, or wait for a fixed one: on a busy machine they fail by chance, now and then.
RETRIES = 2
MOST_BY_CHANCE = 5


def main() -> int:
    """Runs the suites that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.official", description=__doc__)
    names = ["instrumentations", *SUITES]
    parser.add_argument("suites", nargs="*", choices=[[], *names], metavar="SUITE", help=", ".join(names))
    parser.add_argument("-v", "--verbose", action="store_true", help="what pytest prints")
    arguments = parser.parse_args()
    suites = [name for group in arguments.suites or SUITES for name in GROUPS.get(group, [group])]
    judgements = [run(SUITES[name], arguments.verbose) for name in suites]
    passed = sum(len(judgement.passed) for judgement in judgements)
    not_applicable = sum(len(judgement.not_applicable) for judgement in judgements)
    faults = sum(len(judgement.faults) for judgement in judgements)
    print(f"{passed} passed, {faults} failed, {not_applicable} skipped")
    return 1 if faults else 0


def run(suite: Suite, verbose: bool) -> lists.Judgement:
    """Runs a suite and prints its counts."""
    started = time.monotonic()
    folder = fetch(suite)
    tests = collect(suite, folder)
    outcomes = {test: {"outcome": "not run", "why": "its module cannot be imported"} for test in tests}
    outcomes.update(pytest(folder, ["--continue-on-collection-errors", "tests"], shim=True, verbose=verbose))
    entries = lists.read(suite.list)
    for _ in range(RETRIES):
        outcomes.update(again(folder, outcomes, entries, verbose))
    judgement = lists.judge(outcomes, entries)
    report(suite, judgement, time.monotonic() - started)
    return judgement


def again(
    folder: Path, outcomes: dict[str, dict[str, str]], entries: list[lists.Entry], verbose: bool
) -> dict[str, dict[str, str]]:
    """Runs once more what failed; too much to be chance is left."""
    failed = [test for test, found in outcomes.items() if found["outcome"] == "failed"]
    failed = [test for test in failed if not any(entry.matches(test) for entry in entries)]
    if not failed or len(failed) > MOST_BY_CHANCE:
        return {}
    print("  again:", *failed)
    return pytest(folder, failed, shim=True, verbose=verbose)


def collect(suite: Suite, folder: Path) -> list[str]:
    """The ids of all tests of a suite, as they are where the official SDK itself is imported, by this Python."""
    known = folder / f"collected-{sys.version_info.major}.{sys.version_info.minor}.json"
    if not known.exists():
        outcomes = pytest(folder, ["--collect-only", "tests"], shim=False, verbose=False)
        unreadable = [test for test, found in outcomes.items() if found["outcome"] != "collected"]
        if unreadable or not outcomes:
            raise SystemExit(f"{suite.distribution}: cannot be collected: {unreadable}")
        known.write_text(json.dumps(sorted(outcomes)))
    ids: list[str] = json.loads(known.read_text())
    return ids


def pytest(folder: Path, arguments: list[str], *, shim: bool, verbose: bool) -> dict[str, dict[str, str]]:
    """Runs pytest in a process of its own on a folder's tests: what became of each."""
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = Path(scratch) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", "-p", "outcomes", "-p", "no:cacheprovider", "-q", *arguments]
        subprocess.run(
            command,
            cwd=folder,
            env=environment(Path(scratch), shim) | {"OTLP_MMAP_OUTCOMES": str(outcomes)},
            stdin=subprocess.DEVNULL,
            stdout=None if verbose else subprocess.DEVNULL,
            stderr=None if verbose else subprocess.DEVNULL,
            check=False,
        )
        if not outcomes.exists():
            raise SystemExit(f"{folder.name}: pytest died before it was done; run again with --verbose")
        found: dict[str, dict[str, str]] = json.loads(outcomes.read_text())
        return found


def environment(scratch: Path, shim: bool) -> dict[str, str]:
    """What the tests find in their environment: nothing of OpenTelemetry that the caller has set."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTLP_", "PYTHON"))}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    paths = [SHIM]
    if shim:
        paths += [PYTHON / "python", write_metadata(scratch)]
        recordings = scratch / "recordings"
        recordings.mkdir()
        kept |= {"OTLP_MMAP_OFFICIAL_TESTS": str(CACHE), "OTLP_MMAP_DIRECTORY": str(recordings)}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, paths))}


def report(suite: Suite, judgement: lists.Judgement, seconds: float) -> None:
    """Prints a line a module, and what is wrong."""
    by_module: dict[str, Counter[str]] = {}
    kinds: dict[str, Any] = {"passed": judgement.passed, "not applicable": judgement.not_applicable}
    for kind, tests in kinds.items():
        for test in tests:
            by_module.setdefault(test.partition("::")[0], Counter())[kind] += 1
    print(f"{suite.distribution} {suite.version}: {seconds:.0f} s")
    for module, counts in sorted(by_module.items()):
        print(f"  {counts['passed']:4} passed {counts['not applicable']:4} not applicable  {module}")
    for fault in judgement.faults:
        print(f"  {fault}")


if __name__ == "__main__":
    sys.exit(main())
