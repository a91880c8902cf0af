"""The examples of the project's README run."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
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
    assert len(commands) == 8
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        words = [str(Path(sys.executable).parent / program), *arguments]
        if "inspect" in arguments and "--once" not in arguments:
            assert "GET /" in seen_in_a_terminal(words), command
            continue
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip(), command


def seen_in_a_terminal(words: list[str]) -> str:
    """What a program draws until `q` ends it."""
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal) as program:
        os.close(terminal)
        drawn = b""
        while b"GET /" not in drawn:
            ready, _, _ = select.select([controller], [], [], 60)
            assert ready, drawn
            drawn += os.read(controller, 4096)
        os.write(controller, b"q")
        assert program.wait(60) == 0
    os.close(controller)
    return drawn.decode(errors="replace")


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
