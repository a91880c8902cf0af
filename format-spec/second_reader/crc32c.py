"""CRC32C and the record check (SPEC.md, sections 2 and 5.3)."""

from __future__ import annotations

import array
import functools
import sys

POLYNOMIAL = 0x82F63B78
_MASK64 = (1 << 64) - 1


def _byte_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


@functools.cache
def _tables() -> tuple[list[int], list[list[int]]]:
    """The table for one byte, and four for the 16-bit parts of eight bytes at once."""
    one = _byte_table()
    two = []
    for value in range(65536):
        value = one[value & 0xFF] ^ value >> 8
        two.append(one[value & 0xFF] ^ value >> 8)
    parts = [two]
    for _ in range(3):
        parts.append([two[value & 0xFFFF] ^ value >> 16 for value in parts[-1]])
    return one, parts


def crc32c(data: bytes | memoryview, start: int = 0) -> int:
    """CRC32C of `data`; `start` is the CRC of what comes before it."""
    one, (t0, t1, t2, t3) = _tables()
    crc = start ^ 0xFFFFFFFF
    whole = len(data) & ~7
    words = array.array("Q")
    words.frombytes(data[:whole])
    if sys.byteorder == "big":
        words.byteswap()
    for word in words:
        word ^= crc
        crc = t3[word & 0xFFFF] ^ t2[word >> 16 & 0xFFFF] ^ t1[word >> 32 & 0xFFFF] ^ t0[word >> 48]
    for byte in bytes(data[whole:]):
        crc = one[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def record_check(key: int, first: int, second: int) -> int:
    """The check of a record header whose bytes 0..8 and 8..16 are these words."""
    h = (first ^ key) * 0x9E3779B97F4A7C15 & _MASK64
    h ^= h >> 32
    h = (h ^ second) * 0xD6E8FEB86659FD93 & _MASK64
    h ^= h >> 29
    return (h * 0xFF51AFD7ED558CCD & _MASK64) >> 32
