"""Pools: segment tables, records, and what is found by the checks alone (SPEC.md, 5, 13.2, 13.3, 13.6)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from . import words
from .crc32c import crc32c, record_check
from .faults import Faults
from .header import SEGMENT_TABLE, SEGMENTS, Header
from .source import Source

HEADER_SIZE = 32
_NOT_ZERO = re.compile(rb"[^\0]")


class Record(NamedTuple):
    """A record whose check fits."""

    at: int
    length: int
    type: int
    flags: int
    generation: int
    number: int
    whole: bool
    time: int
    data: bytes


@dataclass
class Slot:
    """What was found in one segment."""

    base: int
    generation: int = 0
    found: bool = False
    published: int = 0
    present: int = 0
    records: list[Record] = field(default_factory=list)


@dataclass
class Pool:
    """What was found in the segments of one signal."""

    slots: list[Slot] = field(default_factory=list)
    recorded: int = 0
    overwritten: int = 0


class TableEntry(NamedTuple):
    """An entry of a segment table. Words whose check does not fit are None."""

    offset: int
    used: bool
    committed: words.Committed | None
    acknowledged: words.Acknowledged | None
    base_records: tuple[int | None, int | None]
    base_overwritten: tuple[int | None, int | None]

    def named(self) -> set[int]:
        """The generations that the words name."""
        return {word.generation for word in (self.committed, self.acknowledged) if word}

    def present_generation(self) -> int | None:
        """The generation whose base words are in force."""
        word = self.committed or self.acknowledged
        return word.generation if word else None


class Scanner:
    """Finds records in the bytes of a segment."""

    def __init__(self, header: Header, data: bytes) -> None:
        self.key = header.key
        self.crc = header.record_crc
        self.data = data

    def record(self, at: int) -> Record | None:
        """The record at `at`, of whatever generation, if its header is valid (13.3, step 1)."""
        left = len(self.data) - at
        if left < HEADER_SIZE:
            return None
        first, second, check, crc, time = struct.unpack_from("<QQIIQ", self.data, at)
        length = first & 0xFFFFFFFF
        if length % 8 or not HEADER_SIZE <= length <= left or record_check(self.key, first, second) != check:
            return None
        data = self.data[at : at + length]
        whole = not self.crc or crc32c(data[24:], crc32c(data[:16])) == crc
        kind, flags = first >> 32 & 0xFFFF, first >> 48
        return Record(at, length, kind, flags, second & 0xFFFFFFFF, second >> 32, whole, time, data)

    def next_nonzero(self, at: int) -> int:
        """The next multiple of 8 from `at` on at which a record may stand: zeros are none."""
        nonzero = _NOT_ZERO.search(self.data, at)
        return max(at, nonzero.start() & ~7) if nonzero else len(self.data)

    def next_from(self, at: int, wanted: Callable[[Record], bool]) -> Record | None:
        """The next record that is `wanted`, at a multiple of 8 from `at` on."""
        at = self.next_nonzero(at)
        while at < len(self.data):
            record = self.record(at)
            if record and wanted(record):
                return record
            at = self.next_nonzero(at + 8)
        return None


class PoolReader:
    """Reads the pool of one signal."""

    def __init__(self, source: Source, header: Header, signal: int, faults: Faults) -> None:
        self.source = source
        self.header = header
        self.faults = faults
        self.table = header.sections[SEGMENT_TABLE, signal]
        self.segments = header.sections[SEGMENTS, signal]

    def read(self, mode: str, parse: Callable[[Record, int], None]) -> Pool:
        """Reads every slot; `parse` gets each whole record and the offset of its segment.

        `mode`: "published" reads what is published, "closed" what goes on behind it too, and both by 13.6 where
        there are faults; "salvage" reads by 13.6 alone.
        """
        pool = Pool()
        for index in range(self.table.entry_count):
            slot = Slot(self.segments.offset + index * self.header.segment_size)
            entry = self._entry(self.table.offset + 64 * index)
            if entry:
                self._slot(entry, slot, mode)
                self._count(entry, slot, pool)
                self._check_words(entry, slot)
            pool.slots.append(slot)
            for record in slot.records:
                parse(record, slot.base)
            slot.records = []
        return pool

    def _entry(self, offset: int) -> TableEntry | None:
        raw = self.source.read(offset, 64)
        if len(raw) < 64:
            self.faults.report("unreadable", offset)
            return None
        fields = struct.unpack_from("<6Q", raw)
        counts = [words.checked(word) for word in fields[2:]]
        return TableEntry(
            offset, fields[0] != 0, words.committed(fields[0]), words.acknowledged(fields[1]),
            (counts[0], counts[1]), (counts[2], counts[3]),
        )  # fmt: skip

    def _slot(self, entry: TableEntry, slot: Slot, mode: str) -> None:
        mark = self.faults.mark()
        committed = self._committed(entry, slot.base)
        slot.published = committed.bytes
        if mode == "salvage":
            self._salvage(entry, slot)
            return
        if committed.generation:
            if entry.base_records[committed.generation & 1] is None:
                self.faults.report("segment-entry", entry.offset)
            self._published(committed, slot, mode == "closed")
        if self.faults.mark() != mark:
            self._look_further(entry, slot)

    def _committed(self, entry: TableEntry, base: int) -> words.Committed:
        """What is published, rounded down to what is possible."""
        if entry.committed is None:
            self.faults.report("committed", entry.offset)
            return words.Committed(0, 0)
        generation, length = entry.committed
        if generation == 0:
            # A record in a slot that was never used: its entry was lost, since the check of zeros fits.
            if length or self._holds_record(base):
                self.faults.report("segment-entry", entry.offset)
            return words.Committed(0, 0)
        if length % 8 or length > self.header.segment_size:
            self.faults.report("committed", entry.offset)
            length = min(length, self.header.segment_size) & ~7
        return words.Committed(generation, length)

    def _holds_record(self, base: int) -> bool:
        """Whether a record of any generation stands in a segment; one begins at its start."""
        if not any(self.source.read(base, HEADER_SIZE)):
            return False
        data = self.source.read(base, self.header.segment_size)
        return self._newest(Scanner(self.header, data)) is not None

    def _look_further(self, entry: TableEntry, slot: Slot) -> None:
        """Reads a slot with faults by 13.6. Takes that if it is newer than what the table names, or more of that."""
        mark = self.faults.mark()
        further = Slot(slot.base)
        self._salvage(entry, further)
        self.faults.rewind(mark)
        named = entry.named()
        newer = all(words.is_later(further.generation, generation) for generation in named)
        more = further.generation in named and len(further.records) > len(slot.records)
        if further.found and (newer or more):
            slot.generation, slot.present, slot.records = further.generation, further.present, further.records

    def _count(self, entry: TableEntry, slot: Slot, pool: Pool) -> None:
        """Adds the slot's records, and those of its earlier generations as far as the table knows of them."""
        present = entry.present_generation()
        base = gone = 0
        if present is not None:
            base = entry.base_records[present & 1] or 0
            gone = entry.base_overwritten[present & 1] or 0
        pool.overwritten += gone
        if present is not None and words.is_later(present, slot.generation):
            pool.recorded += max(base, slot.present)
        else:
            pool.recorded += base + slot.present

    def _check_words(self, entry: TableEntry, slot: Slot) -> None:
        counts = entry.base_records + entry.base_overwritten
        if entry.acknowledged is None or None in counts:
            self.faults.report("segment-entry", entry.offset)
        if entry.committed is None:
            return
        generation = entry.committed.generation
        records = entry.base_records[generation & 1]
        overwritten = entry.base_overwritten[generation & 1] or 0
        if records is not None and overwritten > records:
            self.faults.report("segment-entry", entry.offset)
        if generation and words.is_later(slot.generation, generation):
            self.faults.report("segment-entry", entry.offset)
        acknowledged = entry.acknowledged
        is_of_slot = acknowledged and slot.generation == generation == acknowledged.generation
        if is_of_slot and acknowledged and acknowledged.records > slot.present:
            self.faults.report("segment-entry", entry.offset)

    def _published(self, committed: words.Committed, slot: Slot, further: bool) -> None:
        """Reads records in order up to `committed` (13.3), and those that go on behind it if `further`."""
        slot.generation, length = committed
        wanted = self.header.segment_size if further else length
        data = self.source.read(slot.base, wanted)
        if len(data) < wanted:
            self.faults.report("unreadable", slot.base)
        self._run(Scanner(self.header, data), slot, length, True)

    def _run(self, scanner: Scanner, slot: Slot, published: int, bounded: bool) -> None:
        """The records of the slot's generation, in order.

        `bounded`: behind what is published, only records that go on without a gap count.
        """

        def wanted(record: Record) -> bool:
            return record.generation == slot.generation and record.number >= slot.present

        at, damage = 0, False
        while at < len(scanner.data):
            record = scanner.record(at)
            if record and not wanted(record):
                record = None
            if bounded and at >= published and (record is None or record.number != slot.present):
                break
            if record is None:
                if not damage and (at < published or scanner.next_from(at + 8, wanted)):
                    self.faults.report("record-check", slot.base + at)
                damage = True
                following = scanner.next_nonzero(at + 8)
                at = min(following, max(at + 8, published)) if bounded else following
                continue
            if record.number > slot.present and not damage:
                self.faults.report("record-index", slot.base + at)
            self._take(record, slot)
            at, damage = at + record.length, False

    def _take(self, record: Record, slot: Slot) -> None:
        slot.present = record.number + 1
        if record.whole:
            slot.records.append(record)
        else:
            self.faults.report("record-crc", slot.base + record.at)

    def _salvage(self, entry: TableEntry, slot: Slot) -> None:
        """Reads the records of the newest generation in the segment, wherever they stand (13.6)."""
        data = self.source.read(slot.base, self.header.segment_size)
        if len(data) < self.header.segment_size and entry.used:
            self.faults.report("unreadable", slot.base)
        scanner = Scanner(self.header, data)
        newest = self._newest(scanner)
        published = self._published_of(entry, newest, slot)
        if newest is not None:
            slot.generation, slot.found = newest, True
            self._run(scanner, slot, published, False)

    def _published_of(self, entry: TableEntry, found: int | None, slot: Slot) -> int:
        """How many bytes of the generation found are published. What is published of a later one is lost."""
        if entry.committed is None or entry.committed.bytes > self.header.segment_size:
            return 0
        generation, length = entry.committed
        if found == generation:
            return length
        if length and (found is None or words.is_later(generation, found)):
            self.faults.report("record-check", slot.base)
        return 0

    def _newest(self, scanner: Scanner) -> int | None:
        """The newest generation of which a record is whole; without one, the newest of any."""
        newest: dict[bool, int | None] = {True: None, False: None}
        record = scanner.next_from(0, lambda _: True)
        while record:
            best = newest[record.whole]
            if best is None or words.is_later(record.generation, best):
                newest[record.whole] = record.generation
            record = scanner.next_from(record.at + record.length, lambda _: True)
        return newest[False] if newest[True] is None else newest[True]
