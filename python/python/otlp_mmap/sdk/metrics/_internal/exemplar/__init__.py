"""Exemplars: measurements that a metric keeps one by one."""

from .exemplar import Exemplar
from .exemplar_filter import AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, ExemplarFilter, TraceBasedExemplarFilter
from .exemplar_reservoir import (
    AlignedHistogramBucketExemplarReservoir,
    ExemplarReservoir,
    ExemplarReservoirBuilder,
    SimpleFixedSizeExemplarReservoir,
)

__all__ = [
    "AlignedHistogramBucketExemplarReservoir",
    "AlwaysOffExemplarFilter",
    "AlwaysOnExemplarFilter",
    "Exemplar",
    "ExemplarFilter",
    "ExemplarReservoir",
    "ExemplarReservoirBuilder",
    "SimpleFixedSizeExemplarReservoir",
    "TraceBasedExemplarFilter",
]
