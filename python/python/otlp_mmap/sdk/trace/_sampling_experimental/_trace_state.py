"""The member `ot` of a trace state: threshold and random value, which samplers of one trace agree by.

OpenTelemetry specification, trace/tracestate-handling and trace/tracestate-probability-sampling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry.trace import TraceState

from ._util import (
    INVALID_RANDOM_VALUE,
    INVALID_THRESHOLD,
    MAX_THRESHOLD,
    RANDOM_VALUE_BITS,
    is_valid_random_value,
    is_valid_threshold,
)

OTEL_TRACE_STATE_KEY = "ot"

_MOST_CHARACTERS = 256
_DIGITS = RANDOM_VALUE_BITS // 4
_THRESHOLD = re.compile(f"th:([0-9a-f]{{1,{_DIGITS}}})")
_RANDOM_VALUE = re.compile(f"rv:([0-9a-f]{{{_DIGITS}}})")


@dataclass
class OtelTraceState:
    """What `ot` holds. `rest`: its other members, which are handed on."""

    random_value: int = INVALID_RANDOM_VALUE
    threshold: int = INVALID_THRESHOLD
    rest: Sequence[str] = ()

    @staticmethod
    def invalid() -> OtelTraceState:
        """One that holds nothing."""
        return OtelTraceState()

    @staticmethod
    def parse(trace_state: TraceState | None) -> OtelTraceState:
        """That of a trace state. A value that is not well formed counts as missing."""
        text = trace_state.get(OTEL_TRACE_STATE_KEY) if trace_state else None
        if not text or len(text) > _MOST_CHARACTERS:
            return OtelTraceState()
        members = text.split(";")
        state = OtelTraceState(rest=[member for member in members if not member.startswith(("th:", "rv:"))])
        for member in members:
            if match := _THRESHOLD.fullmatch(member):
                # Zeros at the end are left out.
                state.threshold = int(match[1].ljust(_DIGITS, "0"), 16)
            elif match := _RANDOM_VALUE.fullmatch(member):
                state.random_value = int(match[1], 16)
        return state

    def serialize(self) -> str:
        """The text; empty if it holds nothing. Members that would make it too long are left out, from the end."""
        members = list(self.rest)
        if is_valid_random_value(self.random_value):
            members.insert(0, f"rv:{self.random_value:0{_DIGITS}x}")
        if is_valid_threshold(self.threshold) and self.threshold != MAX_THRESHOLD:
            members.insert(0, f"th:{serialize_th(self.threshold)}")
        while len(text := ";".join(members)) > _MOST_CHARACTERS:
            members.pop()
        return text


def serialize_th(threshold: int) -> str:
    """A threshold below the maximum as hexadecimal digits, without the zeros at the end."""
    return f"{threshold:0{_DIGITS}x}".rstrip("0") or "0"
