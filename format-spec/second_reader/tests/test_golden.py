"""Every golden recording gives its JSON lines, key for key and in their order."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

from second_reader import render
from second_reader.recording import read
from second_reader.source import Image

GOLDEN = Path(__file__).parents[2] / "golden"


def exact(line: str) -> Any:
    """A JSON text as lists of pairs, so that order and types of numbers count."""
    return repr(json.loads(line, object_pairs_hook=list))


class Golden(unittest.TestCase):
    def test_every_recording_gives_its_lines(self) -> None:
        paths = sorted(GOLDEN.glob("*.otlpmm"))
        self.assertGreaterEqual(len(paths), 10)
        for path in paths:
            with self.subTest(path.name):
                recording = read(Image(path.read_bytes()), bytes(16))
                found = [*render.lines(recording, path.name), render.summary(recording)]
                expected = path.with_suffix(".jsonl").read_text().split("\n")
                self.assertEqual(expected.pop(), "")
                self.assertEqual(len(found), len(expected))
                for one, other in zip(found, expected):
                    self.assertEqual(exact(json.dumps(one)), exact(other))


if __name__ == "__main__":
    unittest.main()
