"""Traces: tracer provider, tracers and spans.

Spans go straight into the recording, from their start on. Processors are beside it, and paid for only when there are
some.

Attributes that are known when a span starts are better given to `start_span` than set later: samplers see only those.
What None means as the value of an attribute is not defined: better leave the attribute out. It is recorded as a key
without a value.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace as trace_api
from opentelemetry.trace import SpanContext
from typing_extensions import Self

from ..._native import NonRecordingSpan as _NonRecordingSpan
from ..._native import _load_traces
from ..._native import _Span as _NativeSpan
from ..resources import Resource
from ._limits import DEFAULT_COUNT, SpanLimits, unlimited
from ._processors import ConcurrentMultiSpanProcessor, SpanProcessor, SynchronousMultiSpanProcessor
from ._provider import TracerProvider
from ._readable import Event, EventBase, ReadableSpan
from ._tracer import (
    Tracer,
    _default_tracer_configurator,
    _disable_tracer_configurator,
    _RuleBasedTracerConfigurator,
    _TracerConfig,
    _TracerConfiguratorT,
)

__all__ = [
    "ConcurrentMultiSpanProcessor",
    "Event",
    "EventBase",
    "ReadableSpan",
    "Resource",
    "Span",
    "SpanContext",
    "SpanLimits",
    "SpanProcessor",
    "SynchronousMultiSpanProcessor",
    "Tracer",
    "TracerProvider",
    "_RuleBasedTracerConfigurator",
    "_TracerConfig",
    "_TracerConfiguratorT",
    "_default_tracer_configurator",
    "_disable_tracer_configurator",
]

_DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT = DEFAULT_COUNT
_DEFAULT_OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT = DEFAULT_COUNT
_DEFAULT_OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT = DEFAULT_COUNT
_DEFAULT_OTEL_LINK_ATTRIBUTE_COUNT_LIMIT = DEFAULT_COUNT
_DEFAULT_OTEL_SPAN_EVENT_COUNT_LIMIT = DEFAULT_COUNT
_DEFAULT_OTEL_SPAN_LINK_COUNT_LIMIT = DEFAULT_COUNT
_UnsetLimits = unlimited()


class Span(trace_api.Span, ReadableSpan):
    """What the spans of our tracers are instances of. A tracer makes them."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses: the native class stands for this one."""
        del args, kwargs
        raise TypeError("Span must be instantiated via a tracer.")


Span.register(_NativeSpan)
trace_api.NonRecordingSpan.register(_NonRecordingSpan)
_Span = _NativeSpan
_load_traces()
