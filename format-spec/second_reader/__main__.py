"""`python3 -m second_reader FILE`: every record of a recording and a summary, as JSON lines."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import uuid
from pathlib import Path

from . import render, server
from .header import RefusedError
from .recording import Recording, read
from .source import File


def machine_boot_id() -> bytes:
    """The boot id of this machine; zeros where there is none."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    except (OSError, ValueError):
        return bytes(16)


def read_file(path: str, boot_id: bytes) -> Recording:
    """Reads a recording from a regular file. Raises `RefusedError` and `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError("no regular file")
        return read(File(descriptor), boot_id)
    finally:
        os.close(descriptor)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="second_reader", description=__doc__)
    parser.add_argument("file", nargs="?", help="a recording whose writer is closed or dead, or a copy")
    parser.add_argument("--format", choices=("jsonl",), default="jsonl", help="JSON lines")
    parser.add_argument("--boot-id", type=uuid.UUID, help="read as on a machine with this boot id")
    parser.add_argument("--server", action="store_true", help="answer requests from standard input")
    parsed = parser.parse_args()
    if (parsed.file is None) != parsed.server:
        parser.error("needs either a file or --server")
    return parsed


def main() -> int:
    options = arguments()
    if options.server:
        server.serve(sys.stdin.buffer, sys.stdout.buffer)
        return 0
    boot_id = options.boot_id.bytes if options.boot_id else machine_boot_id()
    try:
        recording = read_file(options.file, boot_id)
    except (RefusedError, OSError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    for line in render.lines(recording, Path(options.file).name):
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    print(json.dumps(render.summary(recording), ensure_ascii=False, separators=(",", ":")))
    return 1 if recording.fault_count else 0


if __name__ == "__main__":
    sys.exit(main())
