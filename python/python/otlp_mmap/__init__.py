"""A flight recorder for OpenTelemetry.

A `Writer` records spans, events and measurements into a memory-mapped file; what it recorded survives the death
of the process at any instant. A `Reader` returns it, from a live process or after a crash.
"""

from ._native import Reader, Writer, __version__
from .aggregation import Aggregation, ExponentialHistogram, Gauge, Histogram, Sum, Temporality
from .errors import (
    CapacityError,
    ClosedError,
    DamagedFileError,
    DuplicateSpanError,
    InvalidTypeError,
    InvalidValueError,
    OtlpMmapError,
    UnknownReferenceError,
    UnknownSpanError,
)
from .model import SpanContext, SpanKind, StatusCode

__all__ = [
    "Aggregation",
    "CapacityError",
    "ClosedError",
    "DamagedFileError",
    "DuplicateSpanError",
    "ExponentialHistogram",
    "Gauge",
    "Histogram",
    "InvalidTypeError",
    "InvalidValueError",
    "OtlpMmapError",
    "Reader",
    "SpanContext",
    "SpanKind",
    "StatusCode",
    "Sum",
    "Temporality",
    "UnknownReferenceError",
    "UnknownSpanError",
    "Writer",
    "__version__",
]
