"""Any bytes are read: an answer comes, in bounded work, and no exception escapes."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from second_reader import server
from second_reader.crc32c import crc32c, record_check
from second_reader.header import DICTIONARY, EVENTS, SEGMENTS, read_header
from second_reader.recording import read
from second_reader.source import File, Image
from second_reader.zeros import Zeros

GOLDEN = Path(__file__).parents[2] / "golden"
BOOT = b"this boot's id.."


def golden(name: str) -> bytearray:
    return bytearray((GOLDEN / f"{name}.otlpmm").read_bytes())


def seal_header(image: bytearray) -> None:
    struct.pack_into("<I", image, 2044, crc32c(image[:2044]))


class Hostile(unittest.TestCase):
    def test_what_is_no_recording_is_refused(self) -> None:
        for data in (b"", b"text", bytes(4096), bytes(golden("events")[:4095])):
            self.assertEqual(server.answer(data, BOOT), {"refused": True})

    def test_noise_anywhere_is_survived(self) -> None:
        random_numbers = random.Random(1)
        for path in sorted(GOLDEN.glob("*.otlpmm")):
            image = bytearray(path.read_bytes())
            used = [at for at in range(2048, len(image), 64) if any(image[at : at + 64])]
            for at in random_numbers.choices(used, k=60):
                image[at + random_numbers.randrange(64)] = random_numbers.randrange(256)
            for boot in (image[168:184], BOOT):
                json.dumps(server.answer(bytes(image), bytes(boot)))

    def test_deep_values_end_at_depth_32(self) -> None:
        image = golden("events")
        header = read_header(Image(bytes(image)))
        at = header.sections[SEGMENTS, EVENTS].offset
        nested = b""
        for _ in range(200):
            nested = struct.pack("<II", 6 | (len(nested) + 8) << 8, 0) + nested
        body = struct.pack("<II", 38 | (len(nested) + 8) << 8, 0) + nested
        record = struct.pack("<IHHII8xQ", 80 + len(body), 2, 0, 1, 0, 1) + bytes(48) + body
        first, second = struct.unpack_from("<QQ", record)
        check = record_check(header.key, first, second)
        sealed = struct.pack("<II", check, crc32c(record[24:], crc32c(record[:16])))
        image[at : at + len(record)] = record[:16] + sealed + record[24:]
        found = server.answer(bytes(image), BOOT)
        self.assertIn("value-depth", [rule for _, rule in found["faults"]])

    def test_definitions_of_the_wrong_kind_form_no_chain(self) -> None:
        image = golden("empty")
        section = read_header(Image(bytes(image))).sections[DICTIONARY, 0]
        entries = [struct.pack("<II", (32 + 24 * number) // 8 + 5, 0) for number in range(2000)]
        at = section.offset + 64
        for payload in entries:
            head = struct.pack("<II", 24, 3)
            image[at : at + 24] = head + struct.pack("<II", crc32c(payload, crc32c(head)), 0) + payload
            at += 24
        found = server.answer(bytes(image), BOOT)
        self.assertEqual(found["dictionary_entries"], 2000)

    def test_a_huge_sparse_file_takes_no_huge_memory(self) -> None:
        image = golden("empty")
        with tempfile.TemporaryFile() as file:
            size = 1 << 30
            struct.pack_into("<Q", image, 144, size)
            at = next(at for at in range(1024, 1344, 32) if struct.unpack_from("<I", image, at)[0] == DICTIONARY)
            moved = size - (512 << 20)
            struct.pack_into("<QQ", image, at + 8, moved, 512 << 20)
            seal_header(image)
            file.write(image)
            os.truncate(file.fileno(), size)
            file.flush()
            recording = read(File(file.fileno()), BOOT)
        self.assertEqual(recording.dictionary_entries, 0)


class Small(Image):
    """A file that takes 1 MiB of its disk, whatever it holds."""

    def allocated(self) -> int:
        return 1 << 20


class ManyZeros(unittest.TestCase):
    def test_pages_of_zeros_are_kept_up_to_a_limit(self) -> None:
        zeros = Zeros(Small(b""))
        self.assertTrue(zeros.keep(bytes((1 << 26) + (4 << 20) - 4096)))
        self.assertFalse(zeros.keep(bytes(8192)))
        self.assertTrue(zeros.keep_counts([0] * 512, [0] * 511))
        self.assertFalse(zeros.keep(bytes(4096)))
        self.assertFalse(zeros.keep_counts([1], [0] * 512))
        self.assertTrue(zeros.keep(b"a" + bytes(8190)))

    def test_zeros_that_take_room_are_kept(self) -> None:
        data = bytes(80 << 20)
        self.assertTrue(Zeros(Image(data)).keep(data))


class Server(unittest.TestCase):
    def test_requests_are_answered_one_after_another(self) -> None:
        images = [bytes(golden("damaged")), b"text", bytes(golden("spans"))]
        requests = b"".join(struct.pack("<I16s", len(image), BOOT) + image for image in images)
        answers = io.BytesIO()
        server.serve(io.BytesIO(requests), answers)
        found, text = [], answers.getvalue()
        while text:
            (length,) = struct.unpack_from("<I", text)
            found.append(json.loads(text[4 : 4 + length]))
            text = text[4 + length :]
        self.assertEqual([len(one.get("faults", ())) for one in found], [1, 0, 0])
        self.assertEqual(found[1], {"refused": True})

    def test_the_command_prints_the_lines_of_a_file(self) -> None:
        command = [sys.executable, "-m", "second_reader", str(GOLDEN / "damaged.otlpmm")]
        done = subprocess.run(command, cwd=GOLDEN.parent, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout.count("\n"), 3)


if __name__ == "__main__":
    unittest.main()
