"""What is read out of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = str | bool | int | float | bytes | list[Any] | dict[str, Any] | None
Attributes: TypeAlias = dict[str, Any]


@dataclass
class Resource:
    attributes: Attributes = field(default_factory=dict)
    schema_url: str = ""


@dataclass
class Scope:
    name: str = ""
    version: str = ""
    schema_url: str = ""
    attributes: Attributes = field(default_factory=dict)
    resource: Resource = field(default_factory=Resource)


@dataclass
class Stream:
    """The definition of a metric stream."""

    scope: Scope
    aggregation: int
    is_monotonic: bool
    name: str = ""
    description: str = ""
    unit: str = ""
    boundaries: list[float] = field(default_factory=list)


@dataclass
class SpanEvent:
    time: int
    name: str
    attributes: Attributes
    dropped_attributes: int


@dataclass
class Link:
    trace_id: bytes
    span_id: bytes
    flags: int
    trace_state: str
    attributes: Attributes
    dropped_attributes: int


@dataclass
class Contents:
    """What the items of a record or definition say, the later ones over the earlier ones."""

    attributes: Attributes = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    status: tuple[int, str] = (0, "")
    events: list[SpanEvent] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    dropped: list[int] = field(default_factory=lambda: [0, 0, 0])
    body: Value = None
    boundaries: list[float] = field(default_factory=list)


@dataclass
class Span:
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    start_time: int
    end_time: int
    scope: Scope
    flags: int
    name: str
    kind: int
    contents: Contents
    truncated: bool
    in_flight: bool = False
    incomplete: bool = False


@dataclass
class Event:
    time: int
    observed_time: int
    trace_id: bytes
    span_id: bytes
    scope: Scope
    name: str
    severity_number: int
    flags: int
    contents: Contents
    truncated: bool


@dataclass
class Measurement:
    time: int
    trace_id: bytes
    span_id: bytes
    stream: Stream
    series: tuple[int, int]
    attributes: Attributes
    value: int | float
    raw: bool
    filtered_attributes: Attributes


@dataclass
class Series:
    """A series with its value; `state` has the keys of its kind."""

    time: int
    start_time: int
    stream: Stream
    key: tuple[int, int]
    attributes: Attributes
    overflow: bool
    kind: int
    state: dict[str, Any]
