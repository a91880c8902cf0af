"""Metrics of processors themselves, which `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` switches on.

Names, units and attributes are those of OpenTelemetry's semantic conventions for SDK metrics.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

_COMPONENT_NAME = "otel.component.name"
_COMPONENT_TYPE = "otel.component.type"
_ERROR_TYPE = "error.type"
_METER = "opentelemetry-sdk"

Signal = Literal["traces", "logs"]

# What the conventions call an item: in names, as a unit, and in words.
_ITEMS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("span", "{span}", "spans"),
    "logs": ("log", "{log_record}", "log records"),
}
_numbers: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)


class ProcessorMetricsT(Protocol):
    """What a processor tells about itself."""

    def register_queue_size(self, get_queue_size: Callable[[], int]) -> None:
        """Says how to find the number of items in the queue."""

    def drop_items(self, count: int, error_type: str = "queue_full") -> None:
        """Counts items that were dropped."""

    def finish_items(self, count: int) -> None:
        """Counts items that were given to the exporter."""


class NoOpProcessorMetrics:
    """Counts nothing."""

    def register_queue_size(self, get_queue_size: Callable[[], int]) -> None:
        """Says how to find the number of items in the queue."""

    def drop_items(self, count: int, error_type: str = "queue_full") -> None:
        """Counts items that were dropped."""

    def finish_items(self, count: int) -> None:
        """Counts items that were given to the exporter."""


class ProcessorMetrics:
    """Counts with instruments of a meter provider.

    Args:
        signal: of the processor.
        component_type: as the semantic conventions name the kind of processor.
        meter_provider: makes the instruments.
        capacity: of the queue; None: there is no queue.
    """

    def __init__(
        self, signal: Signal, component_type: str, meter_provider: MeterProvider, *, capacity: int | None = None
    ) -> None:
        item, self._unit, self._items = _ITEMS[signal]
        self._prefix = f"otel.sdk.processor.{item}"
        self._attributes: dict[str, str] = {
            _COMPONENT_TYPE: component_type,
            _COMPONENT_NAME: f"{component_type}/{next(_numbers[component_type])}",
        }
        self._meter = meter_provider.get_meter(_METER)
        self._processed = self._meter.create_counter(
            f"{self._prefix}.processed", self._unit, f"Number of {self._items} that the processor is done with."
        )
        if capacity is not None:
            self._meter.create_up_down_counter(
                f"{self._prefix}.queue.capacity", self._unit, f"Most {self._items} that the queue can hold."
            ).add(capacity, self._attributes)

    def register_queue_size(self, get_queue_size: Callable[[], int]) -> None:
        """Says how to find the number of items in the queue."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(get_queue_size(), self._attributes)]

        self._meter.create_observable_up_down_counter(
            f"{self._prefix}.queue.size", [observe], self._unit, f"Number of {self._items} in the queue."
        )

    def drop_items(self, count: int, error_type: str = "queue_full") -> None:
        """Counts items that were dropped."""
        self._processed.add(count, {**self._attributes, _ERROR_TYPE: error_type})

    def finish_items(self, count: int) -> None:
        """Counts items that were given to the exporter."""
        self._processed.add(count, self._attributes)


def create_processor_metrics(
    signal: Signal,
    component_type: str,
    meter_provider: MeterProvider,
    *,
    capacity: int | None = None,
    enabled: bool,
) -> ProcessorMetricsT:
    """The metrics of a processor; such as count nothing if they are not enabled."""
    if not enabled:
        return NoOpProcessorMetrics()
    return ProcessorMetrics(signal, component_type, meter_provider, capacity=capacity)
