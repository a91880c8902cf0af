"""The metric streams of the file: one for each instrument and each view that applies to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from logging import getLogger
from typing import Any

from opentelemetry.metrics import Asynchronous

from .... import aggregation as recorded
from ...._native import Writer
from ....errors import OtlpMmapError
from ..._recording import Recording, default_recording, writable
from ...environment_variables import (
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE,
)
from . import instrument as instruments
from .aggregation import (
    Aggregation,
    DefaultAggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    _is_monotonic,
    check_max_size,
    default_for,
)
from .exemplar import AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, ExemplarFilter, TraceBasedExemplarFilter
from .metric_reader_storage import views_of
from .sdk_configuration import SdkConfiguration
from .view import View

_logger = getLogger(__name__)

_MOST = (1 << 32) - 1

_NATIVE_FILTERS: dict[type[ExemplarFilter], int] = {
    AlwaysOffExemplarFilter: 0,
    TraceBasedExemplarFilter: 1,
    AlwaysOnExemplarFilter: 2,
}


class FileStreams:
    """Defines the streams that instruments record into.

    Args:
        sdk_config: of the provider.
        recording: to record into; None: that of the process.
    """

    def __init__(self, sdk_config: SdkConfiguration, recording: Recording | None) -> None:
        self._sdk_config = sdk_config
        self._recording = recording
        self._temporality = temporality_preference()
        self._histogram = default_histogram()

    def define(self, instrument: Any) -> bool:
        """Has an instrument record into its streams; whether there are any. What fails is logged."""
        if self._recording is None:
            # Not before it is needed: a provider without instruments makes no file.
            self._recording = default_recording(self._sdk_config.resource)
        writer = self._recording.writer
        scope = self._recording.scope(self._sdk_config.resource, instrument.instrumentation_scope)
        if writer is None or not scope:
            return False
        streams: dict[int, tuple[int, list[str] | None, bool]] = {}
        for view in views_of(self._sdk_config.views, instrument):
            try:
                stream = self._stream(writer, scope, view, instrument)
            except (OtlpMmapError, OSError, ValueError) as error:
                _logger.error("Instrument %s is not recorded: %s", instrument.name, error)
                continue
            if stream is None:
                continue
            if stream[0] in streams:
                message = "Views of instrument %s make conflicting streams: only the first '%s' is recorded"
                _logger.warning(message, instrument.name, view._name or instrument.name)
            else:
                streams[stream[0]] = stream
        exemplars = self._sdk_config.exemplar_filter
        instrument._record_into(writer, list(streams.values()), _NATIVE_FILTERS.get(type(exemplars), exemplars))
        return bool(streams)

    def _stream(
        self, writer: Writer, scope: int, view: View, instrument: Any
    ) -> tuple[int, list[str] | None, bool] | None:
        aggregation = view._aggregation
        if isinstance(aggregation, DefaultAggregation):
            is_histogram = isinstance(instrument, instruments.Histogram)
            aggregation = self._histogram() if is_histogram else default_for(instrument)
        recorded_as = self._recorded_as(aggregation, instrument)
        if recorded_as is None:
            return None
        name = writable(view._name or instrument.name)
        description = writable(view._description or instrument.description)
        limit = view._aggregation_cardinality_limit
        # The view's does not count the overflow series.
        limit = None if limit is None else min(limit + 1, _MOST)
        reference = writer.create_metric_stream(
            scope, name, description, instrument.unit, recorded_as, cardinality_limit=limit
        )
        keys = None if view._attribute_keys is None else list(view._attribute_keys)
        is_total = isinstance(instrument, Asynchronous) and isinstance(aggregation, SumAggregation)
        return reference, keys, is_total

    def _recorded_as(self, aggregation: Aggregation, instrument: Any) -> Any:
        """The aggregation as the writer takes it; None: nothing is recorded."""
        temporality = self._temporality(instrument)
        if isinstance(aggregation, SumAggregation):
            return recorded.Sum(temporality, is_monotonic=_is_monotonic(instrument))
        if isinstance(aggregation, LastValueAggregation):
            return recorded.Gauge()
        if isinstance(aggregation, ExplicitBucketHistogramAggregation):
            return recorded.Histogram(temporality, tuple(aggregation.boundaries_for(instrument)))
        if isinstance(aggregation, ExponentialBucketHistogramAggregation):
            check_max_size(aggregation._max_size)
            scale = min(aggregation._max_scale, 20)
            return recorded.ExponentialHistogram(temporality, max_buckets=aggregation._max_size, max_scale=scale)
        if not isinstance(aggregation, DropAggregation):
            _logger.warning("Aggregation %s of instrument %s has no form in the file", aggregation, instrument.name)
        return None


_CUMULATIVE, _DELTA = "CUMULATIVE", "DELTA"

_PREFERENCES: dict[str, tuple[type, ...]] = {
    # Of each preference the instruments with delta temporality.
    "CUMULATIVE": (),
    "DELTA": (instruments.Counter, instruments.ObservableCounter, instruments.Histogram),
    "LOWMEMORY": (instruments.Counter, instruments.Histogram),
}


def temporality_preference() -> Callable[[object], Any]:
    """The temporality that `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` gives an instrument."""
    variable = OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
    preference = os.environ.get(variable, "").strip().upper() or _CUMULATIVE
    if preference not in _PREFERENCES:
        _logger.warning("%s=%r is none of %s: taken as CUMULATIVE", variable, preference, ", ".join(_PREFERENCES))
        preference = _CUMULATIVE
    return lambda instrument: _DELTA if isinstance(instrument, _PREFERENCES[preference]) else _CUMULATIVE


_HISTOGRAMS: dict[str, type[Aggregation]] = {
    "explicit_bucket_histogram": ExplicitBucketHistogramAggregation,
    "base2_exponential_bucket_histogram": ExponentialBucketHistogramAggregation,
}


def default_histogram() -> type[Aggregation]:
    """What `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` makes of histograms."""
    variable = OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION
    name = os.environ.get(variable, "").strip().lower() or "explicit_bucket_histogram"
    if name not in _HISTOGRAMS:
        _logger.warning("%s=%r is none of %s: the first is taken", variable, name, ", ".join(_HISTOGRAMS))
    return _HISTOGRAMS.get(name, ExplicitBucketHistogramAggregation)
