"""What the tests of traces share: a provider that records into a file of the test, and doubles of the interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags

from otlp_mmap import Reader, Writer, model
from otlp_mmap.sdk._recording import Recording
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from otlp_mmap.sdk.trace.sampling import Decision, Sampler, SamplingResult


class Traces:
    """A provider, and what is in its file."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.writer = Writer(path, cells_size=1 << 16, dictionary_size=1 << 17, **options.pop("writer", {}))
        self.recording = Recording(self.writer)
        options.setdefault("resource", Resource({"service.name": "tests"}))
        self.provider = TracerProvider(recording=self.recording, shutdown_on_exit=False, **options)
        # Any: the readable side of spans is not in the API.
        self.tracer: Any = self.provider.get_tracer("tests.scope", "1.0")

    def spans(self) -> list[model.Span]:
        """The spans of the file that have ended."""
        return Reader(self.writer.path).spans()

    def span(self) -> model.Span:
        """The only one."""
        (span,) = self.spans()
        return span

    def in_flight(self) -> list[model.Span]:
        """The spans of the file that have not."""
        return Reader(self.writer.path).spans_in_flight()


class Seen(SpanProcessor):
    """A processor that notes its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.ended: list[ReadableSpan] = []
        self.parents: list[Context | None] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.calls.append(("start", span.name))
        self.parents.append(parent_context)

    def _on_ending(self, span: Span) -> None:
        self.calls.append(("ending", span.name))

    def on_end(self, span: ReadableSpan) -> None:
        self.calls.append(("end", span.name))
        self.ended.append(span)


class Fixed(Sampler):
    """A sampler of another package, with a fixed answer."""

    def __init__(self, decision: Decision, **answer: Any) -> None:
        self.result = SamplingResult(decision, **answer)
        self.questions: list[tuple[Any, ...]] = []

    def should_sample(self, *question: Any, **named: Any) -> SamplingResult:
        assert not named
        self.questions.append(question)
        return self.result

    def get_description(self) -> str:
        return "Fixed"


def remote(flags: int = TraceFlags.SAMPLED, **options: Any) -> Context:
    """A context with a parent of another process."""
    span_context = SpanContext(0xABC << 100, 0xDEF, True, TraceFlags(flags), **options)
    return trace_api.set_span_in_context(trace_api.NonRecordingSpan(span_context), Context())


def current() -> Any:
    """The current span."""
    return trace_api.get_current_span()


def names(spans: Sequence[model.Span]) -> list[str]:
    """Of spans."""
    return [span.name for span in spans]
