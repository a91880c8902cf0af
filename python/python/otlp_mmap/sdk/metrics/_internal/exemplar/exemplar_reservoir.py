"""Which exemplars a metric reader of the process gets: samples of those that the filter lets pass.

The file keeps them all, as long as it has room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from random import randrange
from threading import Lock
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, get_current_span
from opentelemetry.util.types import Attributes

from .exemplar import Exemplar


class ExemplarReservoir(ABC):
    """Takes measurements and gives a sample of them. Both may be called from any thread.

    A reservoir is made with keywords that say how the measurements are aggregated (`boundaries` of a histogram).
    """

    @abstractmethod
    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
        """Offers a measurement.

        Args:
            value: what was measured.
            time_unix_nano: when, unix nanoseconds.
            attributes: all of the measurement's.
            context: it was made in.
        """
        raise NotImplementedError

    @abstractmethod
    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        """The exemplars since the last collection.

        Args:
            point_attributes: of the series, which its exemplars leave out.
        """
        raise NotImplementedError


class _Offered(NamedTuple):
    """A measurement in a reservoir."""

    value: int | float
    time_unix_nano: int
    attributes: Attributes
    span_id: int | None
    trace_id: int | None

    def exemplar(self, point_attributes: Attributes) -> Exemplar:
        filtered: Attributes = None
        if self.attributes:
            own = point_attributes or {}
            filtered = {key: value for key, value in self.attributes.items() if key not in own}
        return Exemplar(filtered, self.value, self.time_unix_nano, self.span_id, self.trace_id)


class BucketIndexError(ValueError):
    """A measurement has no place in a reservoir."""


class FixedSizeExemplarReservoirABC(ExemplarReservoir):
    """A reservoir with numbered places, each of which holds the measurement that came last.

    Args:
        size: how many places.
        kwargs: not used.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._size = size
        self._offered: dict[int, _Offered] = {}
        self._lock = Lock()

    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        """The exemplars since the last collection, in the order of their places."""
        with self._lock:
            offered, self._offered = self._offered, {}
            self._reset()
        return [measurement.exemplar(point_attributes) for _, measurement in sorted(offered.items())]

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
        """Offers a measurement."""
        span = get_current_span(context)
        of = None if span is INVALID_SPAN else span.get_span_context()
        ids = (of.span_id, of.trace_id) if of else (None, None)
        with self._lock:
            try:
                index = self._find_bucket_index(value, time_unix_nano, attributes, context)
            except BucketIndexError:
                return
            self._offered[index] = _Offered(value, time_unix_nano, attributes, *ids)

    @abstractmethod
    def _find_bucket_index(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> int:
        """The place of a measurement.

        Raises:
            BucketIndexError: it gets none.
        """

    def _reset(self) -> None:
        """Forgets what was offered before this collection."""


class SimpleFixedSizeExemplarReservoir(FixedSizeExemplarReservoirABC):
    """A sample of fixed size in which every measurement is as likely as the others.

    Args:
        size: of the sample.
        kwargs: not used.
    """

    def __init__(self, size: int = 1, **kwargs: Any) -> None:
        super().__init__(size)
        self._measurements_seen = 0

    def _reset(self) -> None:
        self._measurements_seen = 0

    def _find_bucket_index(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> int:
        seen = self._measurements_seen
        self._measurements_seen += 1
        index = seen if seen < self._size else randrange(seen + 1)
        if index >= self._size:
            raise BucketIndexError("not in the sample")
        return index


class AlignedHistogramBucketExemplarReservoir(FixedSizeExemplarReservoirABC):
    """The last measurement of each bucket of a histogram.

    Args:
        boundaries: of the histogram.
        kwargs: not used.
    """

    def __init__(self, boundaries: Sequence[float], **kwargs: Any) -> None:
        super().__init__(len(boundaries) + 1)
        self._boundaries = boundaries

    def _find_bucket_index(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> int:
        return bisect_left(self._boundaries, value)


ExemplarReservoirBuilder = Callable[..., ExemplarReservoir]
