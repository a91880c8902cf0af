"""A span for those who look at it: `ReadableSpan` and `Event`.

The functions at the end are called by the extension module.
"""

from __future__ import annotations

import json
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from time import time_ns
from types import MappingProxyType
from typing import Any

from opentelemetry import trace as trace_api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import Attributes

from .._shared_internal._exceptions import format_exception
from ..resources import Resource
from ..util import BoundedList, ns_to_iso_str
from ..util.instrumentation import InstrumentationInfo, InstrumentationScope


class EventBase(metaclass=ABCMeta):
    """Something with a name that happened at a time.

    Args:
        name: of the event.
        timestamp: unix nanoseconds; by default now.
    """

    def __init__(self, name: str, timestamp: int | None = None) -> None:
        self._name = name
        self._timestamp = time_ns() if timestamp is None else timestamp

    @property
    def name(self) -> str:
        """Of the event."""
        return self._name

    @property
    def timestamp(self) -> int:
        """When it happened, unix nanoseconds."""
        return self._timestamp

    @property
    @abstractmethod
    def attributes(self) -> Attributes:
        """Of the event."""


class Event(EventBase):
    """An event of a span. It cannot be changed.

    Args:
        name: of the event.
        attributes: of the event.
        timestamp: unix nanoseconds; by default now.
        limit: not used; kept because other implementations have it.
    """

    def __init__(
        self, name: str, attributes: Attributes = None, timestamp: int | None = None, limit: int | None = None
    ) -> None:
        del limit
        super().__init__(name, timestamp)
        self._attributes = attributes

    @property
    def attributes(self) -> Attributes:
        """Of the event."""
        return self._attributes

    @property
    def dropped_attributes(self) -> int:
        """Attributes that it left out."""
        return _dropped(self._attributes)


def _dropped(items: object) -> int:
    return items.dropped if isinstance(items, BoundedAttributes | BoundedList) else 0


class ReadableSpan(metaclass=ABCMeta):  # noqa: B024 - the native span is registered with it
    """A span that is only looked at, such as processors and exporters get when it has ended.

    Args:
        name: of the span.
        context: of the span.
        parent: context of the parent; None: a root span.
        resource: that it is of; by default the one of the environment.
        attributes: of the span.
        events: of the span.
        links: of the span.
        kind: of the span.
        instrumentation_info: deprecated; `instrumentation_scope`.
        status: of the span.
        start_time: unix nanoseconds.
        end_time: unix nanoseconds.
        instrumentation_scope: that it is of.
    """

    def __init__(
        self,
        name: str,
        context: SpanContext | None = None,
        parent: SpanContext | None = None,
        resource: Resource | None = None,
        attributes: Attributes = None,
        events: Sequence[Event] = (),
        links: Sequence[trace_api.Link] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        instrumentation_info: InstrumentationInfo | None = None,
        status: Status = Status(StatusCode.UNSET),  # noqa: B008 - it does not change
        start_time: int | None = None,
        end_time: int | None = None,
        instrumentation_scope: InstrumentationScope | None = None,
    ) -> None:
        self._name = name
        self._context = context
        self._parent = parent
        self._resource = Resource.create({}) if resource is None else resource
        self._attributes = attributes
        self._events = events
        self._links = links
        self._kind = kind
        self._instrumentation_info = instrumentation_info
        self._status = status
        self._start_time = start_time
        self._end_time = end_time
        self._instrumentation_scope = instrumentation_scope
        self._dropped: tuple[int, int, int] | None = None

    @property
    def name(self) -> str:
        """Of the span."""
        return self._name

    def get_span_context(self) -> SpanContext | None:
        """The span's context."""
        return self._context

    @property
    def context(self) -> SpanContext | None:
        """The span's context."""
        return self._context

    @property
    def parent(self) -> SpanContext | None:
        """Context of the parent; None: a root span."""
        return self._parent

    @property
    def kind(self) -> SpanKind:
        """Of the span."""
        return self._kind

    @property
    def start_time(self) -> int | None:
        """Unix nanoseconds."""
        return self._start_time

    @property
    def end_time(self) -> int | None:
        """Unix nanoseconds."""
        return self._end_time

    @property
    def status(self) -> Status:
        """Of the span."""
        return self._status

    @property
    def attributes(self) -> Attributes:
        """Of the span."""
        return MappingProxyType(self._attributes or {})

    @property
    def events(self) -> Sequence[Event]:
        """In their order."""
        return tuple(self._events)

    @property
    def links(self) -> Sequence[trace_api.Link]:
        """In their order."""
        return tuple(self._links)

    @property
    def dropped_attributes(self) -> int:
        """Attributes that the span left out."""
        return self._dropped[0] if self._dropped else _dropped(self._attributes)

    @property
    def dropped_events(self) -> int:
        """Events that the span left out."""
        return self._dropped[1] if self._dropped else _dropped(self._events)

    @property
    def dropped_links(self) -> int:
        """Links that the span left out."""
        return self._dropped[2] if self._dropped else _dropped(self._links)

    @property
    def resource(self) -> Resource:
        """That the span is of."""
        return self._resource

    @property
    def instrumentation_info(self) -> InstrumentationInfo | None:
        """Deprecated: `instrumentation_scope`."""
        return deprecated_info(self._instrumentation_info)

    @property
    def instrumentation_scope(self) -> InstrumentationScope | None:
        """That the span is of."""
        return self._instrumentation_scope

    def to_json(self, indent: int | None = 4) -> str:
        """The span as a JSON text."""
        status = {"status_code": self._status.status_code.name}
        if self._status.description:
            status["description"] = self._status.description
        span = {
            "name": self._name,
            "context": self._format_context(self._context) if self._context else None,
            "kind": str(self.kind),
            "parent_id": f"0x{trace_api.format_span_id(self.parent.span_id)}" if self.parent else None,
            "start_time": ns_to_iso_str(self._start_time) if self._start_time else None,
            "end_time": ns_to_iso_str(self._end_time) if self._end_time else None,
            "status": status,
            "attributes": self._format_attributes(self._attributes),
            "events": self._format_events(self._events),
            "links": self._format_links(self._links),
            "resource": json.loads(self.resource.to_json()),
        }
        return json.dumps(span, indent=indent)

    @staticmethod
    def _format_context(context: SpanContext) -> dict[str, str]:
        return {
            "trace_id": f"0x{trace_api.format_trace_id(context.trace_id)}",
            "span_id": f"0x{trace_api.format_span_id(context.span_id)}",
            "trace_state": repr(context.trace_state),
        }

    @staticmethod
    def _format_attributes(attributes: Attributes) -> dict[str, Any] | None:
        return None if attributes is None else dict(attributes)

    @classmethod
    def _format_events(cls, events: Iterable[Event]) -> list[dict[str, Any]]:
        return [
            {
                "name": event.name,
                "timestamp": ns_to_iso_str(event.timestamp),
                "attributes": cls._format_attributes(event.attributes),
            }
            for event in events
        ]

    @classmethod
    def _format_links(cls, links: Iterable[trace_api.Link]) -> list[dict[str, Any]]:
        return [
            {"context": cls._format_context(link.context), "attributes": cls._format_attributes(link.attributes)}
            for link in links
        ]


