"""Metrics of tracers themselves, which `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` switches on.

Names, units and attributes are those of OpenTelemetry's semantic conventions for SDK metrics.
"""

from __future__ import annotations

from opentelemetry.metrics import MeterProvider, get_meter_provider

from .._shared_internal import are_internal_metrics_enabled

_RESULTS = ("DROP", "RECORD_ONLY", "RECORD_AND_SAMPLE")


class TracerMetrics:
    """Counts spans. The extension module calls it.

    Args:
        meter_provider: makes the instruments.
    """

    def __init__(self, meter_provider: MeterProvider) -> None:
        meter = meter_provider.get_meter("opentelemetry-sdk")
        self._started = meter.create_counter(
            "otel.sdk.span.started", "{span}", "Number of spans that were started, also those that are not recorded."
        )
        self._live = meter.create_up_down_counter(
            "otel.sdk.span.live", "{span}", "Number of recorded spans that have started and not ended."
        )

    def started(self, parent: str, result: int) -> None:
        """Counts a span that has started.

        Args:
            parent: "none", "local" or "remote".
            result: the value of the sampler's `Decision`.
        """
        attributes = {"otel.span.parent.origin": parent, "otel.span.sampling_result": _RESULTS[result]}
        self._started.add(1, attributes)
        if result:
            self._live.add(1, {"otel.span.sampling_result": _RESULTS[result]})

    def ended(self, result: int) -> None:
        """Counts a span that has ended."""
        self._live.add(-1, {"otel.span.sampling_result": _RESULTS[result]})


def make_metrics(meter_provider: MeterProvider | None) -> TracerMetrics | None:
    """The metrics of a tracer, if they are enabled."""
    if not are_internal_metrics_enabled():
        return None
    return TracerMetrics(meter_provider or get_meter_provider())
