"""Log records as processors and exporters see them, and their limits."""

from __future__ import annotations

import base64
import contextlib
import json
import warnings
from dataclasses import dataclass, field
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import format_span_id, format_trace_id
from opentelemetry.util.types import AnyValue, Attributes
from typing_extensions import deprecated

from ..._shared_internal import UNSET_LIMIT, environment_limit
from ..._shared_internal._exceptions import format_exception
from ...environment_variables import (
    OTEL_ATTRIBUTE_COUNT_LIMIT,
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT,
    OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT,
)
from ...resources import Resource
from ...util import ns_to_iso_str
from ...util.instrumentation import InstrumentationScope

_DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT = 128


class LogRecordDroppedAttributesWarning(UserWarning):
    """Attributes of a log record were dropped because there were more than its limit. It is shown once."""


warnings.simplefilter("once", LogRecordDroppedAttributesWarning)


@deprecated("Use LogRecordDroppedAttributesWarning.")
class LogDroppedAttributesWarning(LogRecordDroppedAttributesWarning):
    """The old name of `LogRecordDroppedAttributesWarning`."""


def _warn_of_dropped_attributes() -> None:
    """Called by the native logger, which has no frame, so that the caller of `emit` is the one to be named."""
    _warn(stacklevel=2)


def _warn(stacklevel: int) -> None:
    message = "Log record attributes were dropped due to limits"
    # A filter may make an error of it, which must not reach the application.
    with contextlib.suppress(LogRecordDroppedAttributesWarning):
        warnings.warn(message, LogRecordDroppedAttributesWarning, stacklevel=stacklevel + 1)


class LogRecordLimits:
    """The limits of the attributes of log records.

    What is not given is taken from the environment; what is not there either has the default. A limit for log
    records goes before the one for all signals.

    Args:
        max_attributes: most attributes of anything, `OTEL_ATTRIBUTE_COUNT_LIMIT`, by default 128.
        max_attribute_length: most characters of any text, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, by default no limit.
        max_log_record_attributes: most attributes of a log record, `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`.
        max_log_record_attribute_length: most characters of a text of a log record,
            `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`.

    Each can be `LogRecordLimits.UNSET`: no limit.

    Raises:
        ValueError: a limit is negative, or a variable has no whole number.
    """

    UNSET = UNSET_LIMIT

    def __init__(
        self,
        max_attributes: int | None = None,
        max_attribute_length: int | None = None,
        max_log_record_attributes: int | None = None,
        max_log_record_attribute_length: int | None = None,
    ) -> None:
        limit = environment_limit
        count = limit(max_attributes, OTEL_ATTRIBUTE_COUNT_LIMIT)
        self.max_attributes = _DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT if count is None else count
        self.max_attribute_length = limit(max_attribute_length, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT)
        self.max_log_record_attributes = limit(
            max_log_record_attributes, OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT, self.max_attributes
        )
        self.max_log_record_attribute_length = limit(
            max_log_record_attribute_length, OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT, self.max_attribute_length
        )

    def __repr__(self) -> str:
        limits = ", ".join(f"{name}={limit}" for name, limit in vars(self).items())
        return f"{type(self).__name__}({limits})"


@deprecated("Use LogRecordLimits.")
class LogLimits(LogRecordLimits):
    """The old name of `LogRecordLimits`."""


class _Encoder(json.JSONEncoder):
    """JSON with bytes as base64."""

    def default(self, o: Any) -> Any:
        """What stands for a value that JSON does not have."""
        if isinstance(o, bytes):
            return base64.b64encode(o).decode()
        return super().default(o)


def _dropped_attributes(log_record: LogRecord) -> int:
    attributes = log_record.attributes
    return attributes.dropped if isinstance(attributes, BoundedAttributes) else 0


