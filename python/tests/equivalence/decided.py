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
    """Differences that are meant: by regular expressions of what is in each, and why."""

    program: str
    item: str
    field: str
    official: str
    ours: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Whether a difference is one of these."""
        patterns = [self.program, self.item, self.field, self.official, self.ours]
        found = [
            difference.program,
            difference.item,
            difference.field,
            repr(difference.official),
            repr(difference.ours),
        ]
        return all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in zip(patterns, found, strict=True))


DECIDED = [
    Decided(
        program=".*",
        item="span .*",
        field=r"(links\[\d+\]\.)?flags of the W3C",
        official="0",
        ours="[123]",
        reason="The lowest eight bits are the W3C's trace flags in OTLP; the official encoder leaves them out.",
    ),
    Decided(
        program="metrics_views",
        item=r"metric metrics_views: (advised|default|no\.minmax|own\.buckets) .*",
        field="exemplars",
        official=".*",
        ours=".*",
        reason="The recording keeps each measurement of a sampled span; the official SDK the last one of each bucket.",
    ),
    Decided(
        program="metrics_views",
        item=r"metric metrics_views: (gauge|observable\.gauge|twice\.last) .*",
        field="started",
        official="False",
        ours="True",
        reason="A point of a gauge needs no start time; ours has the one since when its series is recorded.",
    ),
    Decided(
        program="metrics_views",
        item=r"metric metrics_views: no\.minmax .*",
        field="min|max",
        official="-?inf",
        ours=r"\d+\.0",
        reason="The file has smallest and largest in any case; the official SDK sends infinities for none.",
    ),
]
