"""Thresholds and random values of probability sampling: numbers of 56 bits."""

from __future__ import annotations

RANDOM_VALUE_BITS = 56

# A span is sampled if its random value is at least the threshold: 0 takes all, this takes none.
MIN_THRESHOLD = 0
MAX_THRESHOLD = 1 << RANDOM_VALUE_BITS
MAX_RANDOM_VALUE = MAX_THRESHOLD - 1

# There is none.
INVALID_THRESHOLD = -1
INVALID_RANDOM_VALUE = -1


def calculate_threshold(sampling_probability: float) -> int:
    """The threshold that takes this part of all spans, from 0 to 1."""
    return MAX_THRESHOLD - round(sampling_probability * MAX_THRESHOLD)


def is_valid_threshold(threshold: int) -> bool:
    """Whether it is a threshold."""
    return MIN_THRESHOLD <= threshold <= MAX_THRESHOLD


def is_valid_random_value(random_value: int) -> bool:
    """Whether it is a random value."""
    return 0 <= random_value <= MAX_RANDOM_VALUE
