"""One exemplar."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.util.types import Attributes


@dataclass(frozen=True)
class Exemplar:
    """A measurement that a metric keeps, with the span that it was made in.

    Args:
        filtered_attributes: attributes of the measurement that its series does not have. A view that leaves
            attributes out of a series does not keep them out of its exemplars.
        value: what was measured.
        time_unix_nano: when, unix nanoseconds.
        span_id: of the span, if there was one.
        trace_id: of the span, if there was one.
    """

    filtered_attributes: Attributes
    value: int | float
    time_unix_nano: int
    span_id: int | None = None
    trace_id: int | None = None
