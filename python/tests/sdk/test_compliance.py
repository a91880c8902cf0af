"""COMPLIANCE.md: every row that says yes names tests that exist, and the counts are those of the table."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..official import lists
from ..official.sources import SUITES

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "COMPLIANCE.md"
ANSWERS = ("yes", "no", "n.a.")
# Rows of the specification's matrix that an SDK has to bring, in each of its sections.
ROWS = {
    "Traces": 57,
    "Metrics": 87,
    "Logs": 15,
    "Resource": 7,
    "Environment Variables": 25,
    "Declarative configuration": 13,
    "SDK Self-Observability": 17,
}


class Row(NamedTuple):
    """A row of a section's table."""

    section: str
    name: str
    answer: str
    because: str


def cells(line: str) -> list[str]:
    """Of a line of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tables() -> dict[str, list[list[str]]]:
    """The lines of each section's table, without its head."""
    found: dict[str, list[list[str]]] = {}
    section = ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("|"):
            found.setdefault(section, []).append(cells(line))
    return {section: lines[2:] for section, lines in found.items()}


def rows() -> list[Row]:
    return [Row(section, *line) for section, lines in tables().items() if section for line in lines]


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's test functions."""
    if not (HERE / file).is_file():
        return frozenset()
    tree = ast.parse((HERE / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def is_ours(test: str) -> bool:
    file, _, name = test.partition("::")
    return name.startswith("test_") and name in names_in(file)


def is_official(test: str) -> bool:
    """Whether this can be a test of the official suite, and one that applies."""
    if not re.fullmatch(r"tests/(\w+/)*test_\w+\.py::Test\w+::test_\w+", test):
        return False
    if any(entry.matches(test) for entry in lists.read(SUITES["sdk"].list)):
        return False
    # Once the official suite was run here, its tests are known.
    collected = SUITES["sdk"].folder / "collected.json"
    return not collected.exists() or test in json.loads(collected.read_text())


def test_every_row_of_the_specification_is_there_once() -> None:
    found = rows()
    assert Counter(row.section for row in found) == ROWS
    assert sum(ROWS.values()) == 221
    assert [name for name, count in Counter((row.section, row.name) for row in found).items() if count > 1] == []


def test_every_answer_has_its_reason_or_tests_that_exist() -> None:
    for row in rows():
        assert row.answer in ANSWERS, row
        assert row.because, row
        if row.answer == "yes":
            named = re.findall(r"(official: )?`([^`]+)`", row.because)
            assert ", ".join(f"{official}`{test}`" for official, test in named) == row.because, row
            for official, test in named:
                assert is_official(test) if official else is_ours(test), (row.name, test)


def test_the_counts_are_those_of_the_tables() -> None:
    counted = Counter((row.section, row.answer) for row in rows())
    expected = {section: [counted[section, answer] for answer in ANSWERS] for section in ROWS}
    expected["All"] = [sum(column) for column in zip(*expected.values(), strict=True)]
    found = {name: list(map(int, numbers)) for name, *numbers in tables()[""]}
    assert found == {name: [*numbers, sum(numbers)] for name, numbers in expected.items()}
