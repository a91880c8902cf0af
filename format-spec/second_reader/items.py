"""Items: attributes, values and everything else of variable length (SPEC.md, section 6)."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .faults import Faults
from .model import Attributes, Contents, Link, SpanEvent, Value

if TYPE_CHECKING:
    from .dictionary import Dictionary

EMPTY, STRING, BOOL, INT, DOUBLE, BYTES, ARRAY, MAP = range(8)
(NAME, TRACE_STATE, STATUS, SPAN_EVENT, LINK, DROPPED, BODY, SEVERITY_TEXT, VERSION, SCHEMA_URL, DESCRIPTION, UNIT,
 BOUNDARIES, CARDINALITY_LIMIT) = range(32, 46)  # fmt: skip
TRUNCATED = 0x80
MAX_DEPTH = 32
U32_MAX = 0xFFFFFFFF
MAX_EXPANSION = 1 << 24
_TEXTS = frozenset((NAME, TRACE_STATE, SEVERITY_TEXT, VERSION, SCHEMA_URL, DESCRIPTION, UNIT))


def align8(n: int) -> int:
    return n + 7 & ~7


class Region(NamedTuple):
    """Bytes to parse, and the offset in the file of each of them."""

    data: bytes
    where: Callable[[int], int]


def region_at(data: bytes, offset: int) -> Region:
    """Bytes that lie one after another in the file from `offset` on."""
    return Region(data, lambda at: offset + at)


class Item(NamedTuple):
    at: int
    tag: int
    reference: int
    end: int


class Owner:
    """What an attribute list belongs to, and how many attributes it lost."""

    def __init__(self) -> None:
        self.dropped = 0


class ItemParser:
    """Parses the items of one region."""

    def __init__(self, region: Region, dictionary: Dictionary, faults: Faults) -> None:
        self.data = region.data
        self.where = region.where
        self.dictionary = dictionary
        self.faults = faults
        self.expanded = 0

    def fault(self, rule: str, at: int) -> None:
        self.faults.report(rule, self.where(at))

    def items(self, at: int, end: int) -> Iterator[Item]:
        """The items of a list; a broken one ends it."""
        while at < end:
            if end - at < 8:
                self.fault("item-length", at)
                return
            word, reference = struct.unpack_from("<II", self.data, at)
            length = word >> 8
            if length < 8 or length > end - at:
                self.fault("item-length", at)
                return
            yield Item(at, word & ~TRUNCATED & 0xFF, reference, at + length)
            at += align8(length)

    def text(self, start: int, end: int, at: int) -> str:
        """UTF-8 of an item that starts at `at`."""
        raw = bytes(self.data[start:end])
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.fault("utf-8", at)
            return raw.decode(errors="replace")

    def string(self, reference: int, at: int) -> str | None:
        """The dictionary string that the item at `at` names, unless the texts of all items so far are too large."""
        text = self.dictionary.string(reference, self.where(at), self.faults)
        if text is None:
            return None
        before = self.expanded
        self.expanded += len(text) if text.isascii() else len(text.encode())
        if self.expanded <= MAX_EXPANSION:
            return text
        if before <= MAX_EXPANSION:
            self.fault("reference", at)
        return None

    # Attributes and values

    def attributes(self, at: int, end: int, depth: int, owner: Owner) -> Attributes:
        """A list of attributes alone: of a span event, a link, a map."""
        found: Attributes = {}
        for item in self.items(at, end):
            if item.tag < 32:
                self.attribute(item, found, depth, owner)
            elif item.tag <= CARDINALITY_LIMIT:
                self.fault("item-payload", item.at)
        return found

    def attribute(self, item: Item, into: Attributes, depth: int, owner: Owner) -> None:
        if item.tag > MAP:
            return
        if item.reference:
            key = self.string(item.reference, item.at)
            if key is None:
                owner.dropped += 1
                return
            start = item.at + 8
        else:
            if item.end - item.at < 16:
                self.fault("item-length", item.at)
                return
            (length,) = struct.unpack_from("<I", self.data, item.at + 8)
            if length > item.end - item.at - 16:
                self.fault("item-length", item.at)
                return
            key = self.text(item.at + 16, item.at + 16 + length, item.at)
            start = item.at + align8(16 + length)
        into[key] = self.value(item, min(start, item.end), depth)

    def value(self, item: Item, start: int, depth: int) -> Value:
        """The value of an item whose payload behind the key is `start..item.end`."""
        if item.tag == STRING:
            return self.text(start, item.end, item.at)
        if item.tag == BYTES:
            return bytes(self.data[start : item.end])
        if item.tag in (ARRAY, MAP):
            return self.nested(item, start, depth)
        return self.scalar(item, start)

    def scalar(self, item: Item, start: int) -> Value:
        length = item.end - start
        if item.tag == EMPTY:
            if length:
                self.fault("item-payload", item.at)
            return None
        if length < (1 if item.tag == BOOL else 8):
            self.fault("item-payload", item.at)
            return None
        if item.tag == INT:
            return int(struct.unpack_from("<q", self.data, start)[0])
        if item.tag == DOUBLE:
            return float(struct.unpack_from("<d", self.data, start)[0])
        byte = self.data[start]
        if byte > 1:
            self.fault("item-payload", item.at)
        return byte != 0

    def nested(self, item: Item, start: int, depth: int) -> Value:
        if depth >= MAX_DEPTH and start < item.end:
            self.fault("value-depth", item.at)
            start = item.end
        if item.tag == MAP:
            return self.attributes(start, item.end, depth + 1, Owner())
        return [self.bare(element, depth + 1) for element in self.items(start, item.end)]

    def bare(self, item: Item, depth: int) -> Value:
        """A value without a key: an element of an array, or a body."""
        if item.tag > MAP:
            if NAME <= item.tag <= BOUNDARIES:
                self.fault("item-payload", item.at)
            return None
        if item.reference:
            self.fault("item-payload", item.at)
        return self.value(item, item.at + 8, depth)

    # The items of a record or a definition

    def contents(self, at: int, allowed: frozenset[int]) -> Contents:
        """All items from `at` to the end. Attributes are always allowed."""
        found = Contents()
        owner = Owner()
        for item in self.items(at, len(self.data)):
            if item.tag < 32:
                self.attribute(item, found.attributes, 1, owner)
            elif item.tag in allowed:
                self.tagged(item, found)
            elif item.tag <= BOUNDARIES:
                self.fault("item-payload", item.at)
        found.dropped[0] = min(found.dropped[0] + owner.dropped, U32_MAX)
        return found

    def tagged(self, item: Item, into: Contents) -> None:
        if item.tag in _TEXTS:
            into.texts[item.tag] = self.text_item(item)
        elif item.tag == STATUS:
            self.status(item, into)
        elif item.tag == SPAN_EVENT:
            self.span_event(item, into)
        elif item.tag == LINK:
            self.link(item, into)
        elif item.tag == DROPPED:
            self.dropped(item, into)
        elif item.tag == BODY:
            into.body = self.body(item)
        elif item.tag == BOUNDARIES:
            self.boundaries(item, into)

    def text_item(self, item: Item) -> str:
        if item.reference:
            return self.string(item.reference, item.at) or ""
        return self.text(item.at + 8, item.end, item.at)

    def too_short(self, item: Item, size: int) -> bool:
        short = item.end - item.at < 8 + size
        if short:
            self.fault("item-payload", item.at)
        return short

    def status(self, item: Item, into: Contents) -> None:
        if self.too_short(item, 8):
            return
        (code,) = struct.unpack_from("<I", self.data, item.at + 8)
        if code > 2:
            self.fault("item-payload", item.at)
            code = 0
        into.status = code, self.text(item.at + 16, item.end, item.at)

    def span_event(self, item: Item, into: Contents) -> None:
        if self.too_short(item, 16):
            return
        time, dropped, length = struct.unpack_from("<QII", self.data, item.at + 8)
        start = item.at + 24
        if length > item.end - start:
            self.fault("item-length", item.at)
            return
        name = self.text(start, start + length, item.at)
        if item.reference:
            name = self.string(item.reference, item.at) or ""
        attributes, dropped = self.inner(item, start + align8(length), dropped)
        into.events.append(SpanEvent(time, name, attributes, dropped))

    def link(self, item: Item, into: Contents) -> None:
        if self.too_short(item, 40):
            return
        trace_id, span_id, flags, dropped, length = struct.unpack_from("<16s8sIII", self.data, item.at + 8)
        start = item.at + 48
        if length > item.end - start:
            self.fault("item-length", item.at)
            return
        trace_state = self.text(start, start + length, item.at)
        attributes, dropped = self.inner(item, start + align8(length), dropped)
        into.links.append(Link(trace_id, span_id, flags, trace_state, attributes, dropped))

    def inner(self, item: Item, start: int, dropped: int) -> tuple[Attributes, int]:
        owner = Owner()
        attributes = self.attributes(start, item.end, 1, owner)
        return attributes, min(dropped + owner.dropped, U32_MAX)

    def dropped(self, item: Item, into: Contents) -> None:
        if self.too_short(item, 16):
            return
        for i, number in enumerate(struct.unpack_from("<3I", self.data, item.at + 8)):
            into.dropped[i] = min(into.dropped[i] + number, U32_MAX)

    def body(self, item: Item) -> Value:
        for inner in self.items(item.at + 8, item.end):
            return self.bare(inner, 1)
        return None

    def boundaries(self, item: Item, into: Contents) -> None:
        raw = self.data[item.at + 8 : item.end]
        bounds = [bound for (bound,) in struct.iter_unpack("<d", raw[: len(raw) & ~7])]
        rising = all(a < b for a, b in itertools.pairwise(bounds))
        if len(raw) % 8 or not rising or not all(map(math.isfinite, bounds)):
            self.fault("item-payload", item.at)
            bounds = []
        into.boundaries = bounds
