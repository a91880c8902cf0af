"""What `make test-pythons` decides: which Pythons there are, what a run counts, which lists are for a Python."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from . import pythons
from .official import lists


@pytest.mark.parametrize(
    ("status", "last", "found"),
    [
        (0, "===== 1052 passed in 239.96s (0:03:59) =====", Counter(passed=1052, failed=0)),
        (1, "1 failed, 4 passed, 2 skipped, 1 xfailed, 3 errors in 5.00s", Counter(passed=4, failed=4, skipped=2)),
        (0, "837 passed, 0 failed, 94 skipped", Counter(passed=837, failed=0, skipped=94)),
        (-11, "12 passed", Counter(passed=12, failed=1)),
        (2, "pytest died before it was done", Counter(failed=1)),
    ],
)
def test_the_last_line_is_counted(status: int, last: str, found: Counter[str]) -> None:
    done = subprocess.CompletedProcess([], status, f"3 failed before\n{last}\n")
    assert pythons.counts(done) == found


def test_a_python_is_found_by_its_path() -> None:
    found = pythons.find(sys.executable)
    assert found is not None
    assert found.version.startswith("{}.{}.{}".format(*sys.version_info))


def test_what_does_not_run_is_not_found(tmp_path: Path) -> None:
    # So are the commands that version managers put into PATH for Pythons that are not selected.
    stub = tmp_path / "python3.10"
    stub.write_text("#!/bin/sh\nexit 127\n")
    stub.chmod(0o755)
    assert pythons.find(str(stub)) is None
    assert pythons.find(str(tmp_path / "missing")) is None


def test_a_missing_python_is_named_and_fails_if_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pythons, "test", lambda python: [pythons.Row(python.version, "package", Counter(passed=1))])
    monkeypatch.setattr(pythons, "USUAL", [sys.executable, "python-that-is-missing"])
    for arguments, status in ([], 0), (pythons.USUAL, 1), ([sys.executable], 0):
        monkeypatch.setattr(sys, "argv", ["pythons", *arguments])
        assert pythons.main() == status
        assert ("python-that-is-missing" in capsys.readouterr().out) == (arguments != [sys.executable])


def test_a_list_may_be_for_some_pythons() -> None:
    group = {"pythons": ["3.13.0", "3.13.5"]}
    versions = [(3, 12, 9), (3, 13, 0), (3, 13, 5), (3, 13, 6), (3, 14, 0)]
    assert [lists.is_for(group, version) for version in versions] == [False, True, True, False, False]
    assert lists.is_for({}, (3, 10, 0))
