"""OTLP messages as plain items in which nothing differs from run to run: ids, times and places are named alike.

An item is `(what it is, {field: value})`. A span is named by the names of its ancestors, a number telling equal ones
apart; all that refers to a span (links, log records, exemplars) refers to this name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Items = dict[str, dict[str, Any]]

# What no two runs have the same, and what tells the SDK apart.
REPLACED = [
    (re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d+"), r"\1:PORT"),
    (re.compile(r"port=\d+"), "port=PORT"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"0x[0-9a-f]{6,}"), "ADDRESS"),
    (re.compile(r"gen\d+@"), "gen@"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+"), "TIME"),
]
NAMED = {"telemetry.sdk.name", "telemetry.sdk.version", "service.instance.id", "thread.id", "process.pid"}
PORTS = {"server.port", "net.peer.port", "net.host.port", "network.peer.port", "client.port"}
TIME_UNITS = {"s", "ms", "seconds"}

W3C_FLAGS = "flags of the W3C"


def value(message: AnyValue) -> Any:
    """A value, with its type."""
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value(inner) for inner in message.array_value.values]
    if kind == "kvlist_value":
        return {inner.key: value(inner.value) for inner in message.kvlist_value.values}
    if kind == "string_value":
        return text(message.string_value)
    if kind == "bytes_value":
        return f"bytes {message.bytes_value.hex()}"
    return f"{kind.removesuffix('_value')} {getattr(message, kind)!r}"


def text(found: str) -> str:
    """A text without what differs from run to run."""
    for pattern, name in REPLACED:
        found = pattern.sub(name, found)
    return found


def stacktrace(found: str) -> str:
    """A stack trace without the frames of an SDK or of the API, which are not the program's."""
    frames = re.compile(
        r'^( *)File "[^"]*/(?:opentelemetry/(?:sdk|trace|util|metrics)|otlp_mmap)/[^"]*".*\n(?:\1  .*\n)*', re.M
    )
    return text(frames.sub("", found))


