"""The faults found in a recording, each with its rule and the offset in the file (SPEC.md, 13.8)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, NamedTuple


class Fault(NamedTuple):
    """A breach of a rule of the format."""

    offset: int
    rule: str


class Faults:
    """Faults in the order in which they were found. Those above `kept_limit` are only counted."""

    def __init__(self, kept_limit: int = 1000) -> None:
        self.kept: list[Fault] = []
        self.count = 0
        self.kept_limit = kept_limit

    def report(self, rule: str, offset: int) -> None:
        self.count += 1
        if len(self.kept) < self.kept_limit:
            self.kept.append(Fault(offset, rule))

    def mark(self) -> tuple[int, int]:
        """Where the list stands, for `rewind`."""
        return self.count, len(self.kept)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forgets what was found since `mark`."""
        self.count, kept = mark
        del self.kept[kept:]
