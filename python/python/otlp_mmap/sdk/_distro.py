"""What `opentelemetry-instrument` loads; it needs the package `opentelemetry-instrumentation`."""

from __future__ import annotations

from os import environ
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_CONFIGURATOR

__all__ = ["Distro"]


class Distro(BaseDistro):  # type: ignore[misc]
    """Has this SDK's configurator chosen where another SDK is installed beside."""

    def _configure(self, **_kwargs: Any) -> None:
        environ.setdefault(OTEL_PYTHON_CONFIGURATOR, "otlp_mmap")