def attributes(found: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by their keys; a key that is there twice would be seen."""
    entries: dict[str, Any] = {}
    for entry in found:
        key = entry.key if entry.key not in entries else f"{entry.key} again"
        if entry.key in NAMED or entry.key in PORTS:
            entries[key] = "NAMED"
        elif entry.key == "exception.stacktrace":
            entries[key] = stacktrace(entry.value.string_value)
        else:
            entries[key] = value(entry.value)
    return entries


def where(group: Any, inner: Any) -> dict[str, Any]:
    """Resource and scope."""
    return {
        "resource": attributes(group.resource.attributes),
        "resource.schema_url": group.schema_url,
        "scope": attributes(inner.scope.attributes),
        "scope.version": inner.scope.version,
        "scope.schema_url": inner.schema_url,
    }


class Spans:
    """The spans of a document, and their names."""

    def __init__(self, document: Any) -> None:
        self.found = {
            span.span_id: (where(group, inner) | {"scope.name": inner.scope.name}, span)
            for group in document.resource_spans
            for inner in group.scope_spans
            for span in inner.spans
        }
        self.children: dict[bytes, list[bytes]] = {}
        for identifier, (_, span) in self.found.items():
            parent = span.parent_span_id if span.parent_span_id in self.found else b""
            self.children.setdefault(parent, []).append(identifier)
        self.names: dict[bytes, str] = {}
        self.name_children(b"", "")

    def name_children(self, parent: bytes, prefix: str) -> None:
        """Names spans from their parent down. Equal siblings go by what is in and under them."""
        taken: dict[str, int] = {}
        for child in sorted(self.children.get(parent, []), key=self.content):
            name = self.found[child][1].name
            taken[name] = taken.get(name, 0) + 1
            self.names[child] = f"{prefix}{name}" if taken[name] == 1 else f"{prefix}{name} #{taken[name]}"
            self.name_children(child, self.names[child] + " > ")

    def content(self, identifier: bytes) -> str:
        """A digest of all of a span and of those under it, but what refers to others."""
        place, span = self.found[identifier]
        under = sorted(self.content(child) for child in self.children.get(identifier, []))
        own = {field: found for field, found in fields(span).items() if field != W3C_FLAGS}
        whole = json.dumps([place, own, under], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def context(self, trace_id: bytes, span_id: bytes) -> str:
        """A context: the name of the span, or the ids if it is none of these."""
        name = self.names.get(span_id)
        if name and trace_id == self.found[span_id][1].trace_id:
            return name
        return f"{trace_id.hex()}/{span_id.hex()}" if trace_id or span_id else ""

    def items(self) -> Items:
        """The spans as items."""
        return {f"span {self.names[identifier]}": self.item(identifier) for identifier in self.found}

    def item(self, identifier: bytes) -> dict[str, Any]:
        """A span."""
        place, span = self.found[identifier]
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        parent = self.found.get(span.parent_span_id)
        assert parent is None or parent[1].trace_id == span.trace_id
        links = [
            {
                "context": self.context(link.trace_id, link.span_id),
                "attributes": attributes(link.attributes),
                **flags(link.flags),
                "state": link.trace_state,
                "dropped": link.dropped_attributes_count,
            }
            for link in span.links
        ]
        remote = self.context(span.trace_id, span.parent_span_id) if span.parent_span_id and not parent else ""
        return place | fields(span) | {"links": links, "remote parent": remote}


def flags(found: int) -> dict[str, int]:
    """Flags of a span or link: those of OTLP, which say whether the parent is remote, and the W3C's."""
    return {"flags": found & ~0xFF, W3C_FLAGS: found & 0xFF}


def fields(span: Any) -> dict[str, Any]:
    """What is in a span alone."""
    return {
        "name": span.name,
        "kind": span.kind,
        "attributes": attributes(span.attributes),
        "events": [
            {
                "name": event.name,
                "attributes": attributes(event.attributes),
                "dropped": event.dropped_attributes_count,
            }
            for event in span.events
        ],
        "status": [span.status.code, text(span.status.message)],
        **flags(span.flags),
        "trace_state": span.trace_state,
        "dropped": [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count],
    }


def log_items(document: Any, spans: Spans) -> Items:
    """Log records, named by their scope, span and content; a number tells equal ones apart."""
    items: Items = {}
    for group in document.resource_logs:
        for inner in group.scope_logs:
            for record in sorted(
                inner.log_records, key=lambda found: (found.time_unix_nano, found.SerializeToString())
            ):
                assert record.observed_time_unix_nano
                item = where(group, inner) | {
                    "time": "program's"
                    if 0 < record.time_unix_nano < 1_700_000_001_000_000_000
                    else bool(record.time_unix_nano),
                    "severity": [record.severity_number, record.severity_text],
                    "event_name": record.event_name,
                    "body": value(record.body) if record.HasField("body") else None,
                    "attributes": attributes(record.attributes),
                    "dropped": record.dropped_attributes_count,
                    "flags": record.flags,
                    "context": spans.context(record.trace_id, record.span_id),
                }
                content = [item["severity"], item["event_name"], item["body"]]
                add(items, f"log {inner.scope.name}: {item['context']}: {json.dumps(content)}", item)
    return items


def add(items: Items, name: str, item: dict[str, Any]) -> None:
    """Adds an item under a name of its own."""
    number, unique = 1, name
    while unique in items:
        number += 1
        unique = f"{name} #{number}"
    items[unique] = item


def metric_items(document: Any, spans: Spans) -> Items:
    """Metrics and their points."""
    items: Items = {}
    for group in document.resource_metrics:
        for inner in group.scope_metrics:
            for metric in inner.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                foreign = inner.scope.name.startswith("opentelemetry.instrumentation")
                of_time = foreign and metric.unit in TIME_UNITS
                name = f"metric {inner.scope.name}: {metric.name}"
                described = {"unit": metric.unit, "description": metric.description, "kind": kind}
                described["temporality"] = getattr(data, "aggregation_temporality", None)
                described["monotonic"] = getattr(data, "is_monotonic", None)
                add(items, name, where(group, inner) | described)
                for point in data.data_points:
                    found = attributes(point.attributes)
                    item = POINTS[kind](point, of_time, spans)
                    if foreign:
                        # Of several measurements, chance and time say which is kept.
                        item["exemplars"] = bool(item["exemplars"])
                    add(items, f"{name} {json.dumps(found, sort_keys=True)}", item)
    return items


def number(point: Any, of_time: bool, spans: Spans) -> dict[str, Any]:
    """A point of a sum or gauge."""
    kind = point.WhichOneof("value")
    return common(point, spans) | {"value": kind if of_time else f"{kind} {getattr(point, kind)!r}"}


def histogram(point: Any, of_time: bool, spans: Spans) -> dict[str, Any]:
    """A point of a histogram. What was measured of time is left out."""
    found = common(point, spans) | {"count": point.count, "bounds": list(point.explicit_bounds)}
    if of_time:
        assert sum(point.bucket_counts) == point.count
        return found
    return found | extremes(point) | {"buckets": list(point.bucket_counts)}


def exponential(point: Any, of_time: bool, spans: Spans) -> dict[str, Any]:
    """A point of an exponential histogram. Empty buckets at the ends do not matter."""
    assert not of_time, "nobody measures time so by default"
    sides = {"positive": buckets(point.positive), "negative": buckets(point.negative)}
    counts = {"count": point.count, "zero": [point.zero_count, point.zero_threshold], "scale": point.scale}
    return common(point, spans) | extremes(point) | counts | sides


def buckets(side: Any) -> dict[int, int]:
    """The counts by the indexes of their buckets."""
    return {side.offset + index: count for index, count in enumerate(side.bucket_counts) if count}


def extremes(point: Any) -> dict[str, Any]:
    """Sum, smallest and largest."""
    names = ("sum", "min", "max")
    return {name: getattr(point, name) if point.HasField(name) else None for name in names}


def common(point: Any, spans: Spans) -> dict[str, Any]:
    """What every point has."""
    assert point.start_time_unix_nano <= point.time_unix_nano
    return {
        "started": bool(point.start_time_unix_nano),
        "flags": point.flags,
        "exemplars": sorted(exemplars(point, spans), key=repr),
    }


def exemplars(point: Any, spans: Spans) -> Iterator[list[Any]]:
    """The exemplars of a point."""
    for exemplar in point.exemplars:
        kind = exemplar.WhichOneof("value")
        context = spans.context(exemplar.trace_id, exemplar.span_id)
        yield [f"{kind} {getattr(exemplar, kind)!r}", attributes(exemplar.filtered_attributes), context]


POINTS: dict[str, Callable[[Any, bool, Spans], dict[str, Any]]] = {
    "gauge": number,
    "sum": number,
    "histogram": histogram,
    "exponential_histogram": exponential,
}
