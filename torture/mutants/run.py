"""Runs the models, then each mutant of `mutants.py` with the test that must fail with it.

The sources are copied to `target/mutants` and changed there. A mutant counts as killed if its test, and
nothing before it, fails: one that does not compile, or whose text is not found, is an error here. Words as
arguments choose mutants by label or description.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mutants import MUTANTS, NEEDLESS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "target" / "mutants"
BUILD = ROOT / "target" / "loom"
"""Where `make models` builds too: what they depend on is built once."""
LEFT_OUT = {"target", ".git", ".venv", "demo-out", "fuzz", "__pycache__", ".pytest_cache", ".mypy_cache"}
"""Names of directories that no model needs."""
SECONDS = 900
"""For one build and one test."""


@dataclass
class Outcome:
    passed: bool
    compiled: bool
    output: str

    @property
    def complaint(self) -> str:
        """What the failed test said first."""
        found = re.search(r"panicked at [^\n]*:\n(.*)", self.output)
        return found.group(1).strip() if found else ""


def copy_tree() -> None:
    """Brings the copy up to date; files that are the same keep their time, so that they are not built again."""
    wanted = set()
    for directory, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in LEFT_OUT]
        here = Path(directory)
        for name in files:
            source = here / name
            copy = TREE / source.relative_to(ROOT)
            wanted.add(copy)
            if source.is_symlink() or not source.is_file():
                continue
            if not copy.is_file() or copy.read_bytes() != source.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
    for copy in [path for path in TREE.rglob("*") if path.is_file() and path not in wanted]:
        copy.unlink()


def run(test: str) -> Outcome:
    """Builds and runs the models whose names begin with `test`."""
    environment = os.environ | {
        "RUSTFLAGS": "--cfg loom",
        "CARGO_TARGET_DIR": str(BUILD),
        "RUST_BACKTRACE": "0",
    }
    build = ["cargo", "test", "--quiet", "--profile", "models", "-p", "otlp-mmap-writer", "--lib"]
    command = [*build, "--", f"models::{test}"]
    try:
        done = subprocess.run(
            command, cwd=TREE, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(passed=False, compiled=False, output=f"not done after {SECONDS} s")
    output = done.stdout + done.stderr
    ran = re.search(r"running (\d+) tests?", output)
    return Outcome(done.returncode == 0, ran is not None and ran.group(1) != "0", output)


def mutate(mutant: Mutant) -> str:
    """Changes the file in the copy; gives back what it was."""
    path = TREE / mutant.file
    before = text = path.read_text()
    for find, replacement in mutant.edits:
        if text.count(find) != 1:
            raise SystemExit(f"{mutant.file}: found {text.count(find)} times, expected once:\n{find}")
        text = text.replace(find, replacement)
    if text == before:
        raise SystemExit(f"{mutant.file}: no change in {mutant.what!r}")
    path.write_text(text)
    return before


def try_mutant(mutant: Mutant) -> tuple[bool, str]:
    """Whether the mutant did what it should, and what to say of it."""
    before = mutate(mutant)
    try:
        outcome = run(mutant.test)
    finally:
        (TREE / mutant.file).write_text(before)
    if not outcome.compiled:
        return False, f"ERROR: {outcome.output[-2000:]}"
    if mutant.reason:
        return outcome.passed, "passes: " + mutant.reason if outcome.passed else f"FAILS: {outcome.complaint}"
    return not outcome.passed, "SURVIVED" if outcome.passed else f"killed: {outcome.complaint}"


def main(words: list[str]) -> int:
    chosen = [
        mutant
        for mutant in [*MUTANTS, *NEEDLESS]
        if not words or any(word in f"{mutant.label} {mutant.what} {mutant.test}" for word in words)
    ]
    copy_tree()
    for mutant in chosen:
        # All of them first, so that a stale one is told at once.
        (TREE / mutant.file).write_text(mutate(mutant))
    baseline = run("")
    if not baseline.passed or not baseline.compiled:
        print(baseline.output[-4000:])
        print("The models fail without any mutant.")
        return 1
    started, bad = time.monotonic(), 0
    print("| label | mutant | test | outcome |\n|---|---|---|---|", flush=True)
    for mutant in chosen:
        good, outcome = try_mutant(mutant)
        bad += not good
        print(f"| {mutant.label} | {mutant.what} | {mutant.test} | {outcome} |", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} as they should be, {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
