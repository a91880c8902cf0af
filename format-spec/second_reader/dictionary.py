"""The dictionary: strings and definitions (SPEC.md, section 7)."""

from __future__ import annotations

import bisect
import struct
from typing import Iterator, NamedTuple

from . import words
from .crc32c import crc32c
from .faults import Faults
from .header import Section
from .items import DESCRIPTION, BOUNDARIES, NAME, SCHEMA_URL, UNIT, VERSION, ItemParser, align8, region_at
from .model import Attributes, Contents, Resource, Scope, Stream
from .source import Source

STRING, RESOURCE, SCOPE, METRIC_STREAM, ATTRIBUTE_SET = range(1, 6)
FIRST = 64
_SCOPE_ITEMS = frozenset((NAME, VERSION, SCHEMA_URL))
_STREAM_ITEMS = frozenset((NAME, DESCRIPTION, UNIT, BOUNDARIES))


class Entry(NamedTuple):
    """A whole entry of the dictionary."""

    at: int
    kind: int
    payload: bytes
    end: int


class Dictionary:
    """Resolves references; each entry is checked once. `salvage`: `committed` is no limit (13.6)."""

    def __init__(self, source: Source, section: Section, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = section
        self.salvage = salvage
        self.faults = faults
        self.committed = self._committed()
        self._entries: dict[int, Entry | None] = {}
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._parsed: dict[tuple[int, int], object] = {}

    def _committed(self) -> int:
        raw = self.source.read(self.section.offset, 8)
        if len(raw) < 8:
            self.faults.report("unreadable", self.section.offset)
            return FIRST
        committed = words.checked(int.from_bytes(raw, "little"))
        if committed is None or committed % 8 or not FIRST <= committed <= self.section.length:
            self.faults.report("committed", self.section.offset)
            return FIRST
        return committed

    # Entries

    def check(self, at: int) -> Entry | None:
        """The entry at this offset of the section, if it is whole and its CRC fits."""
        head = self.source.read(self.section.offset + at, 16)
        if at + 16 > self.section.length or len(head) < 16:
            return None
        length, kind, crc = struct.unpack_from("<III", head)
        if length < 16 or at + length > self.section.length:
            return None
        if self.section.offset + at + length > self.source.size():
            return None
        payload = self.source.read(self.section.offset + at + 16, length - 16)
        if len(payload) < length - 16 or crc32c(payload, crc32c(head[:8])) != crc:
            return None
        return Entry(at, kind, payload, at + length)

    def entry(self, reference: int) -> Entry | None:
        """The entry that a reference names, from memory if it was asked for before."""
        at = reference * 8
        if at not in self._entries:
            self._entries[at] = None
            if at >= FIRST and not self._inside(at):
                entry = self.check(at)
                self._entries[at] = entry
                if entry:
                    self._accept(entry)
        return self._entries[at]

    def _inside(self, at: int) -> bool:
        """Whether this is the middle of an entry that was accepted."""
        place = bisect.bisect_left(self._starts, at)
        return place > 0 and self._ends[place - 1] > at

    def _accept(self, entry: Entry) -> None:
        place = bisect.bisect_left(self._starts, entry.at)
        self._starts.insert(place, entry.at)
        self._ends.insert(place, entry.end)

    def resolve(self, reference: int, kind: int, place: int) -> Entry | None:
        """The entry of this kind; `place` is the offset in the file of what refers to it."""
        entry = self.entry(reference)
        if entry is None or entry.kind != kind:
            self.faults.report("reference", place)
            return None
        if entry.end > self.committed and not self.salvage:
            self.faults.report("reference", place)
        return entry

    def walk(self) -> Iterator[Entry]:
        """Every whole entry, in order. Reports what is broken below `committed`."""
        at, broken = FIRST, False
        end = self.section.length if self.salvage else self.committed
        while at + 16 <= end:
            entry = self.check(at)
            if entry:
                yield entry
                at, broken = at + align8(entry.end - entry.at), False
                continue
            if not broken and at < self.committed:
                self.faults.report("dictionary-entry", self.section.offset + at)
            broken = True
            at += 8

    # What entries say

    def _parse(self, entry: Entry, skip: int, allowed: frozenset[int]) -> Contents:
        region = region_at(entry.payload, self.section.offset + entry.at + 16)
        return ItemParser(region, self, self.faults).contents(skip, allowed)

    def string(self, reference: int, place: int) -> str | None:
        entry = self.resolve(reference, STRING, place)
        if entry is None:
            return None
        key = STRING, entry.at
        if key not in self._parsed:
            region = region_at(entry.payload, self.section.offset + entry.at + 16)
            parser = ItemParser(region, self, self.faults)
            self._parsed[key] = parser.text(0, len(entry.payload), -16)
        return self._parsed[key]  # type: ignore[return-value]

    def resource(self, reference: int, place: int) -> Resource:
        entry = self.resolve(reference, RESOURCE, place)
        if entry is None:
            return Resource()
        key = RESOURCE, entry.at
        if key not in self._parsed:
            found = self._parse(entry, 0, frozenset((SCHEMA_URL,)))
            self._parsed[key] = Resource(found.attributes, found.texts.get(SCHEMA_URL, ""))
        return self._parsed[key]  # type: ignore[return-value]

    def scope(self, reference: int, place: int) -> Scope:
        entry = self.resolve(reference, SCOPE, place)
        if entry is None:
            return Scope()
        key = SCOPE, entry.at
        if key not in self._parsed:
            self._parsed[key] = self._scope(entry, place)
        return self._parsed[key]  # type: ignore[return-value]

    def _scope(self, entry: Entry, place: int) -> Scope:
        if len(entry.payload) < 8:
            self.faults.report("reference", place)
            return Scope()
        here = self.section.offset + entry.at
        resource = self.resource(int.from_bytes(entry.payload[:4], "little"), here)
        found = self._parse(entry, 8, _SCOPE_ITEMS)
        texts = found.texts
        return Scope(
            texts.get(NAME, ""), texts.get(VERSION, ""), texts.get(SCHEMA_URL, ""), found.attributes, resource
        )

    def stream(self, reference: int, place: int) -> Stream | None:
        entry = self.resolve(reference, METRIC_STREAM, place)
        if entry is None:
            return None
        key = METRIC_STREAM, entry.at
        if key not in self._parsed:
            self._parsed[key] = self._stream(entry, place)
        return self._parsed[key]  # type: ignore[return-value]

    def _stream(self, entry: Entry, place: int) -> Stream | None:
        if len(entry.payload) < 24:
            self.faults.report("reference", place)
            return None
        scope_ref, aggregation, _, monotonic = struct.unpack_from("<4I", entry.payload)
        scope = self.scope(scope_ref, self.section.offset + entry.at)
        found = self._parse(entry, 24, _STREAM_ITEMS)
        texts = found.texts
        return Stream(
            scope, aggregation, monotonic != 0,
            texts.get(NAME, ""), texts.get(DESCRIPTION, ""), texts.get(UNIT, ""), found.boundaries,
        )  # fmt: skip

    def attribute_set(self, reference: int, place: int) -> Attributes:
        if reference == 0:
            return {}
        entry = self.resolve(reference, ATTRIBUTE_SET, place)
        if entry is None:
            return {}
        key = ATTRIBUTE_SET, entry.at
        if key not in self._parsed:
            self._parsed[key] = self._parse(entry, 0, frozenset()).attributes
        return self._parsed[key]  # type: ignore[return-value]
