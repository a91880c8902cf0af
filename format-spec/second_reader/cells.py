"""Metric series and counters (SPEC.md, sections 9, 10 and 13.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import words
from .crc32c import crc32c
from .dictionary import Dictionary
from .faults import Faults
from .header import Section
from .model import Series
from .source import Source, next_nonzero
from .zeros import Zeros

GAUGE, SUM, HISTOGRAM, EXPONENTIAL = range(1, 5)
ALIGN = 64
MAX_BUCKETS = 65536
FLAG_OVERFLOW = 1
VALUE_INT, VALUE_DOUBLE = 1, 2
COUNTER_SLOTS = 16
U64_MAX = (1 << 64) - 1


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
    (value,) = struct.unpack("<d", bits.to_bytes(8, "little"))
    return float(value)


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


class CellsReader:
    """Reads the metric cells. `salvage`: series behind `committed` count too (13.6)."""

    def __init__(self, source: Source, section: Section, salvage: bool, faults: Faults) -> None:
        self.source = source
        self.section = section
        self.faults = faults
        self.used = section.length
        self.published = 0
        self.limited = False
        self._zeros = Zeros(source)
        self._read_committed(salvage)

    def _read_committed(self, salvage: bool) -> None:
        raw = self.source.read(self.section.offset, 8)
        if len(raw) < 8:
            self.faults.report("unreadable", self.section.offset)
            self.used, self.limited = 0, True
            return
        committed = words.checked(int.from_bytes(raw, "little"))
        if committed is None:
            self.faults.report("committed", self.section.offset)
            return
        if committed % ALIGN or not ALIGN <= committed <= self.section.length:
            self.faults.report("committed", self.section.offset)
        self.used = self.published = min(committed, self.section.length)
        self.limited = not salvage

    def read(self, dictionary: Dictionary) -> list[Series]:
        found = []
        seen: set[tuple[int, int]] = set()
        for header in self._headers():
            key = header.stream_ref, header.attributes_ref
            if key in seen:
                self.faults.report("series-state", header.offset)
                continue
            seen.add(key)
            series = self._series(header, dictionary)
            if series:
                found.append(series)
        return found

    def _headers(self) -> Iterator[SeriesHeader]:
        at, broken = ALIGN, False
        end = self.used if self.limited else self.section.length
        while at < end:
            header = self._header(at, end)
            if header:
                yield header
                at, broken = at + header.size, False
                continue
            if at < self.published and not broken:
                self.faults.report("series-header", self.section.offset + at)
            broken = True
            start = self.section.offset
            at = (next_nonzero(self.source, start + at + ALIGN, start + self.section.length) - start) & -ALIGN

    def _header(self, at: int, end: int) -> SeriesHeader | None:
        raw = self.source.read(self.section.offset + at, ALIGN)
        if len(raw) < ALIGN:
            return None
        size, kind, flags, stream, attributes, start, capacity, crc = struct.unpack_from("<IHHIIQII", raw)
        if size < ALIGN or size % ALIGN or at + size > end or crc32c(raw[:28]) != crc:
            return None
        if GAUGE <= kind <= EXPONENTIAL and (capacity > MAX_BUCKETS or size != series_size(kind, capacity)):
            return None
        version = words.checked(struct.unpack_from("<Q", raw, 32)[0])
        return SeriesHeader(self.section.offset + at, size, kind, flags, stream, attributes, start, capacity, version)

    def _series(self, header: SeriesHeader, dictionary: Dictionary) -> Series | None:
        state = self._state(header)
        if state is None:
            return None
        if not self._zeros.keep_counts(*_counts(state)):
            self.faults.report("series-state", header.offset)
            return None
        stream = dictionary.stream(header.stream_ref, header.offset, self.faults)
        if stream is None:
            return None
        fits = stream.aggregation == header.kind
        if header.kind == HISTOGRAM:
            fits = fits and header.capacity == len(stream.boundaries) + 1
            state["boundaries"] = stream.boundaries
        if not fits:
            self.faults.report("series-state", header.offset)
            return None
        attributes = dictionary.attribute_set(header.attributes_ref, header.offset, self.faults)
        return Series(
            state.pop("time"), header.start_time, stream, (header.stream_ref, header.attributes_ref), attributes,
            bool(header.flags & FLAG_OVERFLOW), header.kind, state,
        )  # fmt: skip

    def _state(self, header: SeriesHeader) -> dict[str, Any] | None:
        """Time and value; None if nothing was measured, or the kind is of a later version."""
        if not GAUGE <= header.kind <= EXPONENTIAL:
            return None
        if header.version is None:
            self.faults.report("series-state", header.offset)
        if header.kind == SUM:
            raw = self._read(header, 64, 64)
            return self._sum(header, raw) if raw else None
        if not header.version:
            return None
        size = copy_size(header.kind, header.capacity)
        raw = self._read(header, 64 + (header.version & 1) * size, size)
        if raw is None:
            return None
        if header.kind == GAUGE:
            return self._gauge(header, raw)
        if header.kind == HISTOGRAM:
            return self._histogram(header, raw)
        return self._exponential(header, raw)

    def _read(self, header: SeriesHeader, at: int, length: int) -> bytes | None:
        raw = self.source.read(header.offset + at, length)
        if len(raw) < length:
            self.faults.report("unreadable", header.offset + at)
            return None
        return raw

    def _sum(self, header: SeriesHeader, raw: bytes) -> dict[str, Any] | None:
        int_value, double_value, seen, time = struct.unpack_from("<qdQQ", raw)
        if seen > VALUE_INT | VALUE_DOUBLE:
            self.faults.report("series-state", header.offset)
            return None
        values = {VALUE_INT: int_value, VALUE_DOUBLE: double_value}
        value = values.get(seen, float(int_value) + double_value)
        return {"time": time, "value": value} if seen else None

    def _gauge(self, header: SeriesHeader, raw: bytes) -> dict[str, Any] | None:
        time, bits, value_type = struct.unpack_from("<3Q", raw)
        if value_type not in (VALUE_INT, VALUE_DOUBLE):
            self.faults.report("series-state", header.offset)
            return None
        return {"time": time, "value": _signed(bits) if value_type == VALUE_INT else _double(bits)}

    def _histogram(self, header: SeriesHeader, raw: bytes) -> dict[str, Any]:
        time, total, least, greatest = struct.unpack_from("<Qddd", raw)
        buckets = list(struct.unpack_from(f"<{header.capacity}Q", raw, 32))
        count = min(sum(buckets), U64_MAX)
        return {
            "time": time,
            "count": count,
            "sum": total,
            "min": least if count else None,
            "max": greatest if count else None,
            "boundaries": [],
            "bucket_counts": buckets,
        }

    def _exponential(self, header: SeriesHeader, raw: bytes) -> dict[str, Any] | None:
        time, total, least, greatest, zeros, scale, positive, negative, positives, negatives = struct.unpack_from(
            "<QdddQiiiII", raw
        )
        capacity = header.capacity
        if not -10 <= scale <= 20 or positives > capacity or negatives > capacity:
            self.faults.report("series-state", header.offset)
            return None
        above = list(struct.unpack_from(f"<{positives}Q", raw, 64))
        below = list(struct.unpack_from(f"<{negatives}Q", raw, 64 + 8 * capacity))
        count = min(sum(above) + sum(below) + zeros, U64_MAX)
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


def _counts(state: dict[str, Any]) -> list[list[int]]:
    """The bucket counts in the state of a series."""
    signs = [state[sign] for sign in ("positive", "negative") if sign in state]
    return [holder["bucket_counts"] for holder in (state, *signs) if "bucket_counts" in holder]


def read_counters(source: Source, section: Section, faults: Faults) -> dict[int, list[int]]:
    """The counters of each signal, by their number."""
    length = 8 * 3 * COUNTER_SLOTS
    raw = source.read(section.offset, length)
    if len(raw) < length:
        faults.report("unreadable", section.offset)
        raw = raw[: len(raw) & ~7].ljust(length, b"\0")
    counters = struct.unpack(f"<{3 * COUNTER_SLOTS}Q", raw)
    return {signal: list(counters[COUNTER_SLOTS * (signal - 1) :][:COUNTER_SLOTS]) for signal in (1, 2, 3)}
