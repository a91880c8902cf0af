"""Who made telemetry: the instrumentation scope."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.util.types import Attributes
from typing_extensions import deprecated

__all__ = ["InstrumentationInfo", "InstrumentationScope"]


@deprecated("Use InstrumentationScope instead.")
class InstrumentationInfo:
    """What instrumentation scopes were called before they had attributes. Immutable.

    Args:
        name: of the instrumentation library.
        version: of it.
        schema_url: of its telemetry.
    """

    __slots__ = ("_name", "_schema_url", "_version")

    def __init__(self, name: str, version: str | None = None, schema_url: str | None = None) -> None:
        self._name = name
        self._version = version
        self._schema_url = schema_url or ""

    @property
    def name(self) -> str:
        """Of the instrumentation library."""
        return self._name

    @property
    def version(self) -> str | None:
        """Of the instrumentation library."""
        return self._version

    @property
    def schema_url(self) -> str:
        """Of its telemetry; empty: none."""
        return self._schema_url

    def _key(self) -> tuple[Any, ...]:
        return (self._name, self._version, self._schema_url)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name}, {self._version}, {self._schema_url})"


class InstrumentationScope:
    """The part of a program that made telemetry. Immutable.

    Args:
        name: usually of the module or the instrumentation library.
        version: of it.
        schema_url: of its telemetry.
        attributes: of the scope.
    """

    __slots__ = ("_attributes", "_name", "_schema_url", "_version")

    def __init__(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> None:
        self._name = name
        self._version = version
        self._schema_url = schema_url or ""
        self._attributes = BoundedAttributes(attributes=attributes, immutable=True)

    @property
    def name(self) -> str:
        """Usually of the module or the instrumentation library."""
        return self._name

    @property
    def version(self) -> str | None:
        """Of the module or the instrumentation library."""
        return self._version

    @property
    def schema_url(self) -> str:
        """Of the scope's telemetry; empty: none."""
        return self._schema_url

    @property
    def attributes(self) -> Attributes:
        """Of the scope; they cannot be changed."""
        return self._attributes

    def to_json(self, indent: int | None = 4) -> str:
        """As a JSON object; `attributes` is null if there are none."""
        fields = {
            "name": self._name,
            "version": self._version,
            "schema_url": self._schema_url,
            "attributes": dict(self._attributes) or None,
        }
        return json.dumps(fields, indent=indent)

    def _key(self) -> tuple[Any, ...]:
        return (self._name, self._version, self._schema_url, self._attributes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InstrumentationScope):
            return NotImplemented
        return self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, InstrumentationScope):
            return NotImplemented
        return self._key() < other._key()

    def __hash__(self) -> int:
        # Without the attributes, whose values need not be hashable.
        return hash((self._name, self._version, self._schema_url))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name}, {self._version}, {self._schema_url}, {self._attributes})"


def _scope_name_matches_glob(glob_pattern: str) -> Callable[[InstrumentationScope], bool]:
    """A predicate of scopes whose name matches a pattern of the shell's kind; upper and lower case differ."""
    return lambda scope: fnmatchcase(scope.name, glob_pattern)
