"""What was read as JSON objects, with the keys of `otlp-mmap dump --format jsonl`."""

from __future__ import annotations

import base64
import datetime
import math
from typing import Any

from .cells import EXPONENTIAL, GAUGE, HISTOGRAM, SUM, U64_MAX
from .header import EVENTS, MEASUREMENTS, POLICIES, SIGNALS
from .items import SEVERITY_TEXT, TRACE_STATE
from .model import Event, Link, Measurement, Resource, Scope, Series, Span, SpanEvent, Value
from .recording import Recording

SCHEMA_VERSION = 1
EXEMPLARS_KEPT = 16
_SPAN_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUS = ("unset", "ok", "error")
_SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")
_METRIC_KINDS = {GAUGE: "gauge", SUM: "sum", HISTOGRAM: "histogram", EXPONENTIAL: "exponential_histogram"}
_LOST = {0: "discarded", 1: "block_timeout", 2: "no_space", 3: "busy", 4: "cells_full", 5: "invalid", 6: "closed",
         11: "definition_lost", 12: "exemplar_lost"}  # fmt: skip
_KEPT = {7: "truncated", 8: "dictionary_full", 9: "spilled", 10: "cardinality_overflow"}

Object = dict[str, Any]


def time_text(nanos: int | None) -> str | None:
    """RFC 3339 with nanoseconds; 0 is unknown."""
    if not nanos:
        return None
    seconds, rest = divmod(nanos, 10**9)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment.isoformat()}.{rest:09d}Z"


def value(found: Value) -> Any:
    """A value in JSON: bytes as base64, numbers that JSON does not have as text."""
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    if isinstance(found, float) and not math.isfinite(found):
        return "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"
    if isinstance(found, list):
        return [value(element) for element in found]
    if isinstance(found, dict):
        return {key: value(element) for key, element in found.items()}
    return found


def identity(raw: bytes) -> str | None:
    return raw.hex() if any(raw) else None


def _times(name: str, nanos: int) -> Object:
    return {name: time_text(nanos), f"{name}_unix_nano": nanos or None}


def _head(kind: str, time: int, resource: Resource) -> Object:
    service = resource.attributes.get("service.name")
    head: Object = {"schema_version": SCHEMA_VERSION, "type": kind, **_times("time", time)}
    head["service"] = service if isinstance(service, str) else None
    return head


def _tail(scope: Scope, file: str) -> Object:
    return {
        "resource": value(scope.resource.attributes),
        "scope": {
            "name": scope.name,
            "version": scope.version or None,
            "schema_url": scope.schema_url or None,
            "attributes": value(scope.attributes),
        },
        "file": file,
    }


def _span_event(found: SpanEvent) -> Object:
    return {
        **_times("time", found.time),
        "name": found.name,
        "attributes": value(found.attributes),
        "dropped_attributes_count": found.dropped_attributes,
    }


def _link(found: Link) -> Object:
    return {
        "trace_id": identity(found.trace_id),
        "span_id": identity(found.span_id),
        "trace_state": found.trace_state or None,
        "flags": found.flags,
        "attributes": value(found.attributes),
        "dropped_attributes_count": found.dropped_attributes,
    }


def span(found: Span, file: str) -> Object:
    contents = found.contents
    known = found.start_time and found.end_time
    code, message = contents.status
    return {
        **_head("span", found.start_time, found.scope.resource),
        **_times("end_time", found.end_time),
        "duration_nano": max(found.end_time - found.start_time, 0) if known else None,
        "in_flight": found.in_flight,
        "trace_id": identity(found.trace_id),
        "span_id": identity(found.span_id),
        "parent_span_id": identity(found.parent_span_id),
        "trace_state": contents.texts.get(TRACE_STATE) or None,
        "flags": found.flags,
        "name": found.name,
        "kind": _SPAN_KINDS[found.kind],
        "status": _STATUS[code],
        "status_message": message or None,
        "attributes": value(contents.attributes),
        "dropped_attributes_count": contents.dropped[0],
        "events": [_span_event(event) for event in contents.events],
        "dropped_events_count": contents.dropped[1],
        "links": [_link(link) for link in contents.links],
        "dropped_links_count": contents.dropped[2],
        "truncated": found.truncated,
        "incomplete": found.incomplete,
        **_tail(found.scope, file),
    }


def event_time(found: Event) -> int:
    """Its own time, else when it was seen."""
    return found.time or found.observed_time


