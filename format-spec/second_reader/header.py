"""Header page and section table (SPEC.md, section 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from .crc32c import crc32c
from .source import Source

PAGE = 4096
MAGIC = b"\x89OTM\r\n\x1a\n"
BYTE_ORDER = 0x0A0B0C0D
HEADER_CRC_OFFSET = 2044
STATE_OFFSET = 2048
SECTIONS_OFFSET = 1024
MAX_SECTIONS = 24
MAX_SEGMENT_SIZE = 8 << 20
MAX_SEGMENT_COUNT = 65536
STATE_CLOSED = 2
POLICIES = {1: "overwrite_oldest", 2: "discard_newest", 3: "block"}

COUNTERS, SEGMENT_TABLE, SEGMENTS, ACTIVE_SPANS, METRIC_CELLS, DICTIONARY = range(1, 7)
SPANS, EVENTS, MEASUREMENTS = range(1, 4)
SIGNALS = {SPANS: "spans", EVENTS: "events", MEASUREMENTS: "measurements"}
_ENTRY_SIZES = {COUNTERS: 8, SEGMENT_TABLE: 64, ACTIVE_SPANS: 256, METRIC_CELLS: 0, DICTIONARY: 0}


class RefusedError(Exception):
    """The file is no recording that this reader can read."""


class Section(NamedTuple):
    """An entry of the section table."""

    kind: int
    signal: int
    offset: int
    length: int
    entry_size: int
    entry_count: int

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass
class Header:
    """What the header page says. The sections have been checked."""

    version_minor: int
    file_size: int
    file_id: bytes
    boot_id: bytes
    pid: int
    created_unix_nano: int
    segment_size: int
    overflow_policy: int
    block_timeout_millis: int
    cardinality_limit: int
    record_crc: bool
    parent_file_id: bytes
    state: int
    closed_unix_nano: int
    backed_word: int
    sections: dict[tuple[int, int], Section] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        return self.state == STATE_CLOSED

    @property
    def key(self) -> int:
        """The key of every record check."""
        return int.from_bytes(self.file_id[:8], "little")


def read_header(source: Source) -> Header:
    """Reads and checks the header page. Raises `RefusedError`."""
    page = source.read(0, PAGE)
    if len(page) < PAGE:
        raise RefusedError("shorter than the header page")
    if page[:8] != MAGIC:
        raise RefusedError("no recording: the magic is missing")
    byte_order, major, minor = struct.unpack_from("<IHH", page, 8)
    if byte_order != BYTE_ORDER:
        raise RefusedError("of a foreign byte order")
    if major != 1:
        raise RefusedError(f"of major version {major}")
    if struct.unpack_from("<I", page, HEADER_CRC_OFFSET)[0] != crc32c(page[:HEADER_CRC_OFFSET]):
        raise RefusedError("the CRC of the header does not fit")
    if struct.unpack_from("<Q", page, 136)[0] != 0:
        raise RefusedError("needs features that this reader does not know")
    header = _fields(page, minor)
    _check_fields(page, header)
    return header


def _fields(page: bytes, minor: int) -> Header:
    file_size, file_id, boot_id, pid = struct.unpack_from("<Q16s16sI", page, 144)
    (created,) = struct.unpack_from("<Q", page, 208)
    segment_size, policy, timeout, cardinality, record_crc = struct.unpack_from("<5I", page, 224)
    state, closed_at, backed_word = struct.unpack_from("<3Q", page, STATE_OFFSET)
    if record_crc > 1:
        raise RefusedError("record_crc is neither 0 nor 1")
    return Header(
        minor, file_size, file_id, boot_id, pid, created, segment_size, policy, timeout, cardinality,
        record_crc == 1, page[248:264], state, closed_at, backed_word,
    )  # fmt: skip


def _check_fields(page: bytes, header: Header) -> None:
    size = header.segment_size
    if size % PAGE or not PAGE <= size <= MAX_SEGMENT_SIZE:
        raise RefusedError("segment_size out of range")
    if header.overflow_policy not in POLICIES:
        raise RefusedError("unknown overflow policy")
    (section_count,) = struct.unpack_from("<I", page, 188)
    if section_count > MAX_SECTIONS:
        raise RefusedError("too many sections")
    table = [Section(*struct.unpack_from("<IIQQII", page, SECTIONS_OFFSET + 32 * i)) for i in range(section_count)]
    _check_places(table, header.file_size)
    for section in table:
        _take_section(section, header)
    _check_complete(header)


def _check_places(table: list[Section], file_size: int) -> None:
    for number, section in enumerate(table):
        if section.offset % PAGE or section.offset < PAGE:
            raise RefusedError("a section is not aligned")
        if section.end > file_size:
            raise RefusedError("a section ends past the file")
        if any(section.offset < other.end and other.offset < section.end for other in table[:number]):
            raise RefusedError("sections overlap")


def _take_section(section: Section, header: Header) -> None:
    pooled = section.kind in (SEGMENT_TABLE, SEGMENTS)
    known = section.signal in SIGNALS if pooled else section.signal == 0
    if not COUNTERS <= section.kind <= DICTIONARY or not known:
        return
    entry_size = _ENTRY_SIZES.get(section.kind, header.segment_size)
    if section.entry_size != entry_size or section.entry_size * section.entry_count > section.length:
        raise RefusedError("a section's entries have the wrong size")
    if section.kind in (METRIC_CELLS, DICTIONARY) and section.length < 64:
        raise RefusedError("a section has no room for its header")
    if section.kind == COUNTERS and section.entry_count < 48:
        raise RefusedError("counters are missing")
    if pooled and section.entry_count > MAX_SEGMENT_COUNT:
        raise RefusedError("a pool has too many segments")
    if (section.kind, section.signal) in header.sections:
        raise RefusedError("a section is there twice")
    header.sections[section.kind, section.signal] = section


def _check_complete(header: Header) -> None:
    for kind in (COUNTERS, ACTIVE_SPANS, METRIC_CELLS, DICTIONARY):
        if (kind, 0) not in header.sections:
            raise RefusedError("a section is missing")
    for signal in SIGNALS:
        table = header.sections.get((SEGMENT_TABLE, signal))
        segments = header.sections.get((SEGMENTS, signal))
        if table is None or segments is None:
            raise RefusedError("a section is missing")
        if table.entry_count != segments.entry_count:
            raise RefusedError("the sections of a pool differ in their number of entries")
