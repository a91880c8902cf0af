"""Loggers, their provider, and the handler for the standard library's `logging`.

The native classes record; here is what they are configured with, and the way of a record through processors.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import Logger as APILogger
from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber, get_logger, get_logger_provider
from opentelemetry.context import Context, get_current
from opentelemetry.metrics import MeterProvider, get_meter_provider
from opentelemetry.util.types import AnyValue, Attributes
from typing_extensions import Self

from ...._native import Logger as _NativeLogger
from ...._native import LoggingHandler as _NativeLoggingHandler
from ..._recording import Recording, default_recording
from ..._shared_internal import DuplicateFilter, are_internal_metrics_enabled, is_sdk_disabled
from ..._shared_internal._exceptions import format_exception
from ...resources import Resource, _get_process_dependent_resource
from ...util.instrumentation import InstrumentationScope
from ._configuration import (
    LoggerMetrics,
    LoggerMetricsT,
    NoOpLoggerMetrics,
    _default_logger_configurator,
    _disable_logger_configurator,
    _LoggerConfig,
    _LoggerConfiguratorT,
    _RuleBasedLoggerConfigurator,
    create_logger_metrics,
)
from ._processors import (
    ConcurrentMultiLogRecordProcessor,
    LogRecordProcessor,
    SynchronousMultiLogRecordProcessor,
    _MultiLogRecordProcessor,
)
from ._records import (
    _DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT,
    LogDroppedAttributesWarning,
    LogLimits,
    LogRecordDroppedAttributesWarning,
    LogRecordLimits,
    ReadableLogRecord,
    ReadWriteLogRecord,
    copy_with_exception,
    with_exception,
)

__all__ = [
    "_DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT",
    "ConcurrentMultiLogRecordProcessor",
    "LogDroppedAttributesWarning",
    "LogLimits",
    "LogRecordDroppedAttributesWarning",
    "LogRecordLimits",
    "LogRecordProcessor",
    "Logger",
    "LoggerMetrics",
    "LoggerMetricsT",
    "LoggerProvider",
    "LoggingHandler",
    "NoOpLogger",
    "ReadWriteLogRecord",
    "ReadableLogRecord",
    "SynchronousMultiLogRecordProcessor",
    "_LoggerConfig",
    "_RuleBasedLoggerConfigurator",
    "_default_logger_configurator",
    "_disable_logger_configurator",
    "create_logger_metrics",
    "std_to_otel",
]

_logger = logging.getLogger(__name__)
# What is said here may come back as a log record.
_logger.addFilter(DuplicateFilter())

_MultiProcessor = SynchronousMultiLogRecordProcessor | ConcurrentMultiLogRecordProcessor


class Logger(_NativeLogger, APILogger):
    """Records the log records of one instrumentation scope. A `LoggerProvider` makes it.

    Args:
        resource: whose log records they are.
        multi_log_record_processor: sees them before they are recorded.
        instrumentation_scope: of the log records.
        logger_metrics: counts them.
        log_record_limits: of their attributes.
        _logger_config: whether the logger is enabled.
        recording: into which they go, by default that of the process.
    """

    def __new__(
        cls,
        resource: Resource,
        multi_log_record_processor: _MultiProcessor,
        instrumentation_scope: InstrumentationScope,
        *,
        logger_metrics: LoggerMetricsT,
        log_record_limits: LogRecordLimits | None = None,
        _logger_config: _LoggerConfig,
        recording: Recording | None = None,
    ) -> Self:
        """Makes the native half."""
        limits = log_record_limits or LogRecordLimits()
        recording = recording or default_recording(resource)
        logger = super().__new__(
            cls, recording.writer, limits.max_log_record_attributes, limits.max_log_record_attribute_length
        )
        logger._log_record_limits, logger._recording = limits, recording
        return logger

    if TYPE_CHECKING:
        _log_record_limits: LogRecordLimits
        _recording: Recording

    def __init__(
        self,
        resource: Resource,
        multi_log_record_processor: _MultiProcessor,
        instrumentation_scope: InstrumentationScope,
        *,
        logger_metrics: LoggerMetricsT,
        log_record_limits: LogRecordLimits | None = None,
        _logger_config: _LoggerConfig,
        recording: Recording | None = None,
    ) -> None:
        scope = instrumentation_scope
        super().__init__(scope.name, scope.version, scope.schema_url, scope.attributes)
        self._resource = resource
        self._multi_log_record_processor = multi_log_record_processor
        self._instrumentation_scope = scope
        self._logger_metrics = logger_metrics
        self._set_logger_config(_logger_config)
        self._find_processors()

    def _find_processors(self) -> None:
        """Finds out whether log records take the way through Python code."""
        multi = self._multi_log_record_processor
        has_processors = not isinstance(multi, _MultiLogRecordProcessor) or bool(multi._log_record_processors)
        self._set_processed(has_processors or not isinstance(self._logger_metrics, NoOpLoggerMetrics))

    def _is_enabled(self) -> bool:
        return self._logger_config.is_enabled

    def _set_logger_config(self, logger_config: _LoggerConfig) -> None:
        self._logger_config = logger_config
        self._set_enabled(logger_config.is_enabled)

    def _set_resource(self, resource: Resource) -> None:
        self._resource = resource
        self._forget_scope()

    def _find_scope(self) -> int:
        """The reference of the instrumentation scope; the native half asks for it with its first log record."""
        return self._recording.scope(self._resource, self._instrumentation_scope)

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """Whose log records these are."""
        return self._instrumentation_scope

    @property
    def resource(self) -> Resource:
        """Whose log records these are."""
        return self._resource

    def _is_wanted(
        self, context: Context | None, severity_number: SeverityNumber | None, event_name: str | None
    ) -> bool:
        return self._multi_log_record_processor.enabled(
            context=context,
            instrumentation_scope=self._instrumentation_scope,
            severity_number=severity_number,
            event_name=event_name,
        )

    def _emit_processed(
        self,
        record: LogRecord | ReadWriteLogRecord | None = None,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: AnyValue | None = None,
        attributes: Attributes = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Shows a log record to the processors, and records what they make of it."""
        if record is None:
            record = LogRecord(
                timestamp=timestamp,
                observed_timestamp=observed_timestamp,
                context=context,
                severity_text=severity_text,
                severity_number=severity_number,
                body=body,
                attributes=with_exception(attributes, exception),
                event_name=event_name,
                exception=exception,
            )
            writable = self._writable(record)
        elif not isinstance(record, ReadWriteLogRecord):
            writable = self._writable(record if record.exception is None else copy_with_exception(record))
        else:
            writable, inner = record, record.log_record
            inner.attributes = with_exception(inner.attributes, inner.exception)
        self._process(writable)

    def _writable(self, record: LogRecord) -> ReadWriteLogRecord:
        return ReadWriteLogRecord(record, self._resource, self._instrumentation_scope, self._log_record_limits)

    def _process(self, writable: ReadWriteLogRecord) -> None:
        try:
            self._logger_metrics.emit_log()
            self._multi_log_record_processor.on_emit(writable)
        except Exception:
            _logger.exception("A log record processor failed.")
        self._record(writable.log_record, writable.dropped_attributes, self._other_scope(writable))

    def _other_scope(self, writable: ReadWriteLogRecord) -> int | None:
        """The reference of a record's own resource and scope; None: they are the logger's."""
        resource = self._resource if writable.resource is None else writable.resource
        scope = writable.instrumentation_scope or self._instrumentation_scope
        if resource is self._resource and scope is self._instrumentation_scope:
            return None
        return self._recording.scope(resource, scope)


