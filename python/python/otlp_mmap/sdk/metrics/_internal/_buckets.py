"""The buckets of base-2 exponential histograms in memory (OpenTelemetry data model, "ExponentialHistogram").

At scale s the bucket i holds the values above 2**(i / 2**s) and up to 2**((i + 1) / 2**s).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

_SMALLEST_NORMAL = 2.0**-1022


def index_at_scale(value: float, scale: int) -> int:
    """The index of the bucket that a positive value falls into. A subnormal one counts as the smallest normal."""
    mantissa, exponent = math.frexp(max(value, _SMALLEST_NORMAL))
    # value is mantissa * 2**exponent, and mantissa at least a half.
    is_power = mantissa == 0.5
    whole = exponent - 2 if is_power else exponent - 1
    if scale <= 0:
        return whole >> -scale
    if is_power:
        return ((whole + 1) << scale) - 1
    part = math.floor(math.log2(mantissa * 2) * (1 << scale))
    return (whole << scale) + min(max(part, 0), (1 << scale) - 1)


def scale_change(low: int, high: int, max_size: int) -> int:
    """By how much the scale must fall for this range of indices to fit."""
    change = 0
    while (high >> change) - (low >> change) >= max_size:
        change += 1
    return change


class Buckets:
    """The buckets of one sign.

    Args:
        max_size: most of them.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        # Points have this many counts, some of them zeros at the end, so that their number seldom changes.
        self._size = 1
        self._counts: Counter[int] = Counter()

    @property
    def total(self) -> int:
        """The sum of the counts."""
        return sum(self._counts.values())

    @property
    def first(self) -> int:
        """The index of the first count."""
        return min(self._counts, default=0)

    def range_with(self, index: int) -> tuple[int, int]:
        """The lowest and the highest index, one more included."""
        return min(index, *self._counts, index), max(index, *self._counts, index)

    def downscale(self, change: int) -> None:
        """Merges neighbours."""
        merged: Counter[int] = Counter()
        for index, count in self._counts.items():
            merged[index >> change] += count
        self._counts = merged

    def increment(self, index: int) -> None:
        """Counts a value."""
        self._counts[index] += 1
        span = max(self._counts) - self.first + 1
        if span > self._size:
            self._size = min(1 << (span - 1).bit_length(), self._max_size)

    def counts(self) -> Sequence[int]:
        """The counts from the first index on."""
        first = self.first
        return [self._counts[first + offset] for offset in range(self._size)]
