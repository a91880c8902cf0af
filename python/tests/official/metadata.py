"""The entry points of our package, found without installing it: what pip would write of pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def write_metadata(scratch: Path) -> Path:
    """Writes the metadata into a new folder that belongs into the module search path."""
    with PYPROJECT.open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    folder = scratch / "metadata"
    info = folder / "otlp_mmap-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: otlp-mmap\nVersion: 0.1.0\n")
    groups = project.get("entry-points", {})
    (info / "entry_points.txt").write_text("".join(section(name, points) for name, points in groups.items()))
    return folder


def section(group: str, points: dict[str, str]) -> str:
    """A group of entry points."""
    return "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in points.items()), ""])
