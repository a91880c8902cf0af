"""All series of one metric reader of the process."""

from __future__ import annotations

from collections.abc import Mapping
from logging import getLogger
from threading import RLock
from time import time_ns
from typing import Any

from opentelemetry.metrics import Asynchronous

from ...util.instrumentation import InstrumentationScope
from ._view_instrument_match import _DEFAULT_CARDINALITY_LIMIT, _ViewInstrumentMatch
from .aggregation import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    _ExplicitBucketHistogramAggregation,
    _ExponentialBucketHistogramAggregation,
    _is_monotonic,
    _LastValueAggregation,
    _SumAggregation,
)
from .measurement import Measurement
from .point import (
    AggregationTemporality,
    DataT,
    ExponentialHistogram,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from .sdk_configuration import SdkConfiguration
from .view import View

_logger = getLogger(__name__)

_DEFAULT_VIEW = View(instrument_name="")


def views_of(views: Any, instrument: Any) -> list[View]:
    """The views that apply to an instrument, or the default one."""
    found = [view for view in views if view._match(instrument) and _can_apply(view, instrument)]
    return found or [_DEFAULT_VIEW]


def _can_apply(view: View, instrument: object) -> bool:
    histograms = (ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation)
    if isinstance(instrument, Asynchronous) and isinstance(view._aggregation, histograms):
        message = "View %s and instrument %s will produce semantic errors when matched, the view has not been applied."
        _logger.warning(message, view, instrument)
        return False
    return True


class MetricReaderStorage:
    """What a metric reader collects from.

    Args:
        sdk_config: of the provider.
        instrument_class_temporality: of the reader.
        instrument_class_aggregation: of the reader.
        instrument_class_cardinality_limit: of the reader.
    """

    def __init__(
        self,
        sdk_config: SdkConfiguration,
        instrument_class_temporality: Mapping[type, AggregationTemporality],
        instrument_class_aggregation: Mapping[type, Aggregation],
        instrument_class_cardinality_limit: Mapping[type, int] | None = None,
    ) -> None:
        self._sdk_config = sdk_config
        self._instrument_class_temporality = instrument_class_temporality
        self._instrument_class_aggregation = instrument_class_aggregation
        self._instrument_class_cardinality_limit = instrument_class_cardinality_limit or {}
        self._lock = RLock()
        self._instrument_view_instrument_matches: dict[Any, list[_ViewInstrumentMatch]] = {}

    def consume_measurement(self, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
        """Takes a measurement into every stream of its instrument."""
        for stream in self._streams(measurement.instrument):
            stream.consume_measurement(measurement, should_sample_exemplar)

    def _streams(self, instrument: Any) -> list[_ViewInstrumentMatch]:
        streams = self._instrument_view_instrument_matches.get(instrument)
        if streams is not None:
            return streams
        with self._lock:
            if instrument not in self._instrument_view_instrument_matches:
                streams = [self._stream(view, instrument) for view in views_of(self._sdk_config.views, instrument)]
                self._instrument_view_instrument_matches[instrument] = streams
            return self._instrument_view_instrument_matches[instrument]

    def _stream(self, view: View, instrument: Any) -> _ViewInstrumentMatch:
        limit = view._aggregation_cardinality_limit
        if limit is None:
            limits = self._instrument_class_cardinality_limit
            limit = limits.get(instrument.__class__, _DEFAULT_CARDINALITY_LIMIT)
        # Differences of observed totals need the last ones.
        is_delta = self._instrument_class_temporality[instrument.__class__] is AggregationTemporality.DELTA
        resets = is_delta and not isinstance(instrument, Asynchronous)
        stream = _ViewInstrumentMatch(view, instrument, self._instrument_class_aggregation, limit, resets)
        if view is not _DEFAULT_VIEW:
            for others in self._instrument_view_instrument_matches.values():
                for other in others:
                    if other.conflicts(stream):
                        message = "Views %s and %s will cause conflicting metrics identities"
                        _logger.warning(message, other._view, view)
        return stream

    def collect(self) -> MetricsData | None:
        """The points of every series, all at one time; None: there are none."""
        now = time_ns()
        scopes: dict[InstrumentationScope, list[Metric]] = {}
        with self._lock:
            # A copy: the reader's own measurement may add an instrument, in this thread.
            for instrument, streams in list(self._instrument_view_instrument_matches.items()):
                temporality = self._instrument_class_temporality[instrument.__class__]
                metrics = [metric for stream in streams if (metric := _metric(stream, temporality, now))]
                if metrics:
                    scopes.setdefault(instrument.instrumentation_scope, []).extend(metrics)
        if not scopes:
            return None
        resource = self._sdk_config.resource
        scope_metrics = [ScopeMetrics(scope, metrics, scope.schema_url) for scope, metrics in scopes.items()]
        return MetricsData([ResourceMetrics(resource, scope_metrics, resource.schema_url)])


def _metric(stream: _ViewInstrumentMatch, temporality: AggregationTemporality, now: int) -> Metric | None:
    points: Any = stream.collect(temporality, now)
    if points is None:
        return None
    data: DataT
    if isinstance(stream._aggregation, _SumAggregation):
        data = Sum(points, temporality, _is_monotonic(stream._instrument))
    elif isinstance(stream._aggregation, _LastValueAggregation):
        data = Gauge(points)
    elif isinstance(stream._aggregation, _ExplicitBucketHistogramAggregation):
        data = Histogram(points, temporality)
    elif isinstance(stream._aggregation, _ExponentialBucketHistogramAggregation):
        data = ExponentialHistogram(points, temporality)
    else:
        return None
    return Metric(stream._name, stream._description, stream._instrument.unit, data)
