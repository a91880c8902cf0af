"""Reads byte ranges of a recording. What lies past its end is missing, never invented."""

from __future__ import annotations

import os
import re
from typing import Protocol

PIECE = 1 << 20
_NOT_ZERO = re.compile(rb"[^\0]")


class Source(Protocol):
    """Something that holds the bytes of a recording."""

    def size(self) -> int: ...

    def allocated(self) -> int:
        """Bytes that it takes on its disk: holes take none."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset`; fewer than `length` at the end of the file."""
        ...


class Image:
    """A recording in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        return len(self._data)

    def allocated(self) -> int:
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class File:
    """A recording in a file that is open for reading."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def allocated(self) -> int:
        return 512 * os.fstat(self._descriptor).st_blocks

    def read(self, offset: int, length: int) -> bytes:
        pieces = []
        while length > 0:
            piece = os.pread(self._descriptor, min(length, PIECE), offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)


def next_nonzero(source: Source, offset: int, end: int) -> int:
    """The offset of the next byte that is not zero; `end` if none comes before it or before the end of the file."""
    length = 256
    while offset < end:
        piece = source.read(offset, min(length, end - offset))
        found = _NOT_ZERO.search(piece)
        if found:
            return offset + found.start()
        if not piece:
            return end
        offset += len(piece)
        length = PIECE
    return end
