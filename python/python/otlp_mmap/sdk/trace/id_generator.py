"""Where trace and span ids come from."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

from opentelemetry.trace import INVALID_SPAN_ID, INVALID_TRACE_ID


class IdGenerator(ABC):
    """Makes ids. Any object with these methods will do."""

    @abstractmethod
    def generate_span_id(self) -> int:
        """A new span id, of 64 bits and not 0."""

    @abstractmethod
    def generate_trace_id(self) -> int:
        """A new trace id, of 128 bits and not 0. Samplers take its last 56 bits for random."""

    def is_trace_id_random(self) -> bool:
        """Whether the last 56 bits of trace ids are random, all values alike: spans then carry W3C's flag for it."""
        return False


class RandomIdGenerator(IdGenerator):
    """Random ids. Tracers make them by themselves, without a call of these methods."""

    def generate_span_id(self) -> int:
        """A random span id."""
        while (span_id := random.getrandbits(64)) == INVALID_SPAN_ID:
            pass
        return span_id

    def generate_trace_id(self) -> int:
        """A random trace id."""
        while (trace_id := random.getrandbits(128)) == INVALID_TRACE_ID:
            pass
        return trace_id

    def is_trace_id_random(self) -> bool:
        """True."""
        return True
