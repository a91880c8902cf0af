"""Tracers: the cold half. The native class starts the spans."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api

from ... import _native
from .._recording import Recording
from ..resources import Resource
from ..util._configurator import RuleBasedConfigurator
from ..util.instrumentation import InstrumentationInfo, InstrumentationScope
from ._limits import SpanLimits
from ._processors import SpanProcessor, hooks_of
from ._tracer_metrics import make_metrics
from .id_generator import IdGenerator
from .sampling import Sampler

_logger = logging.getLogger("otlp_mmap.sdk.trace")


@dataclass
class _TracerConfig:
    is_enabled: bool

    @classmethod
    def default(cls) -> _TracerConfig:
        return cls(is_enabled=True)


_TracerConfiguratorT = Callable[[InstrumentationScope], _TracerConfig]
_RuleBasedTracerConfigurator = RuleBasedConfigurator[_TracerConfig]


def _default_tracer_configurator(tracer_scope: InstrumentationScope) -> _TracerConfig:
    """Enables every tracer."""
    del tracer_scope
    return _TracerConfig.default()


def _disable_tracer_configurator(tracer_scope: InstrumentationScope) -> _TracerConfig:
    """Disables every tracer."""
    del tracer_scope
    return _TracerConfig(is_enabled=False)


class _Setting:
    """An attribute of a tracer that its spans are started with: setting it sets the native half up again."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_setting_{name}"

    def __get__(self, tracer: Any, owner: type | None = None) -> Any:
        return self if tracer is None else tracer.__dict__[self._name]

    def __set__(self, tracer: Any, value: Any) -> None:
        tracer.__dict__[self._name] = value
        tracer._apply()


class Tracer(_native.Tracer, trace_api.Tracer):  # type: ignore[misc] # another class of context managers
    """Starts spans. A provider makes it.

    Args:
        sampler: decides about the spans.
        resource: that the spans are of.
        span_processor: sees the spans.
        id_generator: makes ids.
        instrumentation_info: deprecated form of `instrumentation_scope`.
        span_limits: of the spans.
        instrumentation_scope: that the spans are of.
        meter_provider: for metrics of the tracer itself.
        recording: where the spans are recorded; None: nowhere.
    """

    sampler = _Setting()
    resource = _Setting()
    span_processor = _Setting()
    id_generator = _Setting()
    _span_limits = _Setting()
    _tracer_config = _Setting()

    def __init__(
        self,
        sampler: Sampler,
        resource: Resource,
        span_processor: SpanProcessor,
        id_generator: IdGenerator,
        instrumentation_info: InstrumentationInfo,
        span_limits: SpanLimits,
        instrumentation_scope: InstrumentationScope,
        *,
        meter_provider: metrics_api.MeterProvider | None = None,
        recording: Recording | None = None,
        _tracer_config: _TracerConfig | None = None,
    ) -> None:
        self._is_set_up = False
        self.instrumentation_info = instrumentation_info
        self._instrumentation_scope = instrumentation_scope
        self._recording = recording
        self._metrics = make_metrics(meter_provider)
        self.sampler = sampler
        self.resource = resource
        self.span_processor = span_processor
        self.id_generator = id_generator
        self._span_limits = span_limits
        self._tracer_config = _tracer_config or _TracerConfig.default()
        self._is_set_up = True
        self._apply()

    def _apply(self) -> None:
        if not self._is_set_up:
            return
        writer, scope_ref = self._destination()
        self._set_up(
            writer=writer,
            scope_ref=scope_ref,
            is_enabled=self._is_enabled(),
            sampler=self.sampler,
            id_generator=self.id_generator,
            limits=self._span_limits,
            hooks=hooks_of(self.span_processor),
            resource=self.resource,
            instrumentation_scope=self._instrumentation_scope,
            instrumentation_info=self.instrumentation_info,
            metrics=self._metrics,
        )

    def _destination(self) -> tuple[_native.Writer | None, int]:
        """The writer, and the reference of the scope; 0: spans are not in the file."""
        if self._recording is None:
            return None, 0
        try:
            return self._recording.writer, self._recording.scope(self.resource, self._instrumentation_scope)
        except Exception:
            _logger.exception("The spans of %r cannot be recorded", self._instrumentation_scope)
            return None, 0

    def _set_tracer_config(self, tracer_config: _TracerConfig) -> None:
        self._tracer_config = tracer_config

    def _set_resource(self, resource: Resource) -> None:
        self.resource = resource

    def _is_enabled(self) -> bool:
        """Whether spans are recorded."""
        return bool(self._tracer_config.is_enabled)


def make_info(name: str, version: str, schema_url: str | None) -> InstrumentationInfo:
    """The deprecated form of a scope, without a warning: nobody has asked for it yet."""
    info = object.__new__(InstrumentationInfo)
    info._name, info._version, info._schema_url = name, version, schema_url or ""
    return info
