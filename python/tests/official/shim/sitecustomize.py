"""Makes `opentelemetry.sdk` and its submodules those of `otlp_mmap.sdk`, in this process and in those it starts.

Python loads this module by itself where its folder is in PYTHONPATH. The official SDK may be installed beside or not:
none of its code runs. Besides the modules, the names of loggers follow: the one of `opentelemetry.sdk.trace` is the one
of `otlp_mmap.sdk.trace`.

A test module that imports a name which ours does not have would be lost whole. It gets a placeholder instead, which
raises at whatever is done with it: so only the tests that use the name fail.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, NoReturn

OFFICIAL = "opentelemetry.sdk"
OURS = "otlp_mmap.sdk"

# The folder of the unpacked tests: only what they import may be a placeholder.
TESTS = os.environ.get("OTLP_MMAP_OFFICIAL_TESTS", "")


class NotOurs(BaseException):
    """A test used something of the official SDK that ours does not have; no `assertRaises` of a test expects it."""


def refuse(name: str) -> NoReturn:
    """Fails the test that uses a placeholder."""
    raise NotOurs(f"{name} is not in {OURS}")


class Placeholder(type):
    """The class of placeholders: they are classes, so that a test can name one as a base, in a hint or as a default."""

    def __call__(cls, *_arguments: Any, **_keywords: Any) -> Any:
        if imports_for_tests(sys._getframe(1)):
            return placeholder(f"{cls.__name__}()")
        refuse(cls.__name__)

    def __getattr__(cls, name: str) -> Any:
        if not sys._getframe(1).f_code.co_filename.startswith(TESTS):
            raise AttributeError(name)  # pytest, looking for tests
        if imports_for_tests(sys._getframe(1)):
            return placeholder(f"{cls.__name__}.{name}")
        refuse(cls.__name__)

    def __instancecheck__(cls, _instance: Any) -> bool:
        refuse(cls.__name__)

    def __subclasscheck__(cls, _subclass: type) -> bool:
        refuse(cls.__name__)


def placeholder(name: str) -> Any:
    """Stands for a name that ours does not have."""
    return Placeholder(name, (), {})


def imports_for_tests(frame: FrameType | None) -> bool:
    """Whether a frame is the top level, or the body of a class, of a test module; or what imports for one."""
    while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    if frame is None:
        return False
    code = frame.f_code
    return bool(TESTS) and code.co_filename.startswith(TESTS) and not code.co_flags & inspect.CO_NEWLOCALS


def missing(module: str) -> Any:
    """The `__getattr__` of a module of ours."""

    def getattribute(name: str) -> Any:
        if not name.startswith("__") and imports_for_tests(sys._getframe(1)) and not exists(f"{module}.{name}"):
            return placeholder(f"{module}.{name}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getattribute


def ours(name: str) -> str:
    """The name of ours, of a module of the official SDK."""
    return OURS + name[len(OFFICIAL) :]


def exists(module: str) -> bool:
    """Whether ours has a module."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class Alias(Loader):
    """Loads a module of the official SDK: the module of ours."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec_module(self, module: ModuleType) -> None:
        """Puts ours in the place of the module that the import made."""
        loaded = importlib.import_module(self.name)
        loaded.__dict__.setdefault("__getattr__", missing(self.name))
        sys.modules[module.__name__] = loaded


class Absent(Loader):
    """Loads a module of the official SDK that ours does not have: one of placeholders."""

    def exec_module(self, module: ModuleType) -> None:
        """Leaves the module empty."""
        module.__dict__["__getattr__"] = missing(ours(module.__name__))
        module.__path__ = []


class Shim(MetaPathFinder):
    """Finds the modules of the official SDK."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of ours, or one of placeholders."""
        if fullname != OFFICIAL and not fullname.startswith(OFFICIAL + "."):
            return None
        if exists(ours(fullname)):
            return ModuleSpec(fullname, Alias(ours(fullname)), is_package=True)
        if imports_for_tests(sys._getframe(1)):
            return ModuleSpec(fullname, Absent(), is_package=True)
        raise ModuleNotFoundError(f"{ours(fullname)} is not there", name=fullname)


def install() -> None:
    """Installs the shim."""
    sys.meta_path.insert(0, Shim())
    named = logging.Manager.getLogger

    def get_logger(manager: logging.Manager, name: str) -> logging.Logger:
        return named(manager, ours(name) if name == OFFICIAL or name.startswith(OFFICIAL + ".") else name)

    logging.Manager.getLogger = get_logger  # type: ignore[method-assign, assignment]


if "OTLP_MMAP_OFFICIAL_TESTS" in os.environ:
    install()
