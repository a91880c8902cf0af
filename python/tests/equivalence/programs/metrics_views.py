"""Metrics: every instrument, with views that rename, drop, cut attributes and change the aggregation; exemplars."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

tracer = trace.get_tracer("metrics_views")
SCHEMA = "https://example.org/metrics"
meter = metrics.get_meter("metrics_views", "2.0", schema_url=SCHEMA, attributes={"scope": "attribute"})


def views(sdk: str) -> list[Any]:
    """The views, of the SDK's own classes."""
    view = importlib.import_module(f"{sdk}.metrics.view")
    instruments = importlib.import_module(f"{sdk}.metrics")
    return [
        view.View(instrument_name="renamed", name="a.new.name", description="a new description"),
        view.View(instrument_name="dropped", aggregation=view.DropAggregation()),
        view.View(instrument_name="cut", attribute_keys={"kept"}),
        view.View(instrument_name="own.buckets", aggregation=view.ExplicitBucketHistogramAggregation([1, 10, 100])),
        view.View(
            instrument_name="no.minmax", aggregation=view.ExplicitBucketHistogramAggregation(record_min_max=False)
        ),
        view.View(instrument_name="exponential", aggregation=view.ExponentialBucketHistogramAggregation(max_size=20)),
        view.View(instrument_name="twice", name="twice.sum", aggregation=view.SumAggregation()),
        view.View(instrument_name="twice", name="twice.last", aggregation=view.LastValueAggregation()),
        view.View(instrument_type=instruments.UpDownCounter, instrument_name="by.*", description="by type and pattern"),
        view.View(meter_name="metrics_views.other", instrument_name="*", attribute_keys=set()),
        view.View(instrument_name="limited", aggregation_cardinality_limit=4),
    ]


def synchronous() -> None:
    """Counters, histograms and gauges."""
    attributes = [{"kept": "a", "cut": n} for n in range(3)] + [{"kept": "b"}, {}]
    for name in ("renamed", "dropped", "cut", "plain", "limited"):
        counter = meter.create_counter(name, "{thing}", f"counts {name}")
        for number in range(40):
            counter.add(
                number, {**attributes[number % 5], "n": number % 8} if name == "limited" else attributes[number % 5]
            )
    floats = meter.create_counter("floats")
    for number in range(10):
        floats.add(0.25 * number, {"mixed": True, "list": [1, 2], "float": 0.5})
    up_down = meter.create_up_down_counter("by.type", "1", "goes up and down")
    for change in (5, -3, 2.5, -10):
        up_down.add(change, {"kept": "x"})
    gauge = meter.create_gauge("gauge", "Cel", "a temperature")
    for value in (20, 21.5, 19):
        gauge.set(value, {"room": "kitchen"})
    gauge.set(-4, {"room": "garden"})


def histograms(*names: str) -> None:
    """Histograms by each way to their buckets."""
    values = [0, 0.5, 1, 3, 7.25, 10, 11, 99, 100, 101, 4999, 12_000]
    for name in names:
        histogram = meter.create_histogram(name, "ms", f"measures {name}")
        for value in values:
            histogram.record(value, {"kept": name})
        histogram.record(2, {})


def advised() -> None:
    """A histogram whose buckets the instrument advises."""
    histogram = meter.create_histogram("advised", explicit_bucket_boundaries_advisory=[2, 4, 8])
    for value in (0, 2, 3, 9):
        histogram.record(value)


def observed(_options: CallbackOptions) -> Iterable[Observation]:
    """What the asynchronous instruments observe; the same at each call."""
    return [Observation(7, {"cpu": "0"}), Observation(2.5, {"cpu": "1"}), Observation(3)]


def asynchronous() -> None:
    """Observable instruments, one with a callback that fails."""

    def fails(_options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(1, {"before": True})
        raise RuntimeError("no value today")

    meter.create_observable_counter("observable.counter", [observed], "s", "an observed total")
    meter.create_observable_up_down_counter("observable.up_down", [observed])
    meter.create_observable_gauge("observable.gauge", [observed, fails])


def wrong() -> None:
    """Wrong use, which is a warning at most."""
    counter = meter.create_counter("wrong")
    counter.add(-1)
    counter.add(2)
    meter.create_histogram("wrong.histogram").record(-1)
    meter.create_counter("plain", "{thing}", "counts plain").add(1000, {"kept": "a", "cut": 0})
    meter.create_counter("PLAIN", "{thing}", "counts plain").add(1, {"case": "other"})


def run() -> None:
    """Runs all, partly in a span: then there are exemplars."""
    synchronous()
    asynchronous()
    # Which measurements of such a stream become exemplars is chance.
    histograms("exponential", "twice")
    with tracer.start_as_current_span("measured"):
        histograms("own.buckets", "no.minmax", "default")
        advised()
        meter.create_counter("in.a.span").add(3, {"kept": "a"})
    wrong()
    other = metrics.get_meter("metrics_views.other")
    other.create_counter("no.attributes").add(1, {"a": 1})
    other.create_counter("no.attributes").add(1, {"b": 1})
