"""From environment variables to global providers, for `opentelemetry-instrument` and programs that do the same.

Every signal is recorded unless its exporter variable is "none"; an exporter that it names, found by its entry point, is
attached beside the recording. The private names are those that distros of other makers use of the official SDK.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from os import environ
from typing import Any, Literal

from opentelemetry._logs import set_logger_provider
from opentelemetry.environment_variables import (
    OTEL_LOGS_EXPORTER,
    OTEL_METRICS_EXPORTER,
    OTEL_PYTHON_ID_GENERATOR,
    OTEL_TRACES_EXPORTER,
)
from opentelemetry.metrics import set_meter_provider
from opentelemetry.trace import set_tracer_provider
from opentelemetry.util._importlib_metadata import entry_points

from .._logs import LoggerProvider
from .._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from .._shared_internal import is_sdk_disabled
from ..environment_variables import (
    _OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED,
    OTEL_CONFIG_FILE,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_LOG_LEVEL,
    OTEL_PYTHON_LOGGER_CONFIGURATOR,
    OTEL_PYTHON_METER_CONFIGURATOR,
    OTEL_PYTHON_TRACER_CONFIGURATOR,
    OTEL_SDK_DISABLED,
)
from ..metrics import MeterProvider
from ..metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from ..resources import TELEMETRY_AUTO_VERSION, Resource
from ..trace import TracerProvider
from ..trace.export import BatchSpanProcessor, ConsoleSpanExporter
from ._logging import attach_handler

_logger = logging.getLogger(__name__)

_Signal = Literal["traces", "metrics", "logs"]

# What an exporter's class is given.
_ExporterArguments = Mapping[Any, Mapping[str, Any]]

_RECORDER = "otlp_mmap"

_EXPORTER_VARIABLES: Mapping[_Signal, str] = {
    "traces": OTEL_TRACES_EXPORTER,
    "metrics": OTEL_METRICS_EXPORTER,
    "logs": OTEL_LOGS_EXPORTER,
}

_PROTOCOL_VARIABLES: Mapping[_Signal, str] = {
    "traces": OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    "metrics": OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    "logs": OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
}

_EXPORTER_OTLP = "otlp"
_EXPORTER_OTLP_PROTO_GRPC = "otlp_proto_grpc"
_EXPORTER_OTLP_PROTO_HTTP = "otlp_proto_http"
_PROTOCOLS = {"grpc": _EXPORTER_OTLP_PROTO_GRPC, "http/protobuf": _EXPORTER_OTLP_PROTO_HTTP}

# Found before entry points: the official SDK has entry points with this name too.
_CONSOLE_EXPORTERS: Mapping[_Signal, Any] = {
    "traces": ConsoleSpanExporter,
    "metrics": ConsoleMetricExporter,
    "logs": ConsoleLogRecordExporter,
}

_LOG_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
}


def _import_config_components(selected_components: Sequence[str], entry_point_name: str) -> list[tuple[str, Any]]:
    """What the entry points of a group with these names load.

    Raises:
        RuntimeError: there is no such entry point.
    """
    components = []
    for name in selected_components:
        found = next(iter(entry_points(group=entry_point_name, name=name)), None)
        if found is None:
            raise RuntimeError(f"Requested component '{name}' not found in entry point '{entry_point_name}'")
        components.append((name, found.load()))
    return components


def _load(name: str, group: str, what: str, then: str) -> Any:
    """What an entry point loads; None, with an error in the log, if it cannot be loaded."""
    try:
        ((_, component),) = _import_config_components([name], group)
    except Exception as error:
        _logger.error("The %s %r cannot be loaded, %s: %s", what, name, then, error)
        return None
    return component


def _records(signal: _Signal) -> bool:
    """Whether a signal is on: the variable of its exporters is not "none"."""
    return environ.get(_EXPORTER_VARIABLES[signal], "").strip().lower() != "none"


def _get_exporter_names(signal: _Signal) -> list[str]:
    """The exporters to attach beside the recording."""
    names = [name.strip() for name in environ.get(_EXPORTER_VARIABLES[signal], "").split(",")]
    return [_exporter_of_protocol(name, signal) for name in names if name and name.lower() not in ("none", _RECORDER)]


def _exporter_of_protocol(name: str, signal: _Signal) -> str:
    """The exporter that OTLP's protocol variable makes of "otlp".

    Raises:
        RuntimeError: the protocol is unknown.
    """
    variable = environ.get(_PROTOCOL_VARIABLES[signal]) or environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    protocol = (variable or "").strip()
    if name == _EXPORTER_OTLP:
        exporter = _PROTOCOLS.get(protocol or "grpc")
        if exporter is None:
            raise RuntimeError(f"Unsupported OTLP protocol '{protocol}' is configured")
        return exporter
    if name in _PROTOCOLS.values() and _PROTOCOLS.get(protocol, name) != name:
        _logger.warning("Conflicting values for %s OTLP exporter protocol, using '%s'", signal, name)
    return name


def _exporters(signal: _Signal, names: Sequence[str] | None) -> dict[str, Any]:
    """Classes of exporters, those of `names` first. What cannot be loaded is an error in the log: recording goes on."""
    try:
        configured = _get_exporter_names(signal)
    except RuntimeError as error:
        _logger.error("No exporter of %s is attached: %s", signal, error)
        configured = []
    found = {}
    for name in [*(names or ()), *configured]:
        exporter = _CONSOLE_EXPORTERS[signal] if name == "console" else None
        exporter = exporter or _load(
            name, f"opentelemetry_{signal}_exporter", f"exporter of {signal}", "it is left out"
        )
        if exporter:
            found[name] = exporter
    return found


def _import_id_generator(name: str | None) -> Any:
    """The id generator of a foreign entry point; None: our own."""
    name = (name or "random").strip()
    if name == "random":
        return None
    generator = _load(name, "opentelemetry_id_generator", "id generator", "the default is used")
    return generator() if generator else None


def _import_configurator(variable: str, group: str) -> Any:
    """What decides which instrumentation scopes are on, of a foreign entry point."""
    name = environ.get(variable, "").strip()
    return _load(name, group, "configurator", "every scope is on") if name else None


def _keyword(name: str, value: object) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _init_tracing(
    exporters: Mapping[str, Any],
    id_generator: Any = None,
    sampler: Any = None,
    resource: Resource | None = None,
    exporter_args_map: _ExporterArguments | None = None,
    span_processors: Sequence[Any] | None = None,
    export_span_processor: Callable[[Any], Any] | None = None,
    tracer_configurator: Any = None,
) -> None:
    provider = TracerProvider(
        sampler=sampler,
        resource=resource,
        id_generator=id_generator,
        **_keyword("_tracer_configurator", tracer_configurator),
    )
    set_tracer_provider(provider)
    for processor in span_processors or ():
        provider.add_span_processor(processor)
    export = export_span_processor or BatchSpanProcessor
    for exporter in exporters.values():
        provider.add_span_processor(export(exporter(**(exporter_args_map or {}).get(exporter, {}))))


def _init_metrics(
    exporters_or_readers: Mapping[str, Any],
    resource: Resource | None = None,
    exporter_args_map: _ExporterArguments | None = None,
    meter_configurator: Any = None,
) -> None:
    readers = []
    for made in exporters_or_readers.values():
        exporter_or_reader = made(**(exporter_args_map or {}).get(made, {}))
        is_reader = hasattr(exporter_or_reader, "collect")
        readers.append(exporter_or_reader if is_reader else PeriodicExportingMetricReader(exporter_or_reader))
    provider = MeterProvider(
        metric_readers=readers, resource=resource, **_keyword("_meter_configurator", meter_configurator)
    )
    set_meter_provider(provider)


def _init_logging(
    exporters: Mapping[str, Any],
    resource: Resource | None = None,
    setup_logging_handler: bool = True,
    exporter_args_map: _ExporterArguments | None = None,
    log_record_processors: Sequence[Any] | None = None,
    export_log_record_processor: Callable[[Any], Any] | None = None,
    logger_configurator: Any = None,
) -> None:
    provider = LoggerProvider(resource=resource, **_keyword("_logger_configurator", logger_configurator))
    set_logger_provider(provider)
    for processor in log_record_processors or ():
        provider.add_log_record_processor(processor)
    export = export_log_record_processor or BatchLogRecordProcessor
    for exporter in exporters.values():
        provider.add_log_record_processor(export(exporter(**(exporter_args_map or {}).get(exporter, {}))))
    if setup_logging_handler:
        attach_handler(provider)


def _initialize_components(
    auto_instrumentation_version: str | None = None,
    trace_exporter_names: Sequence[str] | None = None,
    metric_exporter_names: Sequence[str] | None = None,
    log_exporter_names: Sequence[str] | None = None,
    sampler: Any = None,
    resource_attributes: Mapping[str, Any] | None = None,
    id_generator: Any = None,
    setup_logging_handler: bool | None = None,
    exporter_args_map: _ExporterArguments | None = None,
    span_processors: Sequence[Any] | None = None,
    export_span_processor: Callable[[Any], Any] | None = None,
    log_record_processors: Sequence[Any] | None = None,
    export_log_record_processor: Callable[[Any], Any] | None = None,
    tracer_configurator: Any = None,
    meter_configurator: Any = None,
    logger_configurator: Any = None,
) -> None:
    """Sets the global providers of the signals that are on. What is not given comes from the variables."""
    version = _keyword(TELEMETRY_AUTO_VERSION, auto_instrumentation_version)
    resource = Resource.create({**(resource_attributes or {}), **version})
    if _records("traces"):
        _init_tracing(
            _exporters("traces", trace_exporter_names),
            id_generator=id_generator or _import_id_generator(environ.get(OTEL_PYTHON_ID_GENERATOR)),
            sampler=sampler,
            resource=resource,
            exporter_args_map=exporter_args_map,
            span_processors=span_processors,
            export_span_processor=export_span_processor,
            tracer_configurator=tracer_configurator
            or _import_configurator(OTEL_PYTHON_TRACER_CONFIGURATOR, "_opentelemetry_tracer_configurator"),
        )
    if _records("metrics"):
        _init_metrics(
            _exporters("metrics", metric_exporter_names),
            resource=resource,
            exporter_args_map=exporter_args_map,
            meter_configurator=meter_configurator
            or _import_configurator(OTEL_PYTHON_METER_CONFIGURATOR, "_opentelemetry_meter_configurator"),
        )
    if _records("logs"):
        if setup_logging_handler is None:
            variable = environ.get(_OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED, "")
            setup_logging_handler = variable.strip().lower() == "true"
        _init_logging(
            _exporters("logs", log_exporter_names),
            resource=resource,
            setup_logging_handler=setup_logging_handler,
            exporter_args_map=exporter_args_map,
            log_record_processors=log_record_processors,
            export_log_record_processor=export_log_record_processor,
            logger_configurator=logger_configurator
            or _import_configurator(OTEL_PYTHON_LOGGER_CONFIGURATOR, "_opentelemetry_logger_configurator"),
        )


def _set_log_level() -> None:
    """The level of this package's own log messages."""
    name = environ.get(OTEL_LOG_LEVEL, "").strip().lower()
    if not name:
        return
    if name in _LOG_LEVELS:
        logging.getLogger("otlp_mmap").setLevel(_LOG_LEVELS[name])
    else:
        _logger.error("%s=%r is ignored: expected one of %s", OTEL_LOG_LEVEL, name, ", ".join(_LOG_LEVELS))


class _BaseConfigurator(ABC):
    """Configures an SDK. There is one object of each class."""

    _instance: _BaseConfigurator | None = None
    _is_instrumented = False

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _BaseConfigurator:  # noqa: PYI034
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    @abstractmethod
    def _configure(self, **kwargs: Any) -> None:
        """Configures the SDK."""

    def configure(self, **kwargs: Any) -> None:
        """Configures the SDK."""
        self._configure(**kwargs)


class _OTelSDKConfigurator(_BaseConfigurator):
    """Sets the global providers as the variables say; distros may subclass it and give more to `_configure`."""

    def _configure(self, **kwargs: Any) -> None:
        _set_log_level()
        if is_sdk_disabled():
            _logger.info("Nothing is recorded: %s is true", OTEL_SDK_DISABLED)
            return
        if path := environ.get(OTEL_CONFIG_FILE):
            # The file may switch off, filter or redact what the variables would record.
            raise RuntimeError(
                f"{OTEL_CONFIG_FILE}={path}: this SDK cannot read configuration files, so nothing is recorded; "
                f"unset it and use the variables OTEL_* and OTLP_MMAP_* instead"
            )
        _initialize_components(**kwargs)
