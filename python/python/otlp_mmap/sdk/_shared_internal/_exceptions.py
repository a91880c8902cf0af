"""The text of an exception with its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType


def format_exception(
    kind: type[BaseException] | None, exception: BaseException | None, stack: TracebackType | None
) -> str:
    """The text that Python prints of an exception; without lines of source code where they cannot be read any more."""
    try:
        return "".join(traceback.format_exception(kind, exception, stack))
    except ImportError:
        # An interpreter that is ending imports nothing, and from Python 3.13 on `linecache` imports when it is called.
        return "".join(_without_source(kind, exception, stack))


def _without_source(
    kind: type[BaseException] | None, exception: BaseException | None, stack: TracebackType | None
) -> Iterator[str]:
    if stack is not None:
        yield "Traceback (most recent call last):\n"
    while stack is not None:
        code = stack.tb_frame.f_code
        yield f'  File "{code.co_filename}", line {stack.tb_lineno}, in {code.co_name}\n'
        stack = stack.tb_next
    yield f"{getattr(kind, '__qualname__', kind)}: {exception}\n"
