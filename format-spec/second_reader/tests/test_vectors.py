"""The vectors of SPEC.md, section 19."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

from second_reader import cells, words
from second_reader.crc32c import crc32c, record_check
from second_reader.items import align8

SPEC = (Path(__file__).parents[2] / "SPEC.md").read_text()
KINDS = {
    "Gauge": cells.GAUGE,
    "Sum": cells.SUM,
    "Histogram": cells.HISTOGRAM,
    "ExponentialHistogram": cells.EXPONENTIAL,
}


def vectors(name: str) -> list[list[str]]:
    """The rows of a table of vectors, without backticks."""
    behind = SPEC.split(f"<!-- vectors: {name} -->", 1)[1]
    rows = []
    for line in behind.strip().splitlines():
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return rows[2:]


def numbers(row: list[str]) -> list[int]:
    return [int(cell, 0) for cell in row]


class Vectors(unittest.TestCase):
    def test_crc32c(self) -> None:
        for text, expected in vectors("crc32c"):
            if text.startswith("text "):
                data = text.removeprefix("text ").encode()
            else:
                count, byte = re.fullmatch(r"(\d+) times (\w\w)", text).groups()  # type: ignore[union-attr]
                data = bytes.fromhex(byte) * int(count)
            self.assertEqual(crc32c(data), int(expected, 0), text)
            self.assertEqual(crc32c(data[3:], crc32c(data[:3])), int(expected, 0), text)

    def test_record_check(self) -> None:
        for row in vectors("record_check"):
            key, length, kind, flags, generation, index, check = numbers(row)
            first = length | kind << 32 | flags << 48
            self.assertEqual(record_check(key, first, generation | index << 32), check)

    def test_committed(self) -> None:
        for row in vectors("committed"):
            generation, length, word = numbers(row)
            self.assertEqual(words.committed(word), (generation, length))
            for bit in range(64):
                self.assertIsNone(words.committed(word ^ 1 << bit))

    def test_acknowledged(self) -> None:
        for row in vectors("acknowledged"):
            generation, closed, records, word = numbers(row)
            self.assertEqual(words.acknowledged(word), (generation, bool(closed), records))

    def test_active_commit(self) -> None:
        for row in vectors("active_commit"):
            generation, length, block, word = numbers(row)
            self.assertEqual(words.active_commit(word, block), (generation, length))
        for block, word, _ in vectors("active_commit_invalid"):
            self.assertIsNone(words.active_commit(int(word, 0), int(block)))

    def test_series_size(self) -> None:
        for kind, capacity, copy_size, _, size in vectors("series_size"):
            self.assertEqual(cells.series_size(KINDS[kind], int(capacity)), int(size))
            if kind != "Sum":
                self.assertEqual(cells.copy_size(KINDS[kind], int(capacity)), int(copy_size))

    def test_align8(self) -> None:
        for row in vectors("align8"):
            n, expected = numbers(row)
            self.assertEqual(align8(n), expected)

    def test_generations_in_order(self) -> None:
        for row in vectors("next_generation"):
            generation, following = numbers(row)
            self.assertTrue(words.is_later(following, generation))
            self.assertFalse(words.is_later(generation, following))


if __name__ == "__main__":
    unittest.main()
