"""The variables that `opentelemetry-instrument` takes as options: those of this SDK that no other package declares.

It refuses to start if two packages declare the same one, as this SDK and the official one do.
"""

from __future__ import annotations

from opentelemetry.util._importlib_metadata import entry_points

from .. import environment_variables

_GROUP = "opentelemetry_environment_variables"


def _declare() -> None:
    declared: set[str] = set()
    for entry_point in entry_points(group=_GROUP):
        if entry_point.value != __name__:
            declared.update(dir(entry_point.load()))
    own = {name for name in dir(environment_variables) if name.startswith("OTEL_")}
    globals().update({name: name for name in own - declared})


_declare()
