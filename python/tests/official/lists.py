"""The lists of tests that do not apply, and the judgement of a run by them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Entry:
    """A pattern of test ids, `*` for any text, and why the tests do not apply."""

    pattern: str
    reason: str

    def matches(self, test: str) -> bool:
        """Whether the whole id is of the pattern."""
        return re.fullmatch(".*".join(map(re.escape, self.pattern.split("*"))), test) is not None


def read(path: Path) -> list[Entry]:
    """The entries of a list: a table a reason, with the ids by their files.

    A table may say `pythons = [FIRST, LAST]`, and is for these versions of Python alone.
    """
    if not path.exists():
        return []
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [
        Entry(f"{module}::{test}", group["reason"])
        for group in document["not_applicable"]
        if is_for(group, sys.version_info[:3])
        for module, tests in group["tests"].items()
        for test in tests
    ]


def is_for(group: dict[str, Any], python: tuple[int, int, int]) -> bool:
    """Whether the table is for a version of Python."""
    if "pythons" not in group:
        return True
    first, last = (tuple(map(int, version.split("."))) for version in group["pythons"])
    return first <= python <= last


@dataclass
class Judgement:
    """A run, held against its list."""

    passed: list[str] = field(default_factory=list)
    not_applicable: list[str] = field(default_factory=list)
    # What is wrong, a line each.
    faults: list[str] = field(default_factory=list)


def judge(outcomes: dict[str, dict[str, str]], entries: list[Entry]) -> Judgement:
    """Every test passes or is listed, never both, and every entry matches a test."""
    judgement = Judgement()
    used: set[Entry] = set()
    for test, found in sorted(outcomes.items()):
        listed = [entry for entry in entries if entry.matches(test)]
        used.update(listed)
        passed = found["outcome"] == "passed"
        if passed and listed:
            judgement.faults.append(f"passes, but is listed as not applicable: {test}")
        elif passed:
            judgement.passed.append(test)
        elif listed:
            judgement.not_applicable.append(test)
        else:
            why = " ".join(found["why"].split())[:200]
            judgement.faults.append(f"{found['outcome']}, and not listed: {test}: {why}")
    judgement.faults += [f"matches no test: {entry.pattern}" for entry in entries if entry not in used]
    return judgement
