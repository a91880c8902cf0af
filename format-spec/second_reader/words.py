"""The control words of shared structures, each unpacked in one place (SPEC.md, 5.1, 7.1, 8.2, 9.1)."""

from __future__ import annotations

from typing import NamedTuple

_CLOSED_BIT = 0x80000000


class Committed(NamedTuple):
    """Published bytes of a segment's generation."""

    generation: int
    bytes: int


class Acknowledged(NamedTuple):
    """What an exporter has delivered."""

    generation: int
    closed: bool
    records: int


def checked(word: int) -> int | None:
    """The value of a checked word (section 2); None if its check does not fit."""
    folded = word ^ word >> 32
    folded ^= folded >> 16
    return word >> 8 if (folded ^ folded >> 8) & 0xFF == 0 else None


def committed(word: int) -> Committed | None:
    """`SegmentEntry.committed`; None if its check does not fit."""
    value = checked(word)
    return None if value is None else Committed(value >> 24, value & 0xFFFFFF)


def acknowledged(word: int) -> Acknowledged | None:
    """`SegmentEntry.acknowledged`; None if its check does not fit."""
    if checked(word) is None:
        return None
    return Acknowledged(word >> 32, bool(word & _CLOSED_BIT), word >> 8 & 0x7FFFFF)


def active_commit(word: int, block: int) -> tuple[int, int] | None:
    """Generation and bytes of an active block; None if the word is not well formed."""
    if word == 0:
        return 0, 0
    generation = word >> 32
    marks = 0x5A
    for shift in range(0, 32, 8):
        marks ^= block >> shift & 0xFF
    if generation == 0 or checked(word ^ marks) is None:
        return None
    return generation, word >> 8 & 0xFFFFFF


def is_later(one: int, other: int) -> bool:
    """Whether generation `one` comes after `other`, in serial-number order (13.6). 0 comes before all."""
    if one == 0 or other == 0:
        return one > other
    return 0 < (one - other) % (1 << 32) < 1 << 31
