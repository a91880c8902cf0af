"""A pytest plugin: writes the outcome of every test into the file that OTLP_MMAP_OUTCOMES names."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from pathlib import Path

import pytest

# The worst of its phases and subtests is a test's outcome.
ORDER = ["passed", "skipped", "failed"]


class Outcomes:
    """What became of the tests so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes every test, so that one that never runs is seen."""
        for item in items:
            self.found[item.nodeid] = {"outcome": "collected", "why": ""}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes a module that cannot be imported."""
        if report.failed:
            self.found[report.nodeid] = {"outcome": "unreadable", "why": str(report.longrepr)[-200:]}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a phase of a test."""
        found = self.found.setdefault(report.nodeid, {"outcome": "collected", "why": ""})
        if report.when != "call" and report.passed:
            return
        if found["outcome"] == "collected" or ORDER.index(report.outcome) > ORDER.index(found["outcome"]):
            found["outcome"] = report.outcome
            crash = getattr(report.longrepr, "reprcrash", None)
            found["why"] = crash.message if crash else str(report.longrepr or "")[-500:]

    def pytest_sessionfinish(self) -> None:
        """Writes the file."""
        self.path.write_text(json.dumps(self.found))


def raises_all(_self: object, *_exception: object) -> bool:
    """Swallows no exception: any that a test does not expect makes it fail."""
    return False


def pytest_configure(config: pytest.Config) -> None:
    """Registers the plugin, and mends a fault of the official test utilities."""
    # As it is, `assertNotRaises` swallows every exception but those of exactly the type that is named.
    with contextlib.suppress(ImportError):
        vars(importlib.import_module("opentelemetry.test"))[
            "_AssertNotRaisesMixin"
        ]._AssertNotRaises.__exit__ = raises_all
    config.pluginmanager.register(Outcomes(Path(os.environ["OTLP_MMAP_OUTCOMES"])))
