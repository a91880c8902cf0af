"""`dump --format otlp-json` of a file with every feature, read by the official protobuf classes for OTLP."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otlp_mmap import ExponentialHistogram, Gauge, Histogram, SpanContext, Sum, Writer
from otlp_mmap.model import Resource, Scope

from . import otlp
from .telemetry import (
    EPOCH,
    RESOURCE,
    SCOPE,
    define_scope,
    make_event,
    make_span,
    record_event,
    record_span,
    start_span,
)

SCOPES = (
    SCOPE,
    Scope(RESOURCE, "other", None, None, {}),
    Scope(Resource({"service.instance.id": "2"}, None), "bare", None, None, {}),
)
SAMPLED: SpanContext = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1}
CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


def dump(path: Path, signal: str) -> str:
    """The OTLP JSON of one signal, as the console script prints it."""
    command = Path(sys.executable).parent / "otlp-mmap"
    arguments = ["dump", str(path), "--format", "otlp-json", "--signal", signal]
    printed = subprocess.run([command, *arguments], check=True, capture_output=True, text=True)
    assert printed.stderr == ""
    return printed.stdout


def check_groups(groups: Any, scopes_of: str, schema_of: Any) -> dict[str, Any]:
    """Checks resources and scopes of a document; what each scope holds, by its name."""
    found = {}
    for group in groups:
        for inner in getattr(group, scopes_of):
            scope = next(scope for scope in SCOPES if scope.name == inner.scope.name)
            assert group.resource == otlp.resource(scope.resource)
            assert group.schema_url == (scope.resource.schema_url or "")
            assert inner.scope == otlp.scope(scope)
            assert inner.schema_url == (scope.schema_url or "")
            assert scope.name not in found, "each scope once"
            found[scope.name] = list(schema_of(inner))
    return found


@pytest.fixture
def writer(path: Path) -> Writer:
    """A writer that stays open, as that of a living process."""
    return Writer(path)


def test_traces(path: Path, writer: Writer) -> None:
    rng = random.Random(7)
    expected = {}
    for scope in SCOPES:
        scope_ref = define_scope(writer, scope.resource, scope)
        spans = [make_span(rng, scope) for _ in range(30)]
        for span in spans[1:]:
            record_span(writer, scope_ref, span)
        in_flight = dataclasses.replace(spans[0], end_time_unix_nano=None)
        start_span(writer, scope_ref, in_flight)
        expected[scope.name] = {span.span_id: otlp.span(span) for span in [in_flight, *spans[1:]]}
    document = otlp.parse(dump(path, "spans"), TracesData())
    found = check_groups(document.resource_spans, "scope_spans", lambda inner: inner.spans)
    assert {name: {span.span_id: span for span in spans} for name, spans in found.items()} == expected
    assert sum(map(len, found.values())) == 90


def test_logs(path: Path, writer: Writer) -> None:
    rng = random.Random(8)
    expected = {}
    for scope in SCOPES:
        scope_ref = define_scope(writer, scope.resource, scope)
        events = [make_event(rng, scope) for _ in range(40)]
        for event in events:
            record_event(writer, scope_ref, event)
        expected[scope.name] = by_bytes(otlp.log_record(event) for event in events)
    document = otlp.parse(dump(path, "events"), LogsData())
    found = check_groups(document.resource_logs, "scope_logs", lambda inner: inner.log_records)
    assert {name: by_bytes(records) for name, records in found.items()} == expected


def by_bytes(messages: Any) -> list[Any]:
    """Messages in an order of their own."""
    return sorted(messages, key=lambda message: message.SerializeToString(deterministic=True))


def test_metrics(path: Path, writer: Writer) -> None:
    scope = define_scope(writer, SCOPE.resource, SCOPE)
    streams: dict[str, Any] = {
        "gauge": Gauge(),
        "gauge of floats": Gauge(),
        "sum": Sum("DELTA", is_monotonic=True),
        "sum of floats": Sum("CUMULATIVE", is_monotonic=False),
        "histogram": Histogram("CUMULATIVE", [0, 2.5, 5]),
        "exponential": ExponentialHistogram("DELTA", 160, 0),
    }
    for name, aggregation in streams.items():
        metric = writer.create_metric_stream(scope, name, f"description of {name}", "{thing}", aggregation)
        for value in (1, 2, 4):
            exact = value + 0.25 if "floats" in name else value
            writer.record_measurement(metric, {"b": 2, "a": "1"}, EPOCH + value, exact, SAMPLED if value == 4 else None)
    document = otlp.parse(dump(path, "metrics"), MetricsData())
    found = check_groups(document.resource_metrics, "scope_metrics", lambda inner: inner.metrics)
    metrics = {metric.name: metric for metric in found[SCOPE.name]}
    assert list(found) == [SCOPE.name]
    assert sorted(metrics) == sorted(streams)
    for name, metric in metrics.items():
        point = getattr(metric, metric.WhichOneof("data")).data_points[0]
        assert 0 < point.start_time_unix_nano <= time.time_ns()
        assert metric == expected_metric(name, point.start_time_unix_nano)


def expected_metric(name: str, start: int) -> metrics_pb2.Metric:
    """What has to come out for a metric stream; when it began is the writer's to say."""
    floats = "floats" in name
    last: dict[str, Any] = {"as_double": 4.25} if floats else {"as_int": 4}
    exemplar = metrics_pb2.Exemplar(
        time_unix_nano=EPOCH + 4, trace_id=SAMPLED["trace_id"], span_id=SAMPLED["span_id"], **last
    )
    fields: dict[str, Any] = {
        "attributes": otlp.attributes({"a": "1", "b": 2}),
        "start_time_unix_nano": start,
        "time_unix_nano": EPOCH + 4,
        "exemplars": [exemplar],
    }
    metric = metrics_pb2.Metric(name=name, description=f"description of {name}", unit="{thing}")
    if name.startswith("gauge"):
        metric.gauge.data_points.append(otlp.number_point(4.25 if floats else 4, **fields))
    elif name.startswith("sum"):
        metric.sum.aggregation_temporality = CUMULATIVE
        metric.sum.is_monotonic = not floats
        metric.sum.data_points.append(otlp.number_point(7.75 if floats else 7, **fields))
    elif name == "histogram":
        metric.histogram.aggregation_temporality = CUMULATIVE
        metric.histogram.data_points.append(
            metrics_pb2.HistogramDataPoint(
                count=3, sum=7, min=1, max=4, bucket_counts=[0, 2, 1, 0], explicit_bounds=[0, 2.5, 5], **fields
            )
        )
    else:
        # At scale 0, bucket i holds (2^i, 2^(i+1)]: 1 falls into -1, 2 into 0, 4 into 1.
        positive = metrics_pb2.ExponentialHistogramDataPoint.Buckets(offset=-1, bucket_counts=[1, 1, 1])
        negative = metrics_pb2.ExponentialHistogramDataPoint.Buckets()
        metric.exponential_histogram.aggregation_temporality = CUMULATIVE
        metric.exponential_histogram.data_points.append(
            metrics_pb2.ExponentialHistogramDataPoint(
                count=3, sum=7, min=1, max=4, scale=0, positive=positive, negative=negative, **fields
            )
        )
    return metric
