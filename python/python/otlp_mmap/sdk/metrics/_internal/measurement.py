"""One measurement, as metric readers of the process get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING

from opentelemetry.attributes import _clean_attribute_value
from opentelemetry.context import Context
from opentelemetry.util.types import Attributes

if TYPE_CHECKING:
    from .instrument import _Instrument

_logger = getLogger(__name__)


@dataclass(frozen=True)
class Measurement:
    """A value that an instrument measured. Its attributes are a clean copy."""

    value: int | float
    time_unix_nano: int
    instrument: _Instrument
    context: Context
    attributes: Attributes = None

    def __post_init__(self) -> None:
        if self.attributes is None:
            return
        cleaned = None
        if isinstance(self.attributes, Mapping):
            cleaned = _clean_attribute_value(self.attributes, None)
        else:
            _logger.warning("Invalid type '%s' for attributes: neither a mapping nor None", type(self.attributes))
        object.__setattr__(self, "attributes", cleaned)
