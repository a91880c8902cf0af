"""The dictionary: strings and definitions (SPEC.md, section 7)."""

from __future__ import annotations

import bisect
import struct
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from . import words
from .crc32c import crc32c
from .faults import Fault, Faults
from .header import DICTIONARY, Header
from .items import (
    BOUNDARIES,
    CARDINALITY_LIMIT,
    DESCRIPTION,
    NAME,
    SCHEMA_URL,
    UNIT,
    VERSION,
    ItemParser,
    align8,
    region_at,
)
from .model import Attributes, Contents, Resource, Scope, Stream
from .source import Source, next_nonzero
from .zeros import Zeros

_KINDS = range(1, 6)
STRING, RESOURCE, SCOPE, METRIC_STREAM, ATTRIBUTE_SET = _KINDS
FIRST = 64
HEADER_SIZE = 16
MAX_ENTRY_SIZE = 1 << 24
REFUSED_FACTOR = 4
MAX_REFUSED = 1 << 30
_SCOPE_ITEMS = frozenset((NAME, VERSION, SCHEMA_URL))
_STREAM_ITEMS = frozenset((NAME, DESCRIPTION, UNIT, BOUNDARIES, CARDINALITY_LIMIT))
_AGGREGATIONS = range(1, 5)


class Entry(NamedTuple):
    """A whole entry of the dictionary."""

    at: int
    kind: int
    payload: bytes
    end: int


class Foreign:
    """What a definition of a later version means: nothing to this reader, and no fault."""


class Loaded(NamedTuple):
    """An entry as it is remembered: what it says (None: unusable), and the faults in it."""

    meaning: object
    faults: tuple[Fault, ...]


