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

BLOCK_SIZE = 256
CONTENT_SIZE = 240
FLAG_SPILLED = 1
_PIECE = 4096


class ActiveReader:
    """Reads the table of active spans."""

    def __init__(self, source: Source, section: Section, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = section
        self.salvage = salvage
        self.faults = faults
        self.used_blocks = 0

    def offset(self, block: int) -> int:
        return self.section.offset + BLOCK_SIZE * block

    def read(self, dictionary: Dictionary) -> list[Span]:
        spans = []
        for block, length in self._heads():
            blocks = -(-length // CONTENT_SIZE)
            if self.used_blocks + blocks > 2 * self.section.entry_count:
                self.faults.report("active-chain", self.offset(block))
                break
            self.used_blocks += blocks
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
        chain, content, spilled, broken = self._chain(head, length)
        if len(content) < SPAN_BODY:
            if not broken:
                self.faults.report("active-chain", self.offset(head))
            return None
        if self.salvage and not any(content[:16]):
            self.faults.report("active-chain", self.offset(head))
            return None

        def where(at: int) -> int:
            block = min(at // CONTENT_SIZE, len(chain) - 1)
            return self.offset(chain[block]) + 16 + at - block * CONTENT_SIZE

        span = RecordParser(dictionary, self.faults).span(Region(content, where), 0, 0, False)
        span.in_flight = True
        span.incomplete = spilled or broken
        return span

    def _chain(self, head: int, length: int) -> tuple[list[int], bytes, bool, bool]:
        """Blocks and content of a chain, whether it was spilled, and whether it is broken."""
        chain: list[int] = []
        content = bytearray()
        spilled, block = False, head
        while len(content) < length:
            if not 0 <= block < self.section.entry_count:
                self.faults.report("active-chain", self.offset(head))
                return chain, bytes(content), spilled, True
            data = self.source.read(self.offset(block), BLOCK_SIZE)
            if len(data) < BLOCK_SIZE:
                self.faults.report("unreadable", self.offset(block))
                return chain, bytes(content), spilled, True
            next_block, flags = struct.unpack_from("<II", data, 8)
            if not chain:
                spilled = bool(flags & FLAG_SPILLED)
            chain.append(block)
            content += data[16:][: length - len(content)]
            block = next_block - 1
        return chain, bytes(content), spilled, False
