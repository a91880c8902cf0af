"""The handler of `opentelemetry.instrumentation.logging`, native where the provider is ours."""

from __future__ import annotations

import logging

from opentelemetry._logs import LoggerProvider

from ...sdk import _logs

__all__ = ["LoggingHandler"]


class LoggingHandler(_logs.LoggingHandler):
    """Records what the standard library's `logging` is given.

    It differs from `otlp_mmap.sdk._logs.LoggingHandler` as the two official ones do: the extra attribute
    `otel.event.name` is the event name, bodies are texts, and the line of code is recorded only if asked for.

    Args:
        level: records below it are left out.
        logger_provider: makes the loggers, by default the global one.
        log_code_attributes: whether records say which line logged them.
    """

    def __init__(
        self,
        level: int = logging.NOTSET,
        logger_provider: LoggerProvider | None = None,
        log_code_attributes: bool = False,
    ) -> None:
        super().__init__(
            level,
            logger_provider,
            log_code_attributes=log_code_attributes,
            promote_event_name=True,
            format_bodies=True,
        )
