"""Reads a whole recording whose writer is closed or dead (SPEC.md, section 13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .active import ActiveReader
from .cells import CellsReader, read_counters
from .dictionary import Dictionary
from .faults import Fault, Faults
from .header import (
    ACTIVE_SPANS,
    COUNTERS,
    METRIC_CELLS,
    SIGNALS,
    SPANS,
    STATE_CLOSED,
    STATE_OFFSET,
    Header,
    read_header,
)  # fmt: skip
from .model import Event, Measurement, Series, Span
from .records import RecordParser
from .segments import Pool, PoolReader, Record
from .source import Source
from .zeros import Zeros


@dataclass
class Recording:
    """All that is readable of a recording, and what is wrong with it."""

    header: Header
    spans_in_flight: list[Span] = field(default_factory=list)
    records: dict[int, list[Any]] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    pools: dict[int, Pool] = field(default_factory=dict)
    counters: dict[int, list[int]] = field(default_factory=dict)
    dictionary_entries: int = 0
    dictionary_used: int = 0
    cells_used: int = 0
    active_blocks_used: int = 0
    order_matters: bool = False
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0

    @property
    def spans(self) -> list[Span]:
        return self.records[SPANS]


def read(source: Source, boot_id: bytes, kept_faults: int = 1000) -> Recording:
    """Reads a recording on a machine with this boot id. Raises `RefusedError` if nothing in it can be found."""
    header = read_header(source)
    faults = Faults(kept_faults)
    if header.state not in (1, STATE_CLOSED):
        faults.report("file-state", STATE_OFFSET)
    same_boot = any(header.boot_id) and header.boot_id == boot_id
    salvage = not same_boot
    mode = "published" if same_boot else "closed" if header.closed else "salvage"
    recording = Recording(header)
    recording.counters = read_counters(source, header.sections[COUNTERS, 0], faults)
    dictionary = Dictionary(source, header, salvage, faults)
    recording.dictionary_entries = dictionary.verify(faults)
    active = ActiveReader(source, header.sections[ACTIVE_SPANS, 0], salvage, faults)
    in_flight = active.read(dictionary)
    parser = RecordParser(dictionary, faults, Zeros(source))
    for signal in SIGNALS:
        _read_pool(recording, source, signal, mode, parser, faults)
    ended = {(span.trace_id, span.span_id) for span in recording.spans}
    recording.spans_in_flight = [span for span in in_flight if (span.trace_id, span.span_id) not in ended]
    cells = CellsReader(source, header.sections[METRIC_CELLS, 0], salvage, faults)
    recording.series = cells.read(dictionary)
    recording.dictionary_used, recording.cells_used = dictionary.used, cells.used
    recording.order_matters = dictionary.overlapping or dictionary.gave_up
    recording.active_blocks_used = active.used_blocks
    if source.size() < header.file_size and "unreadable" not in {fault.rule for fault in faults.kept}:
        faults.report("unreadable", source.size())
    recording.faults, recording.fault_count = faults.kept, faults.count
    return recording


def _read_pool(
    recording: Recording, source: Source, signal: int, mode: str, parser: RecordParser, faults: Faults
) -> None:
    found: list[Span | Event | Measurement] = []

    def parse(record: Record, base: int) -> None:
        parsed = parser.parse(signal, record, base)
        if parsed is not None:
            found.append(parsed)

    recording.pools[signal] = PoolReader(source, recording.header, signal, faults).read(mode, parse)
    recording.records[signal] = found
