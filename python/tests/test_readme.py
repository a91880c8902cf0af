"""The examples of the project's README run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import otlp_mmap

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_python_example_and_then_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
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
