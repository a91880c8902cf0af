"""Spans in flight (SPEC.md, sections 8 and 13.4)."""

from __future__ import annotations

import struct

from . import words
from .dictionary import Dictionary
from .faults import Faults
from .header import Section
from .items import Region
from .model import Span
from .records import SPAN_BODY, RecordParser
from .source import Source
from .zeros import Zeros

BLOCK_SIZE = 256
CONTENT_SIZE = 240
FLAG_SPILLED = 1
# Blocks that are read for a second chain or a third, before a chain ends at such a block.
MAX_SHARED_BLOCKS = 69906
_PIECE = 4096


class ActiveReader:
    """Reads the table of active spans."""

    def __init__(self, source: Source, section: Section, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = section
        self.salvage = salvage
        self.faults = faults
        self.used_blocks = 0
        self.taken: set[int] = set()
        self.shared = 0

    def offset(self, block: int) -> int:
        return self.section.offset + BLOCK_SIZE * block

    def read(self, dictionary: Dictionary) -> list[Span]:
        """The spans in flight, in the order of their heads."""
        spans = []
        heads = self._heads()
        self.used_blocks = min(sum(_blocks(length) for _, length in heads), self.section.entry_count)
        for block, length in heads:
            span = self._span(block, length, dictionary)
            if span:
                spans.append(span)
        return spans

    def _heads(self) -> list[tuple[int, int]]:
        heads = []
        for first in range(0, self.section.entry_count, _PIECE):
            count = min(_PIECE, self.section.entry_count - first)
            data = self.source.read(self.offset(first), count * BLOCK_SIZE)
            if len(data) < count * BLOCK_SIZE:
                self.faults.report("unreadable", self.offset(first))
            for i in range(len(data) // BLOCK_SIZE):
                (word,) = struct.unpack_from("<Q", data, i * BLOCK_SIZE)
                commit = words.active_commit(word, first + i)
                if commit is None:
                    self.faults.report("committed", self.offset(first + i))
                elif commit[1]:
                    heads.append((first + i, commit[1]))
            if len(data) < count * BLOCK_SIZE:
                break
        return heads

    def _span(self, head: int, length: int, dictionary: Dictionary) -> Span | None:
        place = self.offset(head)
        content, spilled, whole = self._chain(head, length)
        if not whole:
            self.faults.report("active-chain", place)
        if len(content) < SPAN_BODY:
            self.faults.report("active-chain", place)
            return None
        # The content is spread over blocks: its faults are those of the head.
        span = RecordParser(dictionary, self.faults, Zeros(self.source)).span(
            Region(content, lambda _: place), 0, 0, False
        )
        if self.salvage and not any(span.trace_id):
            self.faults.report("active-chain", place)
            return None
        span.in_flight = True
        span.incomplete = spilled or not whole
        return span

    def _chain(self, head: int, length: int) -> tuple[bytes, bool, bool]:
        """Content of a chain, whether the span was spilled, and whether the chain is whole."""
        content = bytearray()
        spilled, block = False, head
        own: set[int] = set()
        if _blocks(length) > self.section.entry_count:
            return b"", False, False
        while len(content) < length:
            if not 0 <= block < self.section.entry_count or self._is_shared_too_often(block, own):
                self.taken |= own
                return bytes(content), spilled, False
            data = self.source.read(self.offset(block), BLOCK_SIZE)
            if len(data) < BLOCK_SIZE:
                return b"", spilled, False
            next_block, flags = struct.unpack_from("<II", data, 8)
            if not content:
                spilled = bool(flags & FLAG_SPILLED)
            content += data[16:][: length - len(content)]
            block = next_block - 1
        self.taken |= own
        return bytes(content), spilled, True

    def _is_shared_too_often(self, block: int, own: set[int]) -> bool:
        """Whether a chain ends at a block: it was there before, or too many were in other chains. Adds it to `own`."""
        shared = block in self.taken
        if block in own or (shared and self.shared == MAX_SHARED_BLOCKS):
            return True
        self.shared += shared
        own.add(block)
        return False


def _blocks(length: int) -> int:
    """Blocks that so many bytes of content take."""
    return -(-length // CONTENT_SIZE)
