"""Pages of zeros in what a reading keeps: a file may claim any number of them (SPEC.md, section 17)."""

from __future__ import annotations

from .source import Source

MAX_KEPT = 1 << 26
MAX_FACTOR = 4
_PAGE = bytes(4096)
_PAGE_COUNTS = [0] * 512


class Zeros:
    """The pages of zeros of one reading."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept = 0

    def keep(self, data: bytes) -> bool:
        """Counts the pages of zeros in `data`, from its start; False: they are too many to keep."""
        return self._add(sum(data[at : at + 4096] == _PAGE for at in range(0, len(data), 4096)))

    def keep_counts(self, *counts: list[int]) -> bool:
        """As `keep`, for the buckets of a series."""
        return self._add(sum(one[at : at + 512] == _PAGE_COUNTS for one in counts for at in range(0, len(one), 512)))

    def _add(self, pages: int) -> bool:
        kept = self._kept + 4096 * pages
        if pages and kept > MAX_KEPT and kept > MAX_KEPT + MAX_FACTOR * self._source.allocated():
            return False
        self._kept = kept
        return True
