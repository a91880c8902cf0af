"""What most tests begin with: a writer with a resource and a scope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from otlp_mmap import Reader, Writer

from .telemetry import RESOURCE, SCOPE, define_scope


@dataclass(frozen=True)
class Recording:
    """A file that is being recorded into."""

    path: Path
    writer: Writer
    scope: int

    @property
    def reader(self) -> Reader:
        """A reader of the file."""
        return Reader(self.path)


@pytest.fixture(scope="session", autouse=True)
def own_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Providers in the process of the tests do not record into the user's directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTLP_MMAP_DIRECTORY", str(tmp_path_factory.mktemp("recordings")))
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path at which there is no file yet."""
    return tmp_path / "test.otlpmm"


@pytest.fixture
def recording(path: Path) -> Iterator[Recording]:
    """A recording with one scope."""
    with Writer(path) as writer:
        yield Recording(path, writer, define_scope(writer, RESOURCE, SCOPE))
