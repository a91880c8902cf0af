"""Exemplars: which measurements the file and the metric readers keep one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Observation

from otlp_mmap.model import Exemplar
from otlp_mmap.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    ExemplarFilter,
    SimpleFixedSizeExemplarReservoir,
    TraceBasedExemplarFilter,
)
from otlp_mmap.sdk.metrics.export import InMemoryMetricReader
from otlp_mmap.sdk.metrics.view import View

from .metrics import Metrics, messages, recorded

TRACE, SPAN = 0x0102030405060708090A0B0C0D0E0F10, 0x0102030405060708
IDS = (TRACE.to_bytes(16, "big"), SPAN.to_bytes(8, "big"))


def context(flags: int, span: int = SPAN) -> Context:
    """A context with a span."""
    of = trace.SpanContext(TRACE, span, is_remote=False, trace_flags=trace.TraceFlags(flags))
    return trace.set_span_in_context(trace.NonRecordingSpan(of), Context())


def exemplars(metrics: Metrics) -> list[tuple[Any, tuple[bytes, bytes] | None, dict[str, Any]]]:
    """Value, ids and filtered attributes of each exemplar of the only series."""
    (series,) = metrics.series()
    return [(of.value, ids(of), of.filtered_attributes) for of in series.exemplars]


def ids(exemplar: Exemplar) -> tuple[bytes, bytes] | None:
    if exemplar.trace_id is None or exemplar.span_id is None:
        return None
    return exemplar.trace_id, exemplar.span_id


class Even(ExemplarFilter):
    """A filter of the user's."""

    def should_sample(self, value: float, time_unix_nano: int, attributes: Any, context: Context) -> bool:
        assert time_unix_nano > 1_600_000_000_000_000_000
        assert attributes == {"a": 1}
        assert isinstance(context, Context)
        return value % 2 == 0


@pytest.mark.parametrize(
    ("chosen", "variable", "kept"),
    [
        (None, "", [1]),
        (None, "trace_based", [1]),
        (None, "always_on", [1, 2, 3]),
        (None, "always_off", []),
        (TraceBasedExemplarFilter(), "always_off", [1]),
        (AlwaysOnExemplarFilter(), "", [1, 2, 3]),
        (AlwaysOffExemplarFilter(), "always_on", []),
        (Even(), "", [2]),
    ],
)
def test_the_filter_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: ExemplarFilter | None, variable: str, kept: list[int]
) -> None:
    if variable:
        monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", variable)
    with recorded(tmp_path, exemplar_filter=chosen) as metrics:
        counter = metrics.meter.create_counter("counter")
        counter.add(1, {"a": 1}, context(1))
        counter.add(2, {"a": 1}, context(0))
        counter.add(3, {"a": 1}, Context())
        expected: list[Any] = [(1, IDS, {}), (2, IDS, {}), (3, None, {})]
        assert exemplars(metrics) == [one for one in expected if one[0] in kept]
        assert metrics.values() == {("counter", (("a", 1),)): 6}


def test_an_unknown_filter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes")
    with pytest.raises(ValueError, match="sometimes"), recorded(tmp_path):
        pass


def test_the_current_span_counts_unless_a_context_is_given(tmp_path: Path) -> None:
    with recorded(tmp_path) as metrics:
        histogram = metrics.meter.create_histogram("histogram")
        span = trace.get_current_span(context(1))
        histogram.record(1)
        with trace.use_span(span):
            histogram.record(2)
            histogram.record(3, None, context(1, span=9))
            histogram.record(4, context=Context())
        assert exemplars(metrics) == [(2, IDS, {}), (3, (IDS[0], (9).to_bytes(8, "big")), {})]


def test_exemplars_keep_the_attributes_that_a_view_left_out(tmp_path: Path) -> None:
    views = [View(instrument_name="*", attribute_keys={"method"})]
    with recorded(tmp_path, views=views) as metrics:
        counter = metrics.meter.create_counter("counter")
        for user in (1, 2):
            counter.add(1, {"method": "GET", "user": user}, context(1))
        assert exemplars(metrics) == [(1, IDS, {"user": 1}), (1, IDS, {"user": 2})]


def test_exemplars_keep_the_attributes_that_the_limit_left_out(tmp_path: Path) -> None:
    views = [View(instrument_name="*", aggregation_cardinality_limit=1)]
    with recorded(tmp_path, views=views) as metrics:
        counter = metrics.meter.create_counter("counter")
        for user in (1, 2, 2):
            counter.add(1, {"user": user}, context(1))
        found = {of.overflow: [one.filtered_attributes for one in of.exemplars] for of in metrics.series()}
        assert found == {False: [{}], True: [{"user": 2}, {"user": 2}]}


def test_observations_have_exemplars(tmp_path: Path) -> None:
    with recorded(tmp_path) as metrics:
        observed = [Observation(5, {"a": 1}, context(1)), Observation(6, {"a": 1})]
        metrics.meter.create_observable_counter("counter", [lambda _: observed])
        metrics.provider.force_flush()
        assert exemplars(metrics) == [(5, IDS, {})]


def test_a_filter_that_raises_costs_its_exemplar_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Raising(ExemplarFilter):
        def should_sample(self, value: float, time_unix_nano: int, attributes: Any, context: Context) -> bool:
            raise ZeroDivisionError

    with recorded(tmp_path, exemplar_filter=Raising()) as metrics:
        counter = metrics.meter.create_counter("counter")
        for _ in range(3):
            counter.add(1)
        assert exemplars(metrics) == []
        assert metrics.values() == {("counter", ()): 3}
    assert len(messages(caplog)) <= 1


def test_a_reader_samples_with_the_reservoir_of_its_view(tmp_path: Path) -> None:
    class Last(SimpleFixedSizeExemplarReservoir):
        def _find_bucket_index(self, value: float, time_unix_nano: int, attributes: Any, context: Context) -> int:
            return 0

    reader = InMemoryMetricReader()
    views = [View(instrument_name="*", exemplar_reservoir_factory=lambda _: Last)]
    with recorded(tmp_path, metric_readers=[reader], views=views) as metrics:
        counter = metrics.meter.create_counter("counter")
        for amount in range(5):
            counter.add(amount, context=context(1))
        data: Any = reader.get_metrics_data()
        (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
        assert [(of.value, of.trace_id, of.span_id) for of in point.exemplars] == [(4, TRACE, SPAN)]
        assert [value for value, _, _ in exemplars(metrics)] == [0, 1, 2, 3, 4]
