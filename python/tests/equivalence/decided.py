"""The differences between the OTLP of ours and that of the official SDK that are meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A field that differs; an item that one side lacks has the field `is there`."""

    program: str
    item: str
    field: str
    official: Any
    ours: Any

    def __str__(self) -> str:
        return (
            f"{self.program}: {self.item}: {self.field}\n    official: {self.official!r}\n    ours:     {self.ours!r}"
        )


@dataclass(frozen=True)
class Decided:
    """Differences that are meant: by regular expressions of program, item and field, and why."""

    program: str
    item: str
    field: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Whether a difference is one of these."""
        pairs = [(self.program, difference.program), (self.item, difference.item), (self.field, difference.field)]
        return all(re.fullmatch(pattern, found, re.DOTALL) for pattern, found in pairs)


DECIDED: list[Decided] = []
