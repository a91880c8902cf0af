"""Programs in processes of their own, which record as the variables say, and what is read after their end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from otlp_mmap import Reader

# A span that ends in the file is there at once; this long is for a machine that is busy with other things.
TIMEOUT_SECONDS = 120

SET_UP = """
import os, signal, sys, threading, time
from opentelemetry import trace
from otlp_mmap.sdk.trace import TracerProvider
provider = TracerProvider()
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("test")

def span(name):
    with tracer.start_as_current_span(name):
        pass

"""


@dataclass(frozen=True)
class Programs:
    """Runs programs that record into one directory.

    Args:
        directory: of their recordings; it is also where they run.
        variables: of their environment, beside `OTLP_MMAP_DIRECTORY`.
    """

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def recordings(self) -> Path:
        """Where they record."""
        return self.directory / "recordings"

    def environment(self) -> dict[str, str]:
        """Of a program: nothing is inherited that would configure telemetry."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTLP_MMAP_"))}
        return {**inherited, "OTLP_MMAP_DIRECTORY": str(self.recordings), **self.variables}

    def run(self, *command: str | Path, status: int = 0) -> str:
        """Runs a command, which must end with this status, and returns what it printed.

        A program that hangs fails the test.
        """
        ran = subprocess.run(
            [*map(str, command)],
            cwd=self.directory,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert ran.returncode == status, ran.stdout
        return ran.stdout

    def python(self, body: str, *, status: int = 0, set_up: str = SET_UP) -> str:
        """Runs a program of Python."""
        program = self.directory / "program.py"
        program.write_text(set_up + textwrap.dedent(body))
        return self.run(sys.executable, "-W", "ignore::DeprecationWarning", program, status=status)

    def spans(self) -> list[str]:
        """The names of all ended spans, sorted."""
        return sorted(span.name for span in Reader(self.recordings).spans())

    def in_flight(self) -> list[str]:
        """The names of all spans that began and did not end, sorted."""
        return sorted(span.name for span in Reader(self.recordings).spans_in_flight())

    def states(self) -> list[str]:
        """How each recording ended, sorted."""
        return sorted(file.state for file in Reader(self.recordings).files())
