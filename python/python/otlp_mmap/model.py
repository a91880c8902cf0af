"""What a `Reader` returns: the telemetry of a recording as plain immutable objects.

Times are unix nanoseconds, ids are `bytes`, enumerations are OTLP's numbers. Attributes are dictionaries in the
order in which they were recorded, with `str`, `bool`, `int`, `float`, `bytes`, `None`, `list` and `dict` values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from .aggregation import Aggregation

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
"""An OTLP `AnyValue`; `None` is the empty one."""


class SpanKind(IntEnum):
    """OTLP's `SpanKind`."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """OTLP's `StatusCode`."""

    UNSET = 0
    OK = 1
    ERROR = 2


class _SpanIds(TypedDict):
    trace_id: bytes
    span_id: bytes


class SpanContext(_SpanIds, total=False):
    """The span that something belongs to, as `Writer` takes it: `trace_id`, `span_id`, and `flags` if not 0."""

    flags: int


@dataclass(frozen=True, slots=True)
class Resource:
    """What produced the telemetry."""

    attributes: dict[str, Value]
    schema_url: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope of a span, event or metric stream."""

    resource: Resource
    name: str
    version: str | None
    schema_url: str | None
    attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span."""

    time_unix_nano: int
    name: str
    attributes: dict[str, Value]
    dropped_attributes_count: int


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A link of a span to another one."""

    trace_id: bytes
    span_id: bytes
    trace_state: str
    flags: int
    attributes: dict[str, Value]
    dropped_attributes_count: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span; without an end time it is in flight, or was when its process died.

    `parent_span_id` is `None` for a root span. `truncated`: values were cut or left out so that the record fits.
    `spilled`: the table of spans in flight was full, and what was recorded later stood in process memory alone.
    """

    scope: Scope
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    trace_state: str
    flags: int
    name: str
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int | None
    attributes: dict[str, Value]
    dropped_attributes_count: int
    events: tuple[SpanEvent, ...]
    dropped_events_count: int
    links: tuple[SpanLink, ...]
    dropped_links_count: int
    status_code: int
    status_message: str
    truncated: bool
    spilled: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event: an OTLP log record. `trace_id` and `span_id` are `None` outside of a span; a time of 0 is unknown."""

    scope: Scope
    time_unix_nano: int
    observed_time_unix_nano: int
    severity_number: int
    severity_text: str
    event_name: str
    body: Value
    attributes: dict[str, Value]
    dropped_attributes_count: int
    flags: int
    trace_id: bytes | None
    span_id: bytes | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class MetricStream:
    """The definition of a metric stream."""

    scope: Scope
    name: str
    description: str
    unit: str
    aggregation: Aggregation


@dataclass(frozen=True, slots=True)
class NumberPoint:
    """The value of a gauge or sum."""

    value: int | float


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """The value of a histogram; there is one bucket count more than there are boundaries."""

    count: int
    sum: float
    min: float | None
    max: float | None
    bucket_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Buckets:
    """A run of exponential buckets: `counts[i]` is bucket number `offset + i`."""

    offset: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExponentialHistogramPoint:
    """The value of an exponential histogram; bucket `i` is `(base**i, base**(i+1)]`, `base = 2**(2**-scale)`."""

    count: int
    sum: float
    min: float | None
    max: float | None
    scale: int
    zero_count: int
    positive: Buckets
    negative: Buckets


Point: TypeAlias = NumberPoint | HistogramPoint | ExponentialHistogramPoint


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A measurement that was made inside of a span."""

    time_unix_nano: int
    value: int | float
    trace_id: bytes | None
    span_id: bytes | None
    filtered_attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Metric:
    """One series: a metric stream, an attribute set (sorted by key) and the cumulative value.

    `overflow`: the series takes what is over the stream's cardinality limit.
    """

    stream: MetricStream
    attributes: dict[str, Value]
    overflow: bool
    start_time_unix_nano: int
    time_unix_nano: int
    point: Point
    exemplars: tuple[Exemplar, ...]


@dataclass(frozen=True, slots=True)
class FileInfo:
    """The header of one file, and what became of its writer.

    `parent_file_id` is set in the file of a forked child. `state` is "alive", "closed" (in order), or "dead".
    """

    path: Path
    version: str
    file_id: bytes
    parent_file_id: bytes | None
    pid: int
    created_unix_nano: int
    state: Literal["alive", "closed", "dead"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One piece of damage that reading met and went past: where (offset in bytes), which rule, what was found."""

    path: Path
    offset: int
    rule: str
    detail: str
