"""The documentation holds: stubs agree with the extension, examples run."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otlp_mmap
from otlp_mmap import _native

PACKAGE = Path(otlp_mmap.__file__).parent


def documented(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Functions, classes and methods of the stub that have a docstring, by their qualified names."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and ast.get_docstring(inner):
                    yield f"{node.name}.{inner.name}", inner


STUBS = dict(documented(ast.parse((PACKAGE / "_native.pyi").read_text())))


@pytest.mark.parametrize("name", STUBS)
def test_docstrings_of_the_stub_are_those_of_the_extension(name: str) -> None:
    found: Any = _native
    for part in name.split("."):
        found = getattr(found, part)
    assert inspect.cleandoc(ast.get_docstring(STUBS[name]) or "") == inspect.cleandoc(found.__doc__)


@pytest.mark.parametrize("of", [otlp_mmap.Writer, otlp_mmap.Reader])
def test_everything_public_is_documented(of: type) -> None:
    public = [name for name in vars(of) if not name.startswith("_")]
    assert {f"{of.__name__}.{name}" for name in public} <= set(STUBS)


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = Path(__file__).parents[1] / "README.md"
    (example,) = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    exec(compile(example, str(readme), "exec"), {})
    assert [span.name for span in otlp_mmap.Reader("shop.otlpmm").spans()] == ["GET /"]


def test_the_package_is_typed_and_has_one_version() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert otlp_mmap.__version__ == importlib.metadata.version("otlp-mmap")


def test_classes_cannot_be_changed(recording: Any) -> None:
    for frozen in (recording.writer, recording.reader):
        with pytest.raises(AttributeError):
            frozen.path = "other"
        with pytest.raises(AttributeError):
            frozen.other = 1
