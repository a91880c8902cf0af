"""The handler that sends the standard library's log records to the logger provider."""

from __future__ import annotations

import functools
import logging
import logging.config
from collections.abc import Callable
from typing import Any

from .._logs import LoggerProvider, LoggingHandler


def attach_handler(provider: LoggerProvider) -> None:
    """Gives the root logger a handler, and has it survive what configures logging later."""
    handler = LoggingHandler(level=logging.NOTSET, logger_provider=provider)
    logging.getLogger().addHandler(handler)
    for module, name in ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig")):
        setattr(module, name, _aside(handler, getattr(module, name)))


def _aside(handler: logging.Handler, configure: Callable[..., None]) -> Callable[..., None]:
    """`configure`, during which the root logger does not have the handler.

    `basicConfig` does nothing if there is a handler, and the others remove it.
    """

    @functools.wraps(configure)
    def configure_without(*args: Any, **kwargs: Any) -> None:
        root = logging.getLogger()
        was_there = handler in root.handlers
        root.removeHandler(handler)
        try:
            configure(*args, **kwargs)
        finally:
            if was_there:
                root.addHandler(handler)

    return configure_without
