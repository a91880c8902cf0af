"""The provider of tracers."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from typing import Any

from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.util.types import Attributes

from .._recording import Recording, default_recording
from .._shared_internal import is_sdk_disabled
from ..resources import Resource, _get_process_dependent_resource
from ..util.instrumentation import InstrumentationScope
from . import sampling
from ._limits import SpanLimits
from ._processors import ConcurrentMultiSpanProcessor, SpanProcessor, SynchronousMultiSpanProcessor
from ._tracer import (
    Tracer,
    _default_tracer_configurator,
    _TracerConfig,
    _TracerConfiguratorT,
    make_info,
)
from .id_generator import IdGenerator, RandomIdGenerator

_logger = logging.getLogger("otlp_mmap.sdk.trace")


class TracerProvider(trace_api.TracerProvider):
    """Makes tracers, whose spans go straight into the recording.

    Args:
        sampler: decides which spans are recorded; by default the one of `OTEL_TRACES_SAMPLER`.
        resource: that the spans are of; by default the one of the environment.
        shutdown_on_exit: whether the end of the interpreter shuts the provider down.
        active_span_processor: calls the processors that are added.
        id_generator: makes trace and span ids.
        span_limits: of each span; by default those of the environment.
        meter_provider: for metrics of the tracers themselves.
        recording: where the spans are recorded; by default the recording of the process.
    """

    def __init__(
        self,
        sampler: sampling.Sampler | None = None,
        resource: Resource | None = None,
        shutdown_on_exit: bool = True,
        active_span_processor: SynchronousMultiSpanProcessor | ConcurrentMultiSpanProcessor | None = None,
        id_generator: IdGenerator | None = None,
        span_limits: SpanLimits | None = None,
        *,
        meter_provider: metrics_api.MeterProvider | None = None,
        recording: Recording | None = None,
        _tracer_configurator: _TracerConfiguratorT | None = None,
    ) -> None:
        self._active_span_processor = active_span_processor or SynchronousMultiSpanProcessor()
        self.id_generator = id_generator or RandomIdGenerator()
        self._resource = Resource.create({}) if resource is None else resource
        self.sampler = sampler or sampling._get_from_env_or_default()
        self._span_limits = span_limits or SpanLimits()
        self._meter_provider = meter_provider
        self._disabled = is_sdk_disabled()
        self._recording = recording
        self._tracer_configurator = _tracer_configurator or _default_tracer_configurator
        self._tracers_lock = threading.Lock()
        self._tracers: dict[InstrumentationScope, Tracer] = {}
        self._is_shut_down = False
        self._atexit_handler = atexit.register(self.shutdown) if shutdown_on_exit else None
        _providers.add(self)

    @property
    def resource(self) -> Resource:
        """That the spans are of."""
        return self._resource

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace_api.Tracer:
        """A tracer, the same one for the same arguments.

        Args:
            instrumenting_module_name: name of the instrumentation scope.
            instrumenting_library_version: its version.
            schema_url: of its telemetry.
            attributes: of the scope.
        """
        if self._disabled:
            return trace_api.NoOpTracer()
        if not instrumenting_module_name:
            _logger.error("get_tracer called with missing module name.")
        name, version = instrumenting_module_name or "", instrumenting_library_version or ""
        scope = InstrumentationScope(name, version, schema_url, attributes)
        with self._tracers_lock:
            if tracer := self._tracers.get(scope):
                return tracer
            tracer = self._make_tracer(scope)
            self._tracers[scope] = tracer
        return tracer

    def _make_tracer(self, scope: InstrumentationScope) -> Tracer:
        return Tracer(
            self.sampler,
            self._resource,
            self._active_span_processor,
            self.id_generator,
            make_info(scope.name, scope.version or "", scope.schema_url),
            self._span_limits,
            scope,
            meter_provider=self._meter_provider,
            recording=self._recording_in_use(),
            _tracer_config=self._apply_tracer_configurator(scope),
        )

    def _recording_in_use(self) -> Recording:
        if self._recording is None:
            self._recording = default_recording(self._resource)
        return self._recording

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Adds a processor. It sees the spans that end from now on, also those in flight."""
        self._active_span_processor.add_span_processor(span_processor)

    def shutdown(self) -> None:
        """Shuts the processors down. Spans are still recorded: the recording is the process's."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._active_span_processor.shutdown()
        if self._atexit_handler is not None:
            atexit.unregister(self._atexit_handler)
            self._atexit_handler = None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Has the processors finish their work; returns whether they did so in time. The file needs no flush."""
        return self._active_span_processor.force_flush(timeout_millis)

    def _set_tracer_configurator(self, *, tracer_configurator: _TracerConfiguratorT) -> None:
        """Takes another configurator, for the tracers that there are too."""
        self._tracer_configurator = tracer_configurator
        with self._tracers_lock:
            for scope, tracer in self._tracers.items():
                tracer._set_tracer_config(self._apply_tracer_configurator(scope))

    def _apply_tracer_configurator(self, scope: InstrumentationScope) -> _TracerConfig:
        try:
            return self._tracer_configurator(scope)
        except Exception:
            _logger.exception("The configurator failed for %r; the tracer has the default configuration", scope)
            return _TracerConfig.default()

    def _update_resource(self, resource: Resource) -> None:
        with self._tracers_lock:
            self._resource = self._resource.merge(resource)
            for tracer in self._tracers.values():
                tracer._set_resource(self._resource)

    def _renew_in_child(self) -> None:
        """What a forked child cannot take over: a lock in an unknown state, and the resource of the process."""
        self._tracers_lock = threading.Lock()
        own = _get_process_dependent_resource()
        # A child that records nothing gets no file of its own.
        if any(self._resource.attributes.get(key) != value for key, value in own.attributes.items()):
            self._update_resource(own)


# One hook for all of them: a hook cannot be taken back.
_providers: weakref.WeakSet[Any] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for provider in list(_providers):
        provider._renew_in_child()


os.register_at_fork(after_in_child=_renew_after_fork)