def event(found: Event, file: str) -> Object:
    contents = found.contents
    number = found.severity_number
    return {
        **_head("event", event_time(found), found.scope.resource),
        **_times("observed_time", found.observed_time),
        "trace_id": identity(found.trace_id),
        "span_id": identity(found.span_id),
        "flags": found.flags,
        "event_name": found.name or None,
        "severity": _SEVERITIES[(number - 1) // 4] if number else None,
        "severity_number": number,
        "severity_text": contents.texts.get(SEVERITY_TEXT) or None,
        "body": value(contents.body),
        "attributes": value(contents.attributes),
        "dropped_attributes_count": contents.dropped[0],
        "truncated": found.truncated,
        **_tail(found.scope, file),
    }


def measurement(found: Measurement, file: str) -> Object:
    stream = found.stream
    return {
        **_head("measurement", found.time, stream.scope.resource),
        "trace_id": identity(found.trace_id),
        "span_id": identity(found.span_id),
        "name": stream.name,
        "unit": stream.unit or None,
        "value": value(found.value),
        "raw": found.raw,
        "attributes": value(found.attributes),
        "filtered_attributes": value(found.filtered_attributes),
        **_tail(stream.scope, file),
    }


def _exemplar(found: Measurement) -> Object:
    return {
        **_times("time", found.time),
        "value": value(found.value),
        "trace_id": identity(found.trace_id),
        "span_id": identity(found.span_id),
        "filtered_attributes": value(found.filtered_attributes),
    }


def metric(found: Series, exemplars: list[Measurement], file: str) -> Object:
    stream = found.stream
    kind: Object = {"kind": _METRIC_KINDS[found.kind]}
    if found.kind == SUM:
        kind["monotonic"] = stream.is_monotonic
    return {
        **_head("metric", found.time, stream.scope.resource),
        **_times("start_time", found.start_time),
        "name": stream.name,
        "description": stream.description or None,
        "unit": stream.unit or None,
        **kind,
        **value(found.state),
        "attributes": value(found.attributes),
        "overflow": found.overflow,
        "exemplars": [_exemplar(exemplar) for exemplar in exemplars],
        **_tail(stream.scope, file),
    }


def lines(recording: Recording, file: str) -> list[Object]:
    """Every record, ordered by time, then every series, ordered by time."""
    records = [(found.start_time, span(found, file)) for found in recording.spans + recording.spans_in_flight]
    records += [(event_time(found), event(found, file)) for found in recording.records[EVENTS]]
    exemplars: dict[tuple[int, int], list[Measurement]] = {}
    for found in recording.records[MEASUREMENTS]:
        records.append((found.time, measurement(found, file)))
        if not found.raw:
            exemplars.setdefault(found.series, []).append(found)
    metrics = []
    for series in recording.series:
        own = sorted(exemplars.get(series.key, ()), key=lambda found: found.time)[-EXEMPLARS_KEPT:]
        metrics.append((series.time, metric(series, own, file)))
    return [rendered for part in (records, metrics) for _, rendered in sorted(part, key=lambda pair: pair[0])]


def signal_summary(recording: Recording, signal: int) -> Object:
    pool = recording.pools[signal]
    lost = {name: recording.counters[signal][code] for code, name in _LOST.items()}
    lost["overwritten"] = pool.overwritten
    kept = {name: recording.counters[signal][code] for code, name in _KEPT.items()}
    return {
        "kept_by_reason": {name: kept[name] for name in sorted(kept) if kept[name]},
        "lost": min(sum(lost.values()), U64_MAX),
        "lost_by_reason": {name: lost[name] for name in sorted(lost) if lost[name]},
        "present": len(recording.records[signal]),
        "recorded": min(pool.recorded, U64_MAX),
    }


def _fill(recording: Recording) -> Object:
    header = recording.header
    fill: Object = {
        "active_blocks": {"total": header.sections[4, 0].entry_count, "used": recording.active_blocks_used},
        "backed_bytes": header.backed_word,
        "dictionary": {"total": header.sections[6, 0].length, "used": recording.dictionary_used},
        "metric_cells": {"total": header.sections[5, 0].length, "used": recording.cells_used},
    }
    for signal, name in SIGNALS.items():
        slots = recording.pools[signal].slots
        used = sum(slot.published for slot in slots)
        fill[name] = {
            "bytes": {"total": len(slots) * header.segment_size, "used": used},
            "segments": {"total": len(slots), "used": sum(1 for slot in slots if slot.generation)},
        }
    return dict(sorted(fill.items()))


def summary(recording: Recording) -> Object:
    """Identity, losses and state of the recording, and its faults."""
    header = recording.header
    signals = {name: signal_summary(recording, signal) for signal, name in SIGNALS.items()}
    return {
        "block_timeout_millis": header.block_timeout_millis,
        "cardinality_limit": header.cardinality_limit,
        "closed_unix_nano": header.closed_unix_nano if header.closed else None,
        "created_unix_nano": header.created_unix_nano,
        "dictionary_entries": recording.dictionary_entries,
        "faults": [{"offset": fault.offset, "rule": fault.rule} for fault in recording.faults],
        "file_id": header.file_id.hex(),
        "file_size": header.file_size,
        "fill": _fill(recording),
        "liveness": "closed" if header.closed else "dead",
        "metric_series": len(recording.series),
        "overflow_policy": POLICIES[header.overflow_policy],
        "parent_file_id": identity(header.parent_file_id),
        "pid": header.pid,
        "record_crc": header.record_crc,
        "segment_size": header.segment_size,
        "signals": dict(sorted(signals.items())),
        "spans_in_flight": len(recording.spans_in_flight),
        "type": "summary",
        "version": f"1.{header.version_minor}",
    }
