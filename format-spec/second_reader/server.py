"""Answers requests on a pipe: a program that compares readers keeps one process for many images.

A request is the length of the image (`u32`, little-endian), the 16 bytes of the boot id to read it under, and the
image. The answer is the length of a JSON text (`u32`) and the text, with sorted keys:

    {"refused": true}
    {"fault_count": 1, "faults": [[163944, "record-crc"]], "records": [...], "signals": {...}, ...}
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

from . import render
from .header import SIGNALS, Refused
from .recording import read
from .source import Image

KEPT_FAULTS = 100_000
FILE = "image"


def answer(image: bytes, boot_id: bytes) -> dict[str, Any]:
    """Everything that two readers of an image must agree on."""
    try:
        recording = read(Image(image), boot_id, KEPT_FAULTS)
    except Refused:
        return {"refused": True}
    return {
        "fault_count": recording.fault_count,
        "faults": sorted(set(recording.faults)),
        "records": render.lines(recording, FILE),
        "signals": {name: render.signal_summary(recording, signal) for signal, name in SIGNALS.items()},
        "dictionary_entries": recording.dictionary_entries,
    }


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers until the requests end."""
    while len(head := requests.read(20)) == 20:
        length, boot_id = struct.unpack("<I16s", head)
        found = answer(requests.read(length), boot_id)
        text = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        answers.write(struct.pack("<I", len(text)) + text)
        answers.flush()
