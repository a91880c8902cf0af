"""How many attributes, events and links a span takes."""

from __future__ import annotations

from .._shared_internal import UNSET_LIMIT, environment_limit
from ..environment_variables import (
    OTEL_ATTRIBUTE_COUNT_LIMIT,
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT,
    OTEL_LINK_ATTRIBUTE_COUNT_LIMIT,
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT,
    OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_SPAN_EVENT_COUNT_LIMIT,
    OTEL_SPAN_LINK_COUNT_LIMIT,
)

DEFAULT_COUNT = 128


class SpanLimits:
    """The limits of a provider's spans. What is over a limit is left out and counted.

    A limit that is not given comes from its environment variable; one that is not there either, from the limit for
    all attributes, and then it is 128, or none for lengths. A variable that is set to nothing is no limit.

    Args:
        max_attributes: of spans, events and links (`OTEL_ATTRIBUTE_COUNT_LIMIT`).
        max_events: of a span (`OTEL_SPAN_EVENT_COUNT_LIMIT`).
        max_links: of a span (`OTEL_SPAN_LINK_COUNT_LIMIT`).
        max_span_attributes: of a span (`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`).
        max_event_attributes: of an event (`OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`).
        max_link_attributes: of a link (`OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`).
        max_attribute_length: characters of a text in an attribute (`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`).
        max_span_attribute_length: the same for a span's own attributes (`OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`).

    Each is a number from 0, None (not given), or `SpanLimits.UNSET` (no limit).

    Raises:
        ValueError: a limit or a variable is no such number.
    """

    UNSET = UNSET_LIMIT

    def __init__(
        self,
        max_attributes: int | None = None,
        max_events: int | None = None,
        max_links: int | None = None,
        max_span_attributes: int | None = None,
        max_event_attributes: int | None = None,
        max_link_attributes: int | None = None,
        max_attribute_length: int | None = None,
        max_span_attribute_length: int | None = None,
    ) -> None:
        limit = environment_limit
        self.max_events = limit(max_events, OTEL_SPAN_EVENT_COUNT_LIMIT, DEFAULT_COUNT)
        self.max_links = limit(max_links, OTEL_SPAN_LINK_COUNT_LIMIT, DEFAULT_COUNT)
        everywhere = limit(max_attributes, OTEL_ATTRIBUTE_COUNT_LIMIT)
        count = DEFAULT_COUNT if everywhere is None else everywhere
        self.max_attributes = count
        self.max_span_attributes = limit(max_span_attributes, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, count)
        self.max_event_attributes = limit(max_event_attributes, OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT, count)
        self.max_link_attributes = limit(max_link_attributes, OTEL_LINK_ATTRIBUTE_COUNT_LIMIT, count)
        self.max_attribute_length = limit(max_attribute_length, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT)
        self.max_span_attribute_length = limit(
            max_span_attribute_length, OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT, self.max_attribute_length
        )

    def __repr__(self) -> str:
        limits = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({limits})"


def unlimited() -> SpanLimits:
    """No limits at all."""
    return SpanLimits(*[SpanLimits.UNSET] * 8)