class LoggerProvider(APILoggerProvider):
    """Makes loggers that record into one recording.

    Args:
        resource: whose log records they are, by default `Resource.create({})`.
        shutdown_on_exit: whether `shutdown` is called when the process ends.
        multi_log_record_processor: calls the processors, by default one after the other.
        meter_provider: makes the metrics of the loggers themselves, if `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`.
        log_record_limits: of attributes, by default those of the environment.
        _logger_configurator: says of each instrumentation scope whether its logger is enabled.
        recording: into which log records go, by default that of the process.
    """

    def __init__(
        self,
        resource: Resource | None = None,
        shutdown_on_exit: bool = True,
        multi_log_record_processor: _MultiProcessor | None = None,
        *,
        meter_provider: MeterProvider | None = None,
        log_record_limits: LogRecordLimits | None = None,
        _logger_configurator: _LoggerConfiguratorT | None = None,
        recording: Recording | None = None,
    ) -> None:
        self._resource = Resource.create({}) if resource is None else resource
        self._multi_log_record_processor = multi_log_record_processor or SynchronousMultiLogRecordProcessor()
        self._logger_metrics = create_logger_metrics(
            meter_provider or get_meter_provider(), are_internal_metrics_enabled()
        )
        self._disabled = is_sdk_disabled()
        self._log_record_limits = log_record_limits or LogRecordLimits()
        self._logger_configurator = _logger_configurator or _default_logger_configurator
        self._recording = recording
        self._logger_cache: dict[tuple[str, str | None, str | None], Logger] = {}
        self._active_loggers: weakref.WeakSet[Logger] = weakref.WeakSet()
        self._renew_locks()
        self._at_exit_handler = atexit.register(self.shutdown) if shutdown_on_exit else None
        _watch(self._multi_log_record_processor, self)
        _providers.add(self)

    def _renew_locks(self) -> None:
        self._logger_cache_lock = threading.Lock()
        self._active_loggers_lock = threading.Lock()

    def _handle_fork(self) -> None:
        """A forked child has locks in an unknown state, and is another process."""
        self._renew_locks()
        self._update_resource(_get_process_dependent_resource())

    @property
    def resource(self) -> Resource:
        """Whose log records these are."""
        return self._resource

    def _update_resource(self, resource: Resource) -> None:
        with self._active_loggers_lock:
            self._resource = self._resource.merge(resource)
            for logger in list(self._active_loggers):
                logger._set_resource(self._resource)

    def _find_processors(self) -> None:
        with self._active_loggers_lock:
            for logger in list(self._active_loggers):
                logger._find_processors()

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> APILogger:
        """The logger of an instrumentation scope, the same one for the same scope if it has no attributes."""
        if self._disabled:
            return NoOpLogger(name, version=version, schema_url=schema_url, attributes=attributes)
        if attributes is not None:
            return self._new_logger(name, version, schema_url, attributes)
        with self._logger_cache_lock:
            key = (name, version, schema_url)
            logger = self._logger_cache.get(key)
            if logger is None:
                logger = self._logger_cache[key] = self._new_logger(name, version, schema_url, None)
            return logger

    def _new_logger(self, name: str, version: str | None, schema_url: str | None, attributes: Attributes) -> Logger:
        scope = InstrumentationScope(name, version, schema_url, attributes)
        if self._recording is None:
            self._recording = default_recording(self._resource)
        logger = Logger(
            self._resource,
            self._multi_log_record_processor,
            scope,
            logger_metrics=self._logger_metrics,
            log_record_limits=self._log_record_limits,
            _logger_config=self._configured(scope),
            recording=self._recording,
        )
        with self._active_loggers_lock:
            self._active_loggers.add(logger)
            # A processor or configurator may have been set since.
            logger._find_processors()
            logger._set_logger_config(self._configured(scope))
        return logger

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Adds a processor, which is called behind those that are there."""
        self._multi_log_record_processor.add_log_record_processor(log_record_processor)

    def _set_logger_configurator(self, *, logger_configurator: _LoggerConfiguratorT) -> None:
        """Sets another configurator, also for the loggers that are there."""
        self._logger_configurator = logger_configurator
        with self._active_loggers_lock:
            for logger in list(self._active_loggers):
                logger._set_logger_config(self._configured(logger.instrumentation_scope))

    def _configured(self, scope: InstrumentationScope) -> _LoggerConfig:
        try:
            return self._logger_configurator(scope)
        except Exception:
            _logger.exception("The logger configurator failed for scope '%s'; the default is used.", scope.name)
            return _LoggerConfig.default()

    def shutdown(self) -> None:
        """Ends the processors. The recording goes on: what is logged while the process ends is in it too."""
        self._multi_log_record_processor.shutdown()
        if self._at_exit_handler is not None:
            atexit.unregister(self._at_exit_handler)
            self._at_exit_handler = None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flushes the processors; the file has everything already.

        Args:
            timeout_millis: the longest wait.

        Returns:
            False if that was not long enough.
        """
        return self._multi_log_record_processor.force_flush(timeout_millis)


