"""The examples of the project's README run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import otlp_mmap
from otlp_mmap.model import NumberPoint

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_python_example_and_then_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, example = blocks("python")
    exec(compile(example, str(README), "exec"), {})
    assert [span.name for span in otlp_mmap.Reader("shop.otlpmm").spans()] == ["GET /"]

    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("otlp-mmap ")]
    assert len(commands) == 6
    for command in commands:
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip(), command


def test_the_example_of_the_sdk(tmp_path: Path) -> None:
    example, _ = blocks("python")
    environment = {**os.environ, "OTLP_MMAP_DIRECTORY": str(tmp_path)}
    subprocess.run([sys.executable, "-c", example], env=environment, check=True, timeout=60)
    reader = otlp_mmap.Reader(tmp_path)
    (span,) = reader.spans()
    assert (span.name, span.attributes, span.events[0].name) == ("order", {"product": "tea"}, "charged")
    assert span.scope.resource.attributes["service.name"] == "shop"
    (orders,) = reader.metrics()
    assert (orders.stream.name, orders.point, orders.attributes) == ("shop.orders", NumberPoint(1), {"product": "tea"})
