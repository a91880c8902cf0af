"""Resources: what is detected, what wins, and what is told about what went wrong."""

from __future__ import annotations

import json
import logging
import os
import pwd
import threading
import uuid
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest
from opentelemetry.util import _importlib_metadata

import otlp_mmap
from otlp_mmap.sdk import resources
from otlp_mmap.sdk.resources import (
    OTELResourceDetector,
    ProcessResourceDetector,
    Resource,
    ResourceDetector,
    ServiceInstanceIdResourceDetector,
    get_aggregated_resources,
)

from ..processes import fork, join


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(variable)


class Found(ResourceDetector):
    """Finds what it is told to, or raises it."""

    def __init__(self, found: Resource | Exception, raise_on_error: bool = False) -> None:
        super().__init__(raise_on_error)
        self._found = found

    def detect(self) -> Resource:
        """What it was told."""
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def test_a_resource_has_what_is_detected_and_the_callers_attributes_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test, team = a%20b ,both=environment")
    resource = Resource.create({"both": "caller"}, "https://schema/1")
    attributes = dict(resource.attributes)
    assert uuid.UUID(str(attributes.pop("service.instance.id"))).version == 4
    assert str(attributes.pop("service.name")).startswith("unknown_service:python")
    assert attributes == {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "otlp-mmap",
        "telemetry.sdk.version": otlp_mmap.__version__,
        "deployment.environment": "test",
        "team": "a b",
        "both": "caller",
    }
    assert resource.schema_url == "https://schema/1"


def test_the_service_name_variable_wins_over_the_attributes_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=attributes")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "service")
    assert Resource.create().attributes["service.name"] == "service"
    assert Resource.create({"service.name": "caller"}).attributes["service.name"] == "caller"


def test_an_item_without_a_value_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "one=1,two,three=3=3")
    assert OTELResourceDetector().detect() == Resource({"one": "1", "three": "3=3"})
    assert [(record.levelname, "'two'" in record.getMessage()) for record in caplog.records] == [("WARNING", True)]


def test_merge_takes_the_others_attributes_and_the_schema_url_that_there_is() -> None:
    merged = Resource({"a": 1, "b": 1}).merge(Resource({"b": 2, "c": 2}, "https://schema/1"))
    assert merged == Resource({"a": 1, "b": 2, "c": 2}, "https://schema/1")
    assert merged.merge(Resource({})).schema_url == "https://schema/1"


def test_schema_urls_that_differ_are_an_error_and_nothing_is_merged(caplog: pytest.LogCaptureFixture) -> None:
    resource = Resource({"a": 1}, "https://schema/1")
    assert resource.merge(Resource({"b": 2}, "https://schema/2")) is resource
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_resource_is_immutable_and_can_be_compared_hashed_and_printed() -> None:
    resource = Resource({"bytes": b"\x01", "list": [1, 2], "map": {"key": [b"\x02"]}}, "https://schema/1")
    with pytest.raises(TypeError):
        resource.attributes["bytes"] = 1  # type: ignore[index]
    same = Resource({"map": {"key": [b"\x02"]}, "list": [1, 2], "bytes": b"\x01"}, "https://schema/1")
    assert same == resource
    assert hash(same) == hash(resource)
    assert resource != Resource({"bytes": "01", "list": [1, 2], "map": {"key": ["02"]}}, "https://schema/1")
    assert json.loads(resource.to_json()) == {
        "attributes": {"bytes": "01", "list": [1, 2], "map": {"key": ["02"]}},
        "schema_url": "https://schema/1",
    }


def test_detectors_are_merged_in_their_order() -> None:
    detectors = [Found(Resource({"a": 1, "b": 1})), Found(Resource({"b": 2}, "https://schema/1"))]
    merged = get_aggregated_resources(detectors, Resource({"a": 0, "z": 0}))
    assert merged == Resource({"a": 1, "b": 2, "z": 0}, "https://schema/1")


def test_a_failing_detector_is_left_out_unless_it_is_to_raise(caplog: pytest.LogCaptureFixture) -> None:
    failing = [Found(ValueError("no such thing")), Found(Resource({"a": 1}))]
    assert get_aggregated_resources(failing, Resource({})) == Resource({"a": 1})
    assert "no such thing" in caplog.text
    with pytest.raises(ValueError, match="no such thing"):
        get_aggregated_resources([Found(ValueError("no such thing"), raise_on_error=True)], Resource({}))


def test_a_slow_detector_is_left_out_and_its_thread_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    may_end = threading.Event()

    def end(_: logging.LogRecord) -> bool:
        may_end.set()
        return True

    # The detector ends when it has been told to be slow.
    caplog.handler.addFilter(end)

    class Slow(Found):
        def detect(self) -> Resource:
            may_end.wait()
            return super().detect()

    threads = threading.active_count()
    assert get_aggregated_resources([Slow(Resource({"a": 1}))], Resource({}), timeout=0.01) == Resource({})
    assert "took longer than" in caplog.text
    assert threading.active_count() == threads


def test_detectors_are_found_by_name_and_a_missing_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "host, os,no_such")
    attributes = Resource.create().attributes
    assert attributes["os.type"] == "linux"
    assert attributes["host.name"] == os.uname().nodename
    assert "no_such" in caplog.text


FOREIGN = Resource({"foreign": "yes", "both": "detector", "service.instance.id": "theirs"}, "https://schema/1")


def foreign_detector() -> ResourceDetector:
    """What the entry point of the next tests names."""
    return Found(FOREIGN)


@pytest.mark.parametrize("names", ["foreign", "*", "foreign,*"])
def test_foreign_detectors_are_found_by_their_entry_points(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    def entry_points(**selection: Any) -> EntryPoints:
        group = "opentelemetry_resource_detector"
        return EntryPoints([EntryPoint("foreign", f"{__name__}:foreign_detector", group)]).select(**selection)

    monkeypatch.setattr(_importlib_metadata, "entry_points", entry_points)
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", names)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "both=environment")
    resource = Resource.create()
    assert resource.attributes["foreign"] == "yes"
    assert resource.attributes["both"] == "environment"
    assert resource.attributes["service.instance.id"] == "theirs"
    assert resource.schema_url == "https://schema/1"
    assert ("process.pid" in resource.attributes) == ("*" in names)


def test_the_process_detector_tells_arguments_only_if_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.orig_argv", ["python3", "-m", "shop", "--token=secret"])
    attributes = ProcessResourceDetector().detect().attributes
    assert attributes["process.pid"] == os.getpid()
    assert attributes["process.parent_pid"] == os.getppid()
    assert attributes["process.owner"] == pwd.getpwuid(os.getuid()).pw_name
    assert attributes["process.command"] == "python3"
    assert "secret" not in str(attributes)
    attributes = ProcessResourceDetector(include_command_args=True).detect().attributes
    assert attributes["process.command_args"] == ("python3", "-m", "shop", "--token=secret")
    assert attributes["process.command_line"] == "python3 -m shop --token=secret"


def test_a_forked_child_has_an_instance_id_of_its_own() -> None:
    mine = ServiceInstanceIdResourceDetector().detect()
    assert ServiceInstanceIdResourceDetector().detect() == mine

    def child() -> None:
        assert ServiceInstanceIdResourceDetector().detect() != mine
        assert resources._get_process_dependent_resource() == ServiceInstanceIdResourceDetector().detect()

    assert join([fork(child)]) == [0]
