"""The source distributions that hold the official tests: which, from where, and unpacked into what folder."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
CACHE = PROJECT / "target" / "official"


@dataclass(frozen=True)
class Suite:
    """The tests of a source distribution."""

    name: str
    version: str

    @property
    def distribution(self) -> str:
        """Its name in a package index."""
        return "opentelemetry-sdk" if self.name == "sdk" else f"opentelemetry-instrumentation-{self.name}"

    @property
    def folder(self) -> Path:
        """Where it lies unpacked."""
        return CACHE / f"{self.distribution.replace('-', '_')}-{self.version}"

    @property
    def list(self) -> Path:
        """Its list of the tests that do not apply."""
        return Path(__file__).parent / "not_applicable" / f"{self.name}.toml"


INSTRUMENTATIONS = [
    "asyncio",
    "celery",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "logging",
    "requests",
    "sqlalchemy",
    "system-metrics",
    "threading",
]
SUITES = {
    suite.name: suite for suite in [Suite("sdk", "1.45.2"), *(Suite(name, "0.66b1") for name in INSTRUMENTATIONS)]
}


def fetch(suite: Suite) -> Path:
    """Downloads a source distribution by pip, from the index that pip is set up for, unless it is there; its folder."""
    if not suite.folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        # pip asks the build backend for the metadata: without isolation it takes the one of requirements/official.txt.
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", str(CACHE)]
        requirement = f"{suite.distribution}=={suite.version}"
        subprocess.run([sys.executable, "-m", "pip", "download", *options, requirement], check=True)
        unpack(suite.folder.with_name(suite.folder.name + ".tar.gz"), suite.folder)
    return suite.folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks an archive that holds one folder; the folder appears when it is whole."""
    partial = folder.with_name(folder.name + ".partial")
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    (partial / folder.name).rename(folder)
    partial.rmdir()
