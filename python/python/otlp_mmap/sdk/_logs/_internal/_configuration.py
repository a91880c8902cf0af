"""What a logger is told by its provider's configurator, and the metric of loggers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.metrics import MeterProvider

from ...util._configurator import RuleBasedConfigurator
from ...util.instrumentation import InstrumentationScope


@dataclass
class _LoggerConfig:
    is_enabled: bool = True

    @classmethod
    def default(cls) -> _LoggerConfig:
        """Of a logger about which nothing is said."""
        return _LoggerConfig()


_LoggerConfiguratorT = Callable[[InstrumentationScope], _LoggerConfig]
_RuleBasedLoggerConfigurator = RuleBasedConfigurator[_LoggerConfig]


def _default_logger_configurator(_logger_scope: InstrumentationScope) -> _LoggerConfig:
    return _LoggerConfig.default()


def _disable_logger_configurator(_logger_scope: InstrumentationScope) -> _LoggerConfig:
    return _LoggerConfig(is_enabled=False)


class LoggerMetricsT(Protocol):
    """What loggers tell about themselves."""

    def emit_log(self) -> None:
        """A log record was emitted."""


class NoOpLoggerMetrics:
    """Counts nothing."""

    def emit_log(self) -> None:
        """A log record was emitted."""


class LoggerMetrics:
    """Counts with an instrument of a meter provider.

    Args:
        meter_provider: makes the instrument.
    """

    def __init__(self, meter_provider: MeterProvider) -> None:
        meter = meter_provider.get_meter("opentelemetry-sdk")
        self._created = meter.create_counter(
            "otel.sdk.log.created", "{log_record}", "Number of log records that enabled loggers were given."
        )

    def emit_log(self) -> None:
        """A log record was emitted."""
        self._created.add(1)


def create_logger_metrics(meter_provider: MeterProvider, enabled: bool) -> LoggerMetricsT:
    """The metrics of loggers; such as count nothing if they are not enabled."""
    return LoggerMetrics(meter_provider) if enabled else NoOpLoggerMetrics()