@dataclass(frozen=True)
class ReadableLogRecord:
    """A log record as exporters see it."""

    log_record: LogRecord
    resource: Resource
    instrumentation_scope: InstrumentationScope | None = None
    limits: LogRecordLimits | None = None

    @property
    def dropped_attributes(self) -> int:
        """How many attributes it had beyond its limit."""
        return _dropped_attributes(self.log_record)

    def to_json(self, indent: int | None = 4) -> str:
        """As a JSON object; bytes become base64."""
        record = self.log_record
        severity = record.severity_number
        times = (record.timestamp, record.observed_timestamp)
        timestamp, observed_timestamp = (None if time is None else ns_to_iso_str(time) for time in times)
        fields = {
            "body": record.body,
            "severity_number": None if severity is None else severity.value,
            "severity_text": record.severity_text,
            "attributes": dict(record.attributes) if record.attributes else None,
            "dropped_attributes": self.dropped_attributes,
            "timestamp": timestamp,
            "observed_timestamp": observed_timestamp,
            "trace_id": "" if record.trace_id is None else f"0x{format_trace_id(record.trace_id)}",
            "span_id": "" if record.span_id is None else f"0x{format_span_id(record.span_id)}",
            "trace_flags": record.trace_flags,
            "resource": json.loads(self.resource.to_json()),
            "event_name": record.event_name or "",
        }
        return json.dumps(fields, indent=indent, cls=_Encoder)


@dataclass
class ReadWriteLogRecord:
    """A log record as processors see it: they may change it.

    Its attributes are held to the limits: over them, the oldest attributes give way.
    """

    log_record: LogRecord
    resource: Resource | None = field(default_factory=lambda: Resource.create({}))
    instrumentation_scope: InstrumentationScope | None = None
    limits: LogRecordLimits = field(default_factory=LogRecordLimits)

    def __post_init__(self) -> None:
        self.log_record.attributes = BoundedAttributes(
            maxlen=self.limits.max_log_record_attributes,
            attributes=self.log_record.attributes or None,
            immutable=False,
            max_value_len=self.limits.max_log_record_attribute_length,
        )
        if self.dropped_attributes:
            _warn(stacklevel=3)

    @property
    def dropped_attributes(self) -> int:
        """How many attributes it had beyond its limit."""
        return _dropped_attributes(self.log_record)

    @classmethod
    def _from_api_log_record(
        cls,
        *,
        record: LogRecord,
        resource: Resource,
        instrumentation_scope: InstrumentationScope | None = None,
        limits: LogRecordLimits | None = None,
    ) -> ReadWriteLogRecord:
        return cls(record, resource, instrumentation_scope, LogRecordLimits() if limits is None else limits)

    def _readable(self, log_record: LogRecord) -> ReadableLogRecord:
        resource = Resource.create({}) if self.resource is None else self.resource
        return ReadableLogRecord(log_record, resource, self.instrumentation_scope, self.limits)


def with_exception(attributes: Attributes, exception: BaseException | None) -> Attributes:
    """Attributes with those of an exception; what they say already stays."""
    if exception is None:
        return attributes
    found = _exception_attributes(exception)
    if not isinstance(attributes, BoundedAttributes):
        return {**found, **(attributes or {})}
    merged = BoundedAttributes(attributes.maxlen, attributes, immutable=False, max_value_len=attributes.max_value_len)
    merged.dropped = attributes.dropped
    for key, value in found.items():
        if key not in merged:
            merged[key] = value
    return merged


def _exception_attributes(exception: BaseException) -> dict[str, AnyValue]:
    kind = type(exception)
    module = kind.__module__
    return {
        "exception.type": kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}",
        "exception.message": str(exception),
        "exception.stacktrace": format_exception(kind, exception, exception.__traceback__),
    }


def copy_with_exception(record: LogRecord) -> LogRecord:
    """A copy of a record, with the attributes of its exception."""
    copied = LogRecord(
        timestamp=record.timestamp,
        observed_timestamp=record.observed_timestamp,
        context=record.context,
        severity_text=record.severity_text,
        severity_number=record.severity_number,
        body=record.body,
        attributes=with_exception(record.attributes, record.exception),
        event_name=record.event_name,
        exception=record.exception,
    )
    copied.trace_id, copied.span_id, copied.trace_flags = record.trace_id, record.span_id, record.trace_flags
    return copied
