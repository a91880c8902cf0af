"""The faults found in a recording, each with its rule and the offset in the file (SPEC.md, 13.8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


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
        self._told: set[Fault] = set()
        self._bad_references: set[int] = set()

    def report(self, rule: str, offset: int) -> None:
        self.count += 1
        if len(self.kept) < self.kept_limit:
            self.kept.append(Fault(offset, rule))

    def report_reference(self, reference: int, place: int) -> None:
        """A reference that leads nowhere is reported where it is met first."""
        if reference not in self._bad_references:
            self._bad_references.add(reference)
            self.report("reference", place)

    def tell(self, found: Iterable[Fault]) -> None:
        """Faults inside of a dictionary entry, which many may refer to: each is reported once."""
        for fault in found:
            if fault not in self._told:
                self._told.add(fault)
                self.report(fault.rule, fault.offset)

    def mark(self) -> tuple[int, int]:
        """Where the list stands, for `rewind`."""
        return self.count, len(self.kept)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forgets what was reported since `mark`."""
        self.count, kept = mark
        del self.kept[kept:]