class Dictionary:
    """Resolves references; each entry is read once. `salvage`: `committed` is no limit (13.6)."""

    def __init__(self, source: Source, header: Header, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = header.sections[DICTIONARY, 0]
        self.instance_id = str(UUID(bytes=header.file_id))
        self.used = self.section.length
        self.published = 0
        self.limited = False
        self._read_committed(salvage, faults)
        self._entries: dict[int, Entry | None] = {}
        self._loaded: dict[int, Loaded] = {}
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._refused_bytes = 0
        self._zeros = Zeros(source)
        self.overlapping = False
        self.gave_up = False

    def _read_committed(self, salvage: bool, faults: Faults) -> None:
        self.readable = True
        raw = self.source.read(self.section.offset, 8)
        if len(raw) < 8:
            faults.report("unreadable", self.section.offset)
            self.used, self.limited, self.readable = 0, not salvage, False
            return
        committed = words.checked(int.from_bytes(raw, "little"))
        if committed is None:
            faults.report("committed", self.section.offset)
            return
        if committed % 8 or not FIRST <= committed <= self.section.length:
            faults.report("committed", self.section.offset)
        self.used = self.published = min(committed, self.section.length)
        self.limited = not salvage

    # Entries

    def check(self, at: int) -> Entry | None:
        """The entry at this offset of the section, if it is whole and its CRC fits."""
        if at < FIRST or at + HEADER_SIZE > self.section.length:
            return None
        head = self.source.read(self.section.offset + at, HEADER_SIZE)
        if len(head) < HEADER_SIZE:
            return None
        length, kind, crc = struct.unpack_from("<III", head)
        if not HEADER_SIZE <= length <= min(self.section.length - at, MAX_ENTRY_SIZE):
            return None
        if self._refused_bytes > min(REFUSED_FACTOR * self.section.length, MAX_REFUSED):
            self.gave_up = True
            return None
        payload = self.source.read(self.section.offset + at + HEADER_SIZE, length - HEADER_SIZE)
        if len(payload) < length - HEADER_SIZE:
            return None
        if crc32c(payload, crc32c(head[:8])) != crc:
            self._refused_bytes += length
            return None
        return Entry(at, kind, payload, at + length)

    def _accept(self, at: int) -> Entry | None:
        """As `check`, for an entry that overlaps none that was accepted before, and holds not too many zeros."""
        entry = self.check(at)
        if entry is None:
            return None
        place = bisect.bisect_left(self._starts, entry.end)
        overlaps = place > 0 and self._ends[place - 1] > at
        if overlaps or not self._zeros.keep(entry.payload):
            self._refused_bytes += entry.end - at
            self.overlapping |= overlaps
            return None
        self._starts.insert(place, at)
        self._ends.insert(place, entry.end)
        return entry

    def _entry(self, reference: int, place: int, faults: Faults) -> Entry | None:
        """The entry that a reference names. `place`: the offset in the file of what refers to it."""
        at = reference * 8
        if at >= self.section.length:
            return None
        if reference not in self._entries:
            entry = self._accept(at)
            self._entries[reference] = entry
            if entry and self.limited and at >= self.used and entry.kind in _KINDS:
                faults.report_reference(reference, place)
        return self._entries[reference]

    def _resolve(self, reference: int, kind: int, place: int, faults: Faults) -> object:
        """What an entry of this kind says. One of another kind is not decoded: definitions cannot form long chains."""
        entry = self._entry(reference, place, faults)
        meaning = self._meaning(reference, entry, faults) if entry and entry.kind == kind else None
        if meaning is None:
            faults.report_reference(reference, place)
        return meaning

    def _meaning(self, reference: int, entry: Entry, faults: Faults) -> object:
        """What an entry says; None if that cannot be made out."""
        if reference not in self._loaded:
            self._loaded[reference] = self._decode(entry)
        loaded = self._loaded[reference]
        faults.tell(loaded.faults)
        return loaded.meaning

    def verify(self, faults: Faults) -> int:
        """Reads every whole entry and gives their number. What is broken below `committed` is a fault."""
        if not self.readable:
            return 0
        at, count, broken = FIRST, 0, False
        while at < self.used if self.limited else at + HEADER_SIZE <= self.section.length:
            offset = self.section.offset + at
            entry = self.check(at)
            if entry:
                count, broken = count + 1, False
                self._verify_entry(at // 8, entry.kind, faults)
                at += align8(entry.end - at)
                continue
            if at < self.published and not broken:
                faults.report("dictionary-entry", offset)
            broken = True
            start, end = self.section.offset, self.section.offset + self.section.length
            at = next_nonzero(self.source, start + at + 8, end) - start & ~7
        return count

    def _verify_entry(self, reference: int, kind: int, faults: Faults) -> None:
        """Decodes a whole entry for the faults in it. One that cannot be made out, or overlaps another, is a fault."""
        offset = self.section.offset + reference * 8
        entry = self._entry(reference, offset, faults)
        if kind in _KINDS and (entry is None or self._meaning(reference, entry, faults) is None):
            faults.report("dictionary-entry", offset)

    # What entries say

    def _decode(self, entry: Entry) -> Loaded:
        decoders: dict[int, Callable[[Entry, Faults], object]] = {
            STRING: self._string,
            RESOURCE: self._resource,
            SCOPE: self._scope,
            METRIC_STREAM: self._stream,
            ATTRIBUTE_SET: self._attribute_set,
        }
        faults = Faults()
        meaning = decoders[entry.kind](entry, faults)
        return Loaded(meaning, tuple(faults.kept))

    def _parser(self, entry: Entry, faults: Faults) -> ItemParser:
        region = region_at(entry.payload, self.section.offset + entry.at + HEADER_SIZE)
        return ItemParser(region, self, faults)

    def _contents(self, entry: Entry, body: int, allowed: frozenset[int], faults: Faults) -> Contents:
        return self._parser(entry, faults).contents(body, allowed)

    def _string(self, entry: Entry, faults: Faults) -> str:
        return self._parser(entry, faults).text(0, len(entry.payload), -HEADER_SIZE)

    def _resource(self, entry: Entry, faults: Faults) -> Resource:
        found = self._contents(entry, 0, frozenset((SCHEMA_URL,)), faults)
        attributes = {**found.attributes}
        attributes.setdefault("service.instance.id", self.instance_id)
        return Resource(attributes, found.texts.get(SCHEMA_URL, ""))

    def _scope(self, entry: Entry, faults: Faults) -> Scope | None:
        if len(entry.payload) < 8:
            return None
        body = self.section.offset + entry.at + HEADER_SIZE
        resource = self.resource(int.from_bytes(entry.payload[:4], "little"), body, faults)
        found = self._contents(entry, 8, _SCOPE_ITEMS, faults)
        texts = found.texts
        return Scope(texts.get(NAME, ""), texts.get(VERSION, ""), texts.get(SCHEMA_URL, ""), found.attributes, resource)

    def _stream(self, entry: Entry, faults: Faults) -> Stream | Foreign | None:
        if len(entry.payload) < 24:
            return None
        scope_ref, aggregation, _, monotonic = struct.unpack_from("<4I", entry.payload)
        scope = self.scope(scope_ref, self.section.offset + entry.at + HEADER_SIZE, faults)
        found = self._contents(entry, 24, _STREAM_ITEMS, faults)
        if aggregation not in _AGGREGATIONS:
            return Foreign()
        texts = found.texts
        return Stream(
            scope, aggregation, monotonic != 0,
            texts.get(NAME, ""), texts.get(DESCRIPTION, ""), texts.get(UNIT, ""), found.boundaries,
        )  # fmt: skip

    def _attribute_set(self, entry: Entry, faults: Faults) -> Attributes:
        return self._contents(entry, 0, frozenset(), faults).attributes

    # Each gives what a reference means at `place`, an offset in the file, and reports to `faults`.

    def string(self, reference: int, place: int, faults: Faults) -> str | None:
        found = self._resolve(reference, STRING, place, faults)
        return found if isinstance(found, str) else None

    def resource(self, reference: int, place: int, faults: Faults) -> Resource:
        found = self._resolve(reference, RESOURCE, place, faults)
        return found if isinstance(found, Resource) else Resource()

    def scope(self, reference: int, place: int, faults: Faults) -> Scope:
        found = self._resolve(reference, SCOPE, place, faults)
        return found if isinstance(found, Scope) else Scope()

    def stream(self, reference: int, place: int, faults: Faults) -> Stream | None:
        found = self._resolve(reference, METRIC_STREAM, place, faults)
        return found if isinstance(found, Stream) else None

    def attribute_set(self, reference: int, place: int, faults: Faults) -> Attributes:
        if reference == 0:
            return {}
        found = self._resolve(reference, ATTRIBUTE_SET, place, faults)
        return found if isinstance(found, dict) else {}
