"""Small things that the signals share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar, overload

from typing_extensions import Self

__all__ = ["BoundedList", "ns_to_iso_str"]

_Item = TypeVar("_Item")


def ns_to_iso_str(nanoseconds: int) -> str:
    """Unix nanoseconds as ISO 8601 in UTC, with microseconds."""
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class BoundedList(Sequence[_Item], Generic[_Item]):
    """A list that keeps its newest items. `dropped` counts the ones that gave way.

    Args:
        maxlen: the most items it holds; None: any number.

    Raises:
        ValueError: `maxlen` is negative.
    """

    def __init__(self, maxlen: int | None) -> None:
        self.dropped = 0
        self._dq: deque[_Item] = deque(maxlen=maxlen)
        self._lock = threading.Lock()

    @classmethod
    def from_seq(cls, maxlen: int | None, seq: Iterable[_Item]) -> Self:
        """A list of the newest items of a sequence."""
        bounded = cls(maxlen)
        bounded.extend(seq)
        return bounded

    def append(self, item: _Item) -> None:
        """Adds one item at the end."""
        self.extend((item,))

    def extend(self, seq: Iterable[_Item]) -> None:
        """Adds items at the end."""
        items = tuple(seq)
        with self._lock:
            if self._dq.maxlen is not None:
                self.dropped += max(0, len(self._dq) + len(items) - self._dq.maxlen)
            self._dq.extend(items)

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item]: ...
    def __getitem__(self, index: int | slice) -> _Item | Sequence[_Item]:
        if isinstance(index, slice):
            return tuple(self)[index]
        return self._dq[index]

    def __len__(self) -> int:
        return len(self._dq)

    def __iter__(self) -> Iterator[_Item]:
        with self._lock:
            return iter(tuple(self._dq))

    def __deepcopy__(self, memo: dict[int, Any]) -> BoundedList[_Item]:
        from copy import deepcopy

        with self._lock:
            copied: BoundedList[_Item] = BoundedList(self._dq.maxlen)
            memo[id(self)] = copied
            copied.dropped = self.dropped
            copied._dq = deepcopy(self._dq, memo)
        return copied

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)}, maxlen={self._dq.maxlen})"