def _bounded(attributes: dict[str, Any], dropped: int) -> BoundedAttributes:
    """Clean attributes that cannot be changed, as the API's class."""
    bounded = BoundedAttributes()
    # They are clean: the class would look at each of them again.
    bounded._dict = attributes
    bounded.dropped = dropped
    return bounded


def make_event(name: str, attributes: dict[str, Any], timestamp: int, dropped: int) -> Event:
    """An event of a native span."""
    return Event(name, _bounded(attributes, dropped), timestamp)


def make_link(context: SpanContext, attributes: dict[str, Any], dropped: int) -> trace_api.Link:
    """A link of a native span."""
    return trace_api.Link(context, _bounded(attributes, dropped))


def make_readable(
    name: str,
    identity: tuple[SpanContext, SpanContext | None, SpanKind],
    content: tuple[dict[str, Any], Sequence[Event], Sequence[trace_api.Link]],
    times: tuple[int | None, int | None, Status],
    origin: tuple[Resource, InstrumentationScope, InstrumentationInfo],
    dropped: tuple[int, int, int],
) -> ReadableSpan:
    """What a native span is now."""
    context, parent, kind = identity
    attributes, events, links = content
    start_time, end_time, status = times
    resource, scope, info = origin
    span = ReadableSpan(
        name, context, parent, resource, attributes, events, links, kind, info, status, start_time, end_time, scope
    )
    span._dropped = dropped
    return span


def deprecated_info(info: InstrumentationInfo | None) -> InstrumentationInfo | None:
    """The instrumentation info, and a warning."""
    warnings.warn("Use instrumentation_scope; instrumentation_info is deprecated.", DeprecationWarning, stacklevel=3)
    return info


def exception_attributes(
    exception: BaseException, attributes: Mapping[str, Any] | None, escaped: bool
) -> dict[str, Any]:
    """The attributes of the event that an exception becomes; `attributes` are the caller's own."""
    module, name = type(exception).__module__, type(exception).__qualname__
    recorded: dict[str, Any] = {
        "exception.type": name if not module or module == "builtins" else f"{module}.{name}",
        "exception.message": str(exception),
        "exception.stacktrace": format_exception(type(exception), exception, exception.__traceback__),
        "exception.escaped": str(escaped),
    }
    recorded.update(attributes or {})
    return recorded
