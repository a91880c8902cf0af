"""`start_as_current_span` as a decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any


def decorate(
    new_span: Callable[[], AbstractContextManager[object]], function: Callable[..., Any]
) -> Callable[..., Any]:
    """A function like `function` each of whose calls is a span; that of a coroutine lasts until it is done."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with new_span():
                return await function(*args, **kwargs)

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with new_span():
            return function(*args, **kwargs)

    return call
