"""What metric readers say about themselves, if `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` is true.

Names and attributes are those of the semantic conventions of SDK metrics.
"""

from __future__ import annotations

from collections import Counter

from opentelemetry.metrics import MeterProvider

from ...._shared_internal import are_internal_metrics_enabled

_numbers: Counter[str] = Counter()


class Collections:
    """How long the collections of a metric reader take.

    Args:
        component_type: of the reader.
        meter_provider: that measures it; None: nothing is measured.
    """

    def __init__(self, component_type: str, meter_provider: MeterProvider | None = None) -> None:
        self._duration = None
        if meter_provider is None or not are_internal_metrics_enabled():
            return
        name = f"{component_type}/{_numbers[component_type]}"
        _numbers[component_type] += 1
        self._attributes = {"otel.component.type": component_type, "otel.component.name": name}
        self._duration = meter_provider.get_meter("opentelemetry-sdk").create_histogram(
            "otel.sdk.metric_reader.collection.duration", "s", "How long a metric reader took to collect."
        )

    def record(self, seconds: float) -> None:
        """Records a collection."""
        if self._duration is not None:
            self._duration.record(seconds, self._attributes)
