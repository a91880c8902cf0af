"""Answers requests on a pipe: a program that compares readers keeps one process for many images.

A request is the length of the image (`u32`, little-endian), the 16 bytes of the boot id to read it under, and the
image. The answer is the length of a JSON text (`u32`) and the text, with sorted keys:

    {"refused": true}
    {"fault_count": 1, "faults": [[163944, "record-crc"]], "records": [...], "signals": [...], ...}

`faults` are distinct and sorted. `order_matters`: what the dictionary says depends on what is looked up first (its
entries overlap, or so much is damaged that the rest was given up), so that two readers may differ.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

from . import render
from .cells import U64_MAX
from .header import RefusedError
from .recording import read
from .source import Image

KEPT_FAULTS = 100_000
FILE = "image"


def answer(image: bytes, boot_id: bytes) -> dict[str, Any]:
    """Everything that two readers of an image must agree on."""
    try:
        recording = read(Image(image), boot_id, KEPT_FAULTS)
    except RefusedError:
        return {"refused": True}
    return {
        "fault_count": recording.fault_count,
        "faults": sorted(set(recording.faults)),
        "records": render.lines(recording, FILE),
        "signals": [
            {
                "recorded": min(pool.recorded, U64_MAX),
                "overwritten": min(pool.overwritten, U64_MAX),
                "counters": recording.counters[signal],
            }
            for signal, pool in sorted(recording.pools.items())
        ],
        "dictionary_entries": recording.dictionary_entries,
        "order_matters": recording.order_matters,
    }


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers until the requests end."""
    while len(head := requests.read(20)) == 20:
        length, boot_id = struct.unpack("<I16s", head)
        found = answer(requests.read(length), boot_id)
        text = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        answers.write(struct.pack("<I", len(text)) + text)
        answers.flush()
