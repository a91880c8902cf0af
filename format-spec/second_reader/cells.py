"""Metric series and counters (SPEC.md, sections 9, 10 and 13.5)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from . import words
from .crc32c import crc32c
from .dictionary import Dictionary
from .faults import Faults
from .header import Section
from .model import Series, Stream
from .source import Source

GAUGE, SUM, HISTOGRAM, EXPONENTIAL = range(1, 5)
ALIGN = 64
MAX_BUCKETS = 65536
FLAG_OVERFLOW = 1
VALUE_INT, VALUE_DOUBLE = 1, 2
COUNTER_SLOTS = 16


class SeriesHeader(NamedTuple):
    offset: int
    size: int
    kind: int
    flags: int
    stream_ref: int
    attributes_ref: int
    start_time: int
    capacity: int
    version: int | None


def copy_size(kind: int, capacity: int) -> int:
    if kind == GAUGE:
        return 32
    size = 32 + 8 * capacity if kind == HISTOGRAM else 64 + 16 * capacity
    return size + 63 & ~63


def series_size(kind: int, capacity: int) -> int:
    return 128 if kind == SUM else 64 + 2 * copy_size(kind, capacity)


def _double(bits: int) -> float:
    return struct.unpack("<d", bits.to_bytes(8, "little"))[0]


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


class CellsReader:
    """Reads the metric cells. `salvage`: series behind `committed` count too (13.6)."""

    def __init__(self, source: Source, section: Section, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = section
        self.salvage = salvage
        self.faults = faults
        self.committed = self._committed()

    def _committed(self) -> int:
        raw = self.source.read(self.section.offset, 8)
        if len(raw) < 8:
            self.faults.report("unreadable", self.section.offset)
            return ALIGN
        committed = words.checked(int.from_bytes(raw, "little"))
        if committed is None or committed % ALIGN or not ALIGN <= committed <= self.section.length:
            self.faults.report("committed", self.section.offset)
            return ALIGN
        return committed

    def read(self, dictionary: Dictionary) -> list[Series]:
        found = []
        seen: set[tuple[int, int]] = set()
        for header in self._headers():
            key = header.stream_ref, header.attributes_ref
            if not GAUGE <= header.kind <= EXPONENTIAL:
                continue
            if key in seen:
                self.faults.report("series-state", header.offset)
                continue
            seen.add(key)
            series = self._series(header, dictionary)
            if series:
                found.append(series)
        return found

    def _headers(self) -> list[SeriesHeader]:
        headers = []
        at, broken = ALIGN, False
        end = self.section.length
        while at + 64 <= end and (self.salvage or at < self.committed):
            offset = self.section.offset + at
            raw = self.source.read(offset, 64)
            if len(raw) < 64:
                if at < self.committed:
                    self.faults.report("unreadable", offset)
                break
            header = self._header(raw, at)
            if header:
                headers.append(header)
                at, broken = at + header.size, False
                continue
            if at >= self.committed:
                break
            if not broken:
                self.faults.report("series-header", offset)
            broken = True
            at += ALIGN
        return headers

    def _header(self, raw: bytes, at: int) -> SeriesHeader | None:
        size, kind, flags, stream, attributes, start, capacity, crc = struct.unpack_from("<IHHIIQII", raw)
        if crc32c(raw[:28]) != crc or size < ALIGN or size % ALIGN:
            return None
        end = self.section.length if self.salvage else self.committed
        if at + size > end:
            return None
        if GAUGE <= kind <= EXPONENTIAL and (capacity > MAX_BUCKETS or size != series_size(kind, capacity)):
            return None
        version = words.checked(struct.unpack_from("<Q", raw, 32)[0])
        return SeriesHeader(self.section.offset + at, size, kind, flags, stream, attributes, start, capacity, version)

    def _series(self, header: SeriesHeader, dictionary: Dictionary) -> Series | None:
        stream = dictionary.stream(header.stream_ref, header.offset)
        if stream is None:
            return None
        attributes = dictionary.attribute_set(header.attributes_ref, header.offset)
        fits = stream.aggregation == header.kind
        if header.kind == HISTOGRAM and header.capacity != len(stream.boundaries) + 1:
            fits = False
        if not fits:
            self.faults.report("series-state", header.offset)
            return None
        state = self._state(header, stream)
        if state is None:
            return None
        return Series(
            state.pop("time"), header.start_time, stream, (header.stream_ref, header.attributes_ref), attributes,
            bool(header.flags & FLAG_OVERFLOW), header.kind, state,
        )  # fmt: skip

    def _state(self, header: SeriesHeader, stream: Stream) -> dict | None:
        if header.kind == SUM:
            raw = self._read(header, 64, 32)
            return self._sum(raw) if raw else None
        if header.version is None:
            self.faults.report("series-state", header.offset)
            return None
        if header.version == 0:
            return None
        size = copy_size(header.kind, header.capacity)
        raw = self._read(header, 64 + (header.version & 1) * size, size)
        if raw is None:
            return None
        if header.kind == GAUGE:
            return self._gauge(header, raw)
        if header.kind == HISTOGRAM:
            return self._histogram(header, raw, stream)
        return self._exponential(header, raw)

    def _read(self, header: SeriesHeader, at: int, length: int) -> bytes | None:
        raw = self.source.read(header.offset + at, length)
        if len(raw) < length:
            self.faults.report("unreadable", header.offset + at)
            return None
        return raw

    def _sum(self, raw: bytes) -> dict | None:
        int_value, double_value, seen, time = struct.unpack("<qdQQ", raw)
        if seen & (VALUE_INT | VALUE_DOUBLE) == 0:
            return None
        value = int_value if seen == VALUE_INT else float(int_value) + double_value
        return {"time": time, "value": value}

    def _gauge(self, header: SeriesHeader, raw: bytes) -> dict | None:
        time, bits, value_type = struct.unpack_from("<3Q", raw)
        if value_type not in (VALUE_INT, VALUE_DOUBLE):
            self.faults.report("series-state", header.offset)
            return None
        return {"time": time, "value": _signed(bits) if value_type == VALUE_INT else _double(bits)}

    def _histogram(self, header: SeriesHeader, raw: bytes, stream: Stream) -> dict:
        time, total, least, greatest = struct.unpack_from("<Qddd", raw)
        buckets = list(struct.unpack_from(f"<{header.capacity}Q", raw, 32))
        count = sum(buckets)
        return {
            "time": time,
            "count": count,
            "sum": total,
            "min": least if count else None,
            "max": greatest if count else None,
            "boundaries": stream.boundaries,
            "bucket_counts": buckets,
        }

    def _exponential(self, header: SeriesHeader, raw: bytes) -> dict | None:
        time, total, least, greatest, zeros, scale, positive, negative, positives, negatives = struct.unpack_from(
            "<QdddQiiiII", raw
        )
        capacity = header.capacity
        if not -10 <= scale <= 20 or positives > capacity or negatives > capacity:
            self.faults.report("series-state", header.offset)
            return None
        above = list(struct.unpack_from(f"<{positives}Q", raw, 64))
        below = list(struct.unpack_from(f"<{negatives}Q", raw, 64 + 8 * capacity))
        count = sum(above) + sum(below) + zeros
        return {
            "time": time,
            "count": count,
            "sum": total,
            "min": least if count else None,
            "max": greatest if count else None,
            "scale": scale,
            "zero_count": zeros,
            "positive": {"offset": positive, "bucket_counts": above},
            "negative": {"offset": negative, "bucket_counts": below},
        }


def read_counters(source: Source, section: Section, faults: Faults) -> dict[int, list[int]]:
    """The counters of each signal, by their number."""
    length = 8 * 3 * COUNTER_SLOTS
    raw = source.read(section.offset, length)
    if len(raw) < length:
        faults.report("unreadable", section.offset)
        raw = raw.ljust(length, b"\0")
    counters = struct.unpack(f"<{3 * COUNTER_SLOTS}Q", raw)
    return {signal: list(counters[COUNTER_SLOTS * (signal - 1) :][:COUNTER_SLOTS]) for signal in (1, 2, 3)}
