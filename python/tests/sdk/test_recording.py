"""The recording of the process: where it goes, what the variables say, and what happens if it cannot be."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from otlp_mmap import Reader, Writer
from otlp_mmap.sdk import _recording
from otlp_mmap.sdk._recording import Recording, default_recording
from otlp_mmap.sdk.resources import Resource
from otlp_mmap.sdk.util.instrumentation import InstrumentationScope

from ..processes import fork, join

SMALL = {"OTLP_MMAP_CELLS_SIZE": "64K", "OTLP_MMAP_DICTIONARY_SIZE": "64k", "OTLP_MMAP_SPAN_SEGMENTS": "2"}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the default recording of the test goes."""
    for variable in [name for name in os.environ if name.startswith(("OTEL_", "OTLP_MMAP_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("OTLP_MMAP_DIRECTORY", str(tmp_path / "new" / "recordings"))
    monkeypatch.setattr(_recording, "_default", None)
    yield tmp_path / "new" / "recordings"
    if _recording._default and _recording._default.writer:
        _recording._default.writer.close()


def record_event(recording: Recording, resource: Resource, scope: InstrumentationScope) -> None:
    """One event, so that a reader tells the resource and the scope."""
    assert recording.writer
    recording.writer.record_event(recording.scope(resource, scope), None, None, 1, {})


def test_the_default_recording_is_one_file_named_after_the_service(directory: Path) -> None:
    recording = default_recording(Resource({"service.name": "tea shop"}))
    assert default_recording(Resource({"service.name": "other"})) is recording
    assert recording.writer
    assert list(directory.iterdir()) == [recording.writer.path]
    assert recording.writer.path.name.startswith(f"tea_shop.{os.getpid()}.")
    assert directory.stat().st_mode & 0o777 == 0o700


def test_threads_that_begin_at_once_share_one_recording(directory: Path) -> None:
    found = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        found.append(default_recording())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(list(directory.iterdir())) == 1


def test_references_are_the_same_for_what_is_equal_and_only_for_that() -> None:
    recording = default_recording()
    references = {recording.resource(Resource({"key": value})) for value in (1, True, 1.0, "1", b"1", (1,), None)}
    assert len(references) == 7
    assert 0 not in references
    resource = Resource({"key": 1})
    assert recording.resource(resource) == recording.resource(Resource({"key": 1}))
    assert recording.resource(Resource({"key": 1}, "https://schema/1")) != recording.resource(resource)
    scopes = {
        recording.scope(of, InstrumentationScope("name", version, url, {"key": value}))
        for of in (resource, Resource({}))
        for version in (None, "1")
        for url in (None, "https://schema/1")
        for value in (1, True)
    }
    assert len(scopes) == 16
    again = recording.scope(Resource({"key": 1}), InstrumentationScope("name", "1", "https://schema/1", {"key": 1}))
    assert again in scopes


def test_a_resource_and_a_scope_are_read_as_they_were_given(directory: Path) -> None:
    resource = Resource({"service.name": "shop", "deep": {"list": [1, "two", b"3"]}}, "https://schema/1")
    scope = InstrumentationScope("name", "1.0", "https://schema/2", {"key": 1.5})
    record_event(default_recording(), resource, scope)
    (event,) = Reader(directory).events()
    assert event.scope.resource.attributes["deep"] == {"list": [1, "two", b"3"]}
    assert event.scope.resource.schema_url == "https://schema/1"
    assert (event.scope.name, event.scope.version, event.scope.schema_url) == ("name", "1.0", "https://schema/2")
    assert event.scope.attributes == {"key": 1.5}


def test_a_forked_child_records_with_the_same_references_into_a_file_of_its_own(directory: Path) -> None:
    recording = default_recording(Resource({"service.name": "shop"}))
    resource, scope = Resource({"service.name": "shop"}), InstrumentationScope("name")
    reference = recording.scope(resource, scope)

    def child() -> None:
        assert default_recording() is recording
        assert recording.scope(resource, scope) == reference
        record_event(recording, resource, InstrumentationScope("child's own"))

    assert join([fork(child)]) == [0]
    record_event(recording, resource, scope)
    assert len(list(directory.iterdir())) == 2
    assert sorted(event.scope.name for event in Reader(directory).events()) == ["child's own", "name"]


def test_a_forked_child_has_an_instance_id_of_its_own_and_a_given_one_stays(directory: Path) -> None:
    recording = default_recording()
    scope = InstrumentationScope("name")
    generated, given = Resource.create(), Resource.create({"service.instance.id": "given"})
    record_event(recording, generated, scope)
    record_event(recording, given, scope)

    def child() -> None:
        renewed = Resource.create()  # as a provider does after a fork: from now on the process has another id
        record_event(recording, generated, scope)
        record_event(recording, given, scope)
        record_event(recording, renewed, scope)

    assert join([fork(child)]) == [0]
    files = Reader(directory).files()
    (parent,) = [file for file in files if file.pid == os.getpid()]
    (forked,) = [file for file in files if file.pid != os.getpid()]
    mine, child_id = (str(UUID(bytes=file.file_id)) for file in (parent, forked))
    found = [
        sorted(str(event.scope.resource.attributes["service.instance.id"]) for event in Reader(file.path).events())
        for file in (parent, forked)
    ]
    assert found == [sorted([mine, "given"]), sorted([child_id, child_id, "given"])]
    assert mine != child_id


def test_a_child_forked_while_the_recording_begins_is_not_blocked() -> None:
    with _recording._default_lock:
        assert join([fork(lambda: print(default_recording()))]) == [0]


def test_sizes_and_policies_come_from_variables(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    by_default = Writer(directory.parent.parent / "default.otlpmm")
    for variable, value in {
        **SMALL,
        "OTLP_MMAP_SEGMENT_SIZE": "8192",
        "OTLP_MMAP_EVENT_SEGMENTS": "2",
        "OTLP_MMAP_MEASUREMENT_SEGMENTS": "2",
        "OTLP_MMAP_ACTIVE_BLOCKS": "16",
        "OTLP_MMAP_OVERFLOW": "block",
        "OTLP_MMAP_CARDINALITY_LIMIT": "10",
        "OTLP_MMAP_CRC": "false",
        "OTLP_MMAP_STREAM_MEASUREMENTS": "True",
    }.items():
        monkeypatch.setenv(variable, value)
    recording = default_recording()
    assert recording.writer
    assert caplog.records == []
    # Header and state pages, 16 blocks, and 64 KiB each of cells and dictionary, and six segments.
    assert 200_000 < recording.writer.path.stat().st_size < 300_000 < by_default.path.stat().st_size


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("OTLP_MMAP_SEGMENT_SIZE", "big", "128K"),
        ("OTLP_MMAP_SEGMENT_SIZE", "5000", "multiple of 4096"),
        ("OTLP_MMAP_SPAN_SEGMENTS", "1", "between 2 and 65536"),
        ("OTLP_MMAP_CELLS_SIZE", "1T", "a number of bytes"),
        ("OTLP_MMAP_DICTIONARY_SIZE", "-1", "dictionary_size"),
        ("OTLP_MMAP_ACTIVE_BLOCKS", "1.5", "a whole number"),
        ("OTLP_MMAP_OVERFLOW", "drop", '"discard-newest"'),
        ("OTLP_MMAP_BLOCK_TIMEOUT", "1", 'only overflow="block"'),
        ("OTLP_MMAP_BLOCK_TIMEOUT", "soon", "a number of seconds"),
        ("OTLP_MMAP_CRC", "maybe", "true or false"),
    ],
)
def test_a_bad_value_is_told_and_the_default_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert default_recording().writer
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    message = record.getMessage()
    assert message.startswith(f"{variable}={value!r} is ignored")
    assert told in message or variable == "OTLP_MMAP_DICTIONARY_SIZE"


def test_a_bad_timeout_of_the_blocking_policy_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTLP_MMAP_OVERFLOW", "block")
    monkeypatch.setenv("OTLP_MMAP_BLOCK_TIMEOUT", "1e9")
    assert default_recording().writer
    assert ["OTLP_MMAP_BLOCK_TIMEOUT" in record.getMessage() for record in caplog.records] == [True]


def test_without_a_file_there_is_one_error_and_everything_else_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OTLP_MMAP_DIRECTORY", str(tmp_path / "file" / "below"))
    recording = default_recording()
    assert default_recording() is recording
    assert recording.writer is None
    assert recording.resource(Resource({"a": 1})) == 0
    assert recording.scope(Resource({"a": 1}), InstrumentationScope("name")) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(tmp_path / "file") in caplog.text


def test_a_full_dictionary_is_one_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for variable, value in SMALL.items():
        monkeypatch.setenv(variable, value)
    recording = default_recording()
    resources = [Resource({"name": f"{number}" * 1000}) for number in range(200)]
    references = [recording.resource(resource) for resource in resources]
    assert references[0] != 0
    assert references[-1] == 0
    assert recording.scope(resources[-1], InstrumentationScope("name")) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.fixture
def default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own directory, elsewhere in these tests."""
    monkeypatch.delenv("OTLP_MMAP_DIRECTORY")
    monkeypatch.setattr(_recording, "_SHARED_DIRECTORY", tmp_path)
    return tmp_path / f"otlp-mmap-{os.geteuid()}"


def test_the_default_directory_is_made_and_used_again(default: Path) -> None:
    recording = default_recording()
    assert recording.writer
    assert recording.writer.path.parent == default
    assert default.stat().st_mode & 0o777 == 0o700
    assert _recording._directory() == default


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_default_directory_that_others_may_write_to_is_refused(
    default: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    default.mkdir()
    default.chmod(mode)
    assert_refused(default, caplog)


def test_a_symbolic_link_as_default_directory_is_refused(
    default: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    default.symlink_to(tmp_path / "elsewhere")
    assert_refused(default, caplog)


def test_a_default_directory_of_another_user_is_refused(
    default: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    default.mkdir(mode=0o700)
    other = os.geteuid() + 1
    default.rename(default.with_name(f"otlp-mmap-{other}"))
    monkeypatch.setattr("os.geteuid", lambda: other)
    assert_refused(default.with_name(f"otlp-mmap-{other}"), caplog)


def assert_refused(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    """There is no recording, and the one error says what to do."""
    assert default_recording().writer is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(directory) in caplog.text
    assert "OTLP_MMAP_DIRECTORY" in caplog.text
    assert list(directory.iterdir()) == []


def test_names_and_resources_that_are_not_utf_8_cost_no_telemetry(directory: Path) -> None:
    resource = Resource({"service.name": "caf\udce9", "command": ["a", "\ud800"], "size": 1 << 64}, "url\ud800")
    recording = default_recording(resource)
    record_event(recording, resource, InstrumentationScope("lib\udcff", "1\udcff", "url\udcff", {"k": "\udcff"}))
    assert recording.writer
    assert recording.writer.path.parent == directory
    (event,) = Reader(recording.writer.path).events()
    lost = "\ufffd" * 3
    found = event.scope.resource
    found.attributes.pop("service.instance.id")
    assert found.attributes == {"service.name": f"caf{lost}", "command": ["a", lost], "size": str(1 << 64)}
    assert (found.schema_url, event.scope.schema_url) == (f"url{lost}", f"url{lost}")
    assert (event.scope.name, event.scope.version) == (f"lib{lost}", f"1{lost}")
    assert event.scope.attributes == {"k": lost}


def test_a_version_that_is_no_text_costs_no_telemetry() -> None:
    recording = default_recording(Resource({}))
    scope: Any = InstrumentationScope("lib", 5)  # type: ignore[arg-type]
    record_event(recording, Resource({}), scope)
    assert recording.writer
    assert [event.scope.version for event in Reader(recording.writer.path).events()] == ["5"]
