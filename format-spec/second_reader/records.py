"""The bodies of records (SPEC.md, 5.4 to 5.7)."""

from __future__ import annotations

import struct

from .dictionary import Dictionary
from .faults import Faults
from .header import EVENTS, MEASUREMENTS, SPANS
from .items import (
    BODY,
    DROPPED,
    LINK,
    NAME,
    SEVERITY_TEXT,
    SPAN_EVENT,
    STATUS,
    TRACE_STATE,
    ItemParser,
    Region,
    region_at,
)  # fmt: skip
from .model import Contents, Event, Measurement, Span
from .segments import HEADER_SIZE, Record
from .zeros import Zeros

SPAN_BODY, EVENT_BODY, MEASUREMENT_BODY = 56, 48, 48
_BODIES = {SPANS: SPAN_BODY, EVENTS: EVENT_BODY, MEASUREMENTS: MEASUREMENT_BODY}
_SPAN_ITEMS = frozenset((NAME, TRACE_STATE, STATUS, SPAN_EVENT, LINK, DROPPED))
_EVENT_ITEMS = frozenset((NAME, BODY, SEVERITY_TEXT, DROPPED))
_NO_ITEMS: frozenset[int] = frozenset()
FLAG_TRUNCATED = 1
FLAG_DOUBLE = 1
FLAG_RAW = 2


class RecordParser:
    """Turns whole records into spans, events and measurements."""

    def __init__(self, dictionary: Dictionary, faults: Faults, zeros: Zeros) -> None:
        self.dictionary = dictionary
        self.faults = faults
        self.zeros = zeros

    def parse(self, signal: int, record: Record, base: int) -> Span | Event | Measurement | None:
        """What a record of this pool holds; `base` is the offset of its segment."""
        offset = base + record.at
        if record.type not in _BODIES:
            return None
        if record.type != signal or record.length < HEADER_SIZE + _BODIES[signal]:
            self.faults.report("record-body", offset)
            return None
        if not self.zeros.keep(record.data):
            self.faults.report("record-body", offset)
            return None
        region = region_at(record.data, offset)
        truncated = bool(record.flags & FLAG_TRUNCATED)
        if signal == SPANS:
            return self.span(region, HEADER_SIZE, record.time, truncated)
        if signal == EVENTS:
            return self.event(region, record.time, truncated)
        return self.measurement(region, record.time)

    def name(self, contents: Contents, reference: int, parser: ItemParser) -> str:
        if NAME in contents.texts:
            return contents.texts[NAME]
        if reference == 0:
            return ""
        return parser.string(reference, 0) or ""

    def in_range(self, number: int, greatest: int, place: int) -> int:
        if number <= greatest:
            return number
        self.faults.report("record-body", place)
        return 0

    def parser(self, region: Region) -> ItemParser:
        return ItemParser(region, self.dictionary, self.faults)

    def span(self, region: Region, at: int, end_time: int, truncated: bool) -> Span:
        """A span whose body stands at `at` of the region."""
        place = region.where(0)
        trace_id, span_id, parent, start, scope_ref, flags, name_ref, kind = struct.unpack_from(
            "<16s8s8sQ4I", region.data, at
        )
        parser = self.parser(region)
        contents = parser.contents(at + SPAN_BODY, _SPAN_ITEMS)
        name = self.name(contents, name_ref, parser)
        if not any(trace_id) or not any(span_id):
            self.faults.report("record-body", place)
        scope = self.dictionary.scope(scope_ref, place, self.faults)
        kind = self.in_range(kind, 5, place)
        return Span(
            trace_id, span_id, parent, start, end_time, scope, flags, name, kind, contents, truncated
        )  # fmt: skip

    def event(self, region: Region, time: int, truncated: bool) -> Event:
        place = region.where(0)
        observed, trace_id, span_id, scope_ref, name_ref, severity, flags = struct.unpack_from(
            "<Q16s8s4I", region.data, HEADER_SIZE
        )
        parser = self.parser(region)
        contents = parser.contents(HEADER_SIZE + EVENT_BODY, _EVENT_ITEMS)
        name = self.name(contents, name_ref, parser)
        scope = self.dictionary.scope(scope_ref, place, self.faults)
        severity = self.in_range(severity, 24, place)
        return Event(
            time, observed, trace_id, span_id, scope, name, severity, flags, contents, truncated
        )  # fmt: skip

    def measurement(self, region: Region, time: int) -> Measurement | None:
        place = region.where(0)
        trace_id, span_id, stream_ref, attributes_ref, bits, flags = struct.unpack_from(
            "<16s8sIIQI", region.data, HEADER_SIZE
        )
        contents = self.parser(region).contents(HEADER_SIZE + MEASUREMENT_BODY, _NO_ITEMS)
        stream = self.dictionary.stream(stream_ref, place, self.faults)
        if stream is None:
            return None
        attributes = self.dictionary.attribute_set(attributes_ref, place, self.faults)
        value = struct.unpack("<d" if flags & FLAG_DOUBLE else "<q", bits.to_bytes(8, "little"))[0]
        return Measurement(
            time, trace_id, span_id, stream, (stream_ref, attributes_ref), attributes, value,
            bool(flags & FLAG_RAW), contents.attributes,
        )  # fmt: skip
