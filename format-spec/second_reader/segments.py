"""Pools: segment tables, records, and what is found by the checks alone (SPEC.md, 5, 13.2, 13.3, 13.6)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Callable, NamedTuple

from . import words
from .crc32c import crc32c, record_check
from .faults import Faults
from .header import Header, SEGMENT_TABLE, SEGMENTS
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
    index: int
    whole: bool
    time: int
    data: bytes

    def offset(self, base: int) -> int:
        return base + self.at


@dataclass
class Slot:
    """What was found in one segment."""

    base: int
    table_generation: int = 0
    generation: int = 0
    published: int = 0
    present: int = 0
    records: list[Record] = field(default_factory=list)


@dataclass
class Pool:
    """What was found in the segments of one signal."""

    slots: list[Slot] = field(default_factory=list)
    base_records: int = 0
    overwritten: int = 0

    @property
    def recorded(self) -> int:
        return self.base_records + sum(slot.present for slot in self.slots)


class TableEntry(NamedTuple):
    offset: int
    committed: words.Committed | None
    acknowledged: words.Acknowledged | None
    base_records: tuple[int | None, int | None]
    base_overwritten: tuple[int | None, int | None]


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

    def next_from(self, at: int, wanted: Callable[[Record], bool]) -> Record | None:
        """The next record at a multiple of 8 from `at` on. Zeros are no record, so they are passed over."""
        while True:
            nonzero = _NOT_ZERO.search(self.data, at)
            if nonzero is None:
                return None
            at = max(at, nonzero.start() & ~7)
            record = self.record(at)
            if record and wanted(record):
                return record
            at += 8


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
                self._bases(entry, slot, pool)
            pool.slots.append(slot)
            for record in slot.records:
                parse(record, slot.base)
        return pool

    def _entry(self, offset: int) -> TableEntry | None:
        raw = self.source.read(offset, 64)
        if len(raw) < 64:
            self.faults.report("unreadable", offset)
            return None
        fields = struct.unpack_from("<6Q", raw)
        counts = [words.checked(word) for word in fields[2:]]
        return TableEntry(
            offset, words.committed(fields[0]), words.acknowledged(fields[1]),
            (counts[0], counts[1]), (counts[2], counts[3]),
        )  # fmt: skip

    def _slot(self, entry: TableEntry, slot: Slot, mode: str) -> None:
        sound = None not in entry.base_records and None not in entry.base_overwritten
        if not sound or entry.acknowledged is None:
            self.faults.report("segment-entry", entry.offset)
        if entry.committed is None:
            self.faults.report("committed", entry.offset)
        else:
            slot.table_generation, slot.published = entry.committed
        if mode == "salvage":
            self._salvage(slot)
            return
        mark = self.faults.mark()
        if entry.committed is not None:
            self._published(entry, entry.committed, slot, mode == "closed")
        if entry.committed is None or not sound or self.faults.mark() != mark:
            self._look_further(entry, slot)

    def _look_further(self, entry: TableEntry, slot: Slot) -> None:
        """Reads a slot with faults by 13.6, and takes that if the table names the generation found."""
        mark = self.faults.mark()
        further = Slot(slot.base, slot.table_generation, published=slot.published)
        self._salvage(further)
        self.faults.rewind(mark)
        named = {entry.committed and entry.committed.generation, entry.acknowledged and entry.acknowledged.generation}
        if further.records and further.generation in named:
            slot.generation, slot.present, slot.records = further.generation, further.present, further.records

    def _bases(self, entry: TableEntry, slot: Slot, pool: Pool) -> None:
        """Adds the counts of earlier generations, if the table and the records speak of the same one."""
        acknowledged = entry.acknowledged
        if entry.committed is None and acknowledged and acknowledged.generation == slot.generation:
            slot.table_generation = slot.generation
        generation = slot.table_generation
        if generation == 0:
            return
        records = entry.base_records[generation & 1] or 0
        overwritten = entry.base_overwritten[generation & 1] or 0
        if overwritten > records:
            self.faults.report("segment-entry", entry.offset)
        pool.overwritten += overwritten
        if slot.generation in (0, generation):
            pool.base_records += records
        if acknowledged and acknowledged.generation == slot.generation and acknowledged.records > slot.present:
            self.faults.report("segment-entry", entry.offset)

    def _data(self, base: int, length: int, report: bool) -> bytes:
        data = self.source.read(base, length)
        if len(data) < length and report:
            self.faults.report("unreadable", base)
        return data

    def _published(self, entry: TableEntry, committed: words.Committed, slot: Slot, further: bool) -> None:
        """Reads records in order up to `committed` (13.3), and those that go on behind it if `further`."""
        generation, length = committed
        if generation == 0:
            if length:
                self.faults.report("segment-entry", entry.offset)
            return
        if length % 8 or length > self.header.segment_size:
            self.faults.report("committed", entry.offset)
            length = min(length, self.header.segment_size) & ~7
        slot.generation = generation
        at = self._run(Scanner(self.header, self._data(slot.base, length, True)), slot, True)
        if further:
            scanner = Scanner(self.header, self.source.read(slot.base, self.header.segment_size))
            while (record := scanner.record(at)) and self._goes_on(record, slot):
                self._take(record, slot)
                at += record.length

    def _goes_on(self, record: Record, slot: Slot) -> bool:
        return record.generation == slot.generation and record.index == slot.present

    def _run(self, scanner: Scanner, slot: Slot, to_the_end: bool) -> int:
        """Records of the slot's generation in order; `to_the_end`: they must fill the data."""
        at, end = 0, len(scanner.data)
        while at < end:
            record = scanner.record(at)
            if record is None or record.generation != slot.generation or record.index < slot.present:
                found = scanner.next_from(
                    at + 8, lambda found: found.generation == slot.generation and found.index >= slot.present
                )
                if found or to_the_end:
                    self.faults.report("record-check", slot.base + at)
                if found is None:
                    return end
                record = found
            elif record.index > slot.present:
                self.faults.report("record-index", slot.base + record.at)
            self._take(record, slot)
            at = record.at + record.length
        return at

    def _take(self, record: Record, slot: Slot) -> None:
        slot.present = record.index + 1
        if record.whole:
            slot.records.append(record)
        else:
            self.faults.report("record-crc", slot.base + record.at)

    def _salvage(self, slot: Slot) -> None:
        """Reads the records of the newest generation in the segment, wherever they stand (13.6)."""
        data = self._data(slot.base, self.header.segment_size, slot.table_generation != 0)
        scanner = Scanner(self.header, data)
        slot.generation = self._newest(scanner)
        self._run(scanner, slot, False)

    def _newest(self, scanner: Scanner) -> int:
        """The newest generation of which a record is whole; without one, the newest of any; else 0."""
        newest = {True: 0, False: 0}
        record = scanner.next_from(0, lambda _: True)
        while record:
            best = newest[record.whole]
            if best == 0 or 0 < (record.generation - best) % (1 << 32) < 1 << 31:
                newest[record.whole] = record.generation
            record = scanner.next_from(record.at + record.length, lambda _: True)
        return newest[True] or newest[False]
