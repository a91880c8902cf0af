"""Runs the tests of the package, and the official SDK's under ours, on several Pythons, and prints a table.

`python -m tests.pythons [PYTHON...]`; a PYTHON is a command or a path. Without one: those of `USUAL` that are there.
Each has its environments in `target/pythons`, and its extension lies beside those of the others in the package: the ABI
is in the name. A Python that is not there is named; it is a failure only where it was asked for.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

USUAL = ["python3.10", "python3.11", "python3.12", "python3.13"]

PACKAGE = Path(__file__).resolve().parents[1]
TARGET = PACKAGE.parent / "target" / "pythons"
REQUIREMENTS = PACKAGE / "requirements"

# The version, with the letter of a free-threaded build, and the interpreter itself rather than what leads to it.
PROBE = "import platform, sys; print(platform.python_version() + sys.abiflags); print(sys.executable)"


@dataclass(frozen=True)
class Python:
    """An interpreter that runs."""

    version: str
    executable: str

    @property
    def folder(self) -> Path:
        """Where its environments are."""
        return TARGET / self.version


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    python: str
    tests: str
    found: Counter[str]

    def __str__(self) -> str:
        counts = "".join(f"{self.found[kind]:9}" for kind in ("passed", "failed", "skipped"))
        return f"{self.python:12}{self.tests:14}{counts}"


def main() -> int:
    """Tests the Pythons that are named, or the usual ones."""
    parser = argparse.ArgumentParser(prog="python -m tests.pythons", description=__doc__)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help=" ".join(USUAL))
    asked = parser.parse_args().pythons
    probed = {name: find(name) for name in asked or USUAL}
    pythons = {python.version: python for python in probed.values() if python}
    missing = [name for name, python in probed.items() if python is None]
    for name in missing:
        print(f"{name}: not found, or it does not run")
    rows = [row for python in pythons.values() for row in test(python)]
    print(f"{'Python':12}{'tests':14}{'passed':>9}{'failed':>9}{'skipped':>9}", *rows, sep="\n")
    for name in missing:
        print(f"{name:12}not found")
    failed = any(row.found["failed"] for row in rows) or not rows
    return 1 if failed or (asked and missing) else 0


def find(name: str) -> Python | None:
    """The Python of that name or path, if there is one that runs."""
    try:
        done = subprocess.run([name, "-c", PROBE], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return Python(*done.stdout.splitlines()) if done.returncode == 0 else None


def test(python: Python) -> Iterator[Row]:
    """Builds what a Python needs and runs its tests."""
    own, official = python.folder / "package", python.folder / "official"
    try:
        install(python, own, "-r", REQUIREMENTS / "test.txt")
        install(python, official, "--no-deps", "-r", REQUIREMENTS / "official.txt")
        run([own / "bin" / "maturin", "develop", "--quiet"], environment(own)).check_returncode()
    except subprocess.CalledProcessError as error:
        print(error)
        yield Row(python.version, "none: no build", Counter(failed=1))
        return
    cache = f"cache_dir={python.folder / 'pytest'}"
    done = run([own / "bin" / "python", "-m", "pytest", "-o", cache], environment(own))
    yield Row(python.version, "package", counts(done))
    variables = environment(official) | {"PYTHONPATH": str(PACKAGE / "python")}
    done = run([official / "bin" / "python", "-m", "tests.official", "sdk"], variables)
    yield Row(python.version, "official SDK", counts(done))


def install(python: Python, folder: Path, *arguments: object) -> None:
    """Brings a virtual environment up to date with its requirements."""
    if not (folder / "complete").exists():
        run([python.executable, "-m", "venv", "--clear", folder], os.environ).check_returncode()
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, *arguments], environment(folder)).check_returncode()
    (folder / "complete").touch()


def environment(folder: Path) -> dict[str, str]:
    """The variables of an environment; what it builds has a target directory apart: each Python builds PyO3 anew."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTLP_", "PYTHON"))}
    return kept | {
        "VIRTUAL_ENV": str(folder),
        "PYO3_PYTHON": str(folder / "bin" / "python"),
        "PYO3_BUILD_EXTENSION_MODULE": "1",
        "CARGO_TARGET_DIR": str(TARGET / "cargo"),
    }


def run(command: list[object], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a command in the package's directory; prints and keeps its output."""
    arguments = [*map(str, command)]
    print("$", *arguments, flush=True)
    lines = []
    with subprocess.Popen(arguments, cwd=PACKAGE, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return subprocess.CompletedProcess(arguments, process.returncode, "".join(lines))


def counts(done: subprocess.CompletedProcess[str]) -> Counter[str]:
    """What the last line of a run counts; a run that ends badly has failed, whatever it counts."""
    last = done.stdout.rstrip().rpartition("\n")[2]
    found = Counter({kind: int(number) for number, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", last)})
    found["failed"] += found.pop("error", 0)
    if done.returncode and not found["failed"]:
        found["failed"] = 1
    return found


if __name__ == "__main__":
    sys.exit(main())