_providers: weakref.WeakSet[LoggerProvider] = weakref.WeakSet()


def _handle_fork() -> None:
    for provider in list(_providers):
        provider._handle_fork()


os.register_at_fork(after_in_child=_handle_fork)


def _watch(multi: _MultiProcessor, provider: LoggerProvider) -> None:
    """Has a provider's loggers know when processors are added."""
    if not isinstance(multi, _MultiLogRecordProcessor):
        return
    before, weak = multi._on_added, weakref.ref(provider)

    def added() -> None:
        if before is not None:
            before()
        if (alive := weak()) is not None:
            alive._find_processors()

    multi._on_added = added


# What a record of `logging` has of its own, which is no attribute.
_OWN = vars(logging.makeLogRecord({})).keys() | {"asctime", "getMessage", "message", "taskName"}
_SEVERITY_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_BODIES = (type(None), bool, bytes, int, float, str, Sequence, Mapping)
# How deep log records may lie within the handling of others, where processors, exporters and warnings log again.
_MAX_DEPTH = 8
_depth: ContextVar[int] = ContextVar("otlp_mmap_handler_depth", default=0)


class LoggingHandler(_NativeLoggingHandler, logging.Handler):
    """Records what the standard library's `logging` is given.

    The name of the logger becomes that of the instrumentation scope. A subclass may translate records in its own way
    by `_translate` and `_get_attributes`.

    Args:
        level: records below it are left out.
        logger_provider: makes the loggers, by default the global one.
        log_code_attributes: whether records say which line logged them.
        promote_event_name: whether the extra attribute `otel.event.name` (or the deprecated `event.name`) is the
            record's event name instead.
        format_bodies: whether a message that is no text is recorded as its text.
    """

    def __init__(
        self,
        level: int = logging.NOTSET,
        logger_provider: APILoggerProvider | None = None,
        *,
        log_code_attributes: bool = True,
        promote_event_name: bool = False,
        format_bodies: bool = False,
    ) -> None:
        super().__init__(level=level)
        self._logger_provider = logger_provider or get_logger_provider()
        self._log_code_attributes = log_code_attributes
        self._promote_event_name = promote_event_name
        self._format_bodies = format_bodies
        cls = type(self)
        own = (cls._translate, cls._get_attributes) == (LoggingHandler._translate, LoggingHandler._get_attributes)
        self._configure(
            code_attributes=log_code_attributes,
            event_names=promote_event_name,
            text_bodies=format_bodies,
            is_translated=not own,
        )

    def _get_logger(self, name: str) -> APILogger:
        """The logger for a name; the native half asks once for each that is ours."""
        return get_logger(name, logger_provider=self._logger_provider)

    def _emit_translated(self, logger: APILogger, record: logging.LogRecord) -> None:
        """The way of a record that processors, another SDK or a subclass must see."""
        depth = _depth.get()
        if isinstance(logger, NoOpLogger) or depth >= _MAX_DEPTH:
            return
        token = _depth.set(depth + 1)
        try:
            logger.emit(self._translate(record))
        finally:
            _depth.reset(token)

    def _failed(self, record: logging.LogRecord, error: Exception) -> None:
        try:
            raise error
        except Exception:
            self.handleError(record)

    def _get_attributes(self, record: logging.LogRecord) -> Attributes:
        attributes = {key: value for key, value in vars(record).items() if key not in _OWN}
        if self._log_code_attributes:
            attributes["code.file.path"] = record.pathname
            attributes["code.function.name"] = record.funcName
            attributes["code.line.number"] = record.lineno
        if record.exc_info:
            kind, exception, stack = record.exc_info
            if kind is not None:
                attributes["exception.type"] = kind.__name__
            if exception is not None and exception.args:
                attributes["exception.message"] = str(exception.args[0])
            if stack is not None:
                attributes["exception.stacktrace"] = format_exception(kind, exception, stack)
        return attributes

    def _body(self, record: logging.LogRecord) -> Any:
        if self.formatter:
            return self.format(record)
        if record.args or self._format_bodies or isinstance(record.msg, str):
            return record.getMessage()
        return record.msg if isinstance(record.msg, _BODIES) else str(record.msg)

    def _take_event_name(self, attributes: dict[str, Any]) -> str | None:
        if not self._promote_event_name:
            return None
        names = [attributes.pop("otel.event.name", None), attributes.pop("event.name", None)]
        return next((name if isinstance(name, str) else str(name) for name in names if name is not None), None)

    def _translate(self, record: logging.LogRecord) -> LogRecord:
        attributes = dict(self._get_attributes(record) or {})
        return LogRecord(
            event_name=self._take_event_name(attributes),
            timestamp=int(record.created * 1e9),
            observed_timestamp=time_ns(),
            context=get_current() or None,
            severity_text=_SEVERITY_TEXTS.get(record.levelname, record.levelname),
            severity_number=std_to_otel(record.levelno),
            body=self._body(record),
            attributes=attributes,
        )

    def flush(self) -> None:
        """Flushes the provider's processors, if it has any, on a thread: a lock of `logging` may be held here."""
        force_flush = getattr(self._logger_provider, "force_flush", None)
        if not callable(force_flush):
            return
        multi = getattr(self._logger_provider, "_multi_log_record_processor", None)
        if isinstance(multi, _MultiLogRecordProcessor) and not multi._log_record_processors:
            return
        try:
            threading.Thread(target=force_flush).start()
        except RuntimeError:
            # The process is ending and starts no threads; the provider's `shutdown` flushes too.
            _logger.debug("no thread for a flush", exc_info=True)


def std_to_otel(levelno: int) -> SeverityNumber:
    """The severity number of a level of `logging`: each ten is a severity, up to three above it are steps within."""
    if levelno < logging.DEBUG:
        return SeverityNumber.UNSPECIFIED
    if levelno > logging.CRITICAL + 3:
        return SeverityNumber.FATAL4
    return SeverityNumber(levelno // 10 * 4 + 1 + min(levelno % 10, 3))
