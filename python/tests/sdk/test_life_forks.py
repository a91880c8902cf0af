"""Children: each records into a file of its own, under an instance id of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from otlp_mmap import Reader
from otlp_mmap.model import NumberPoint

from .programs import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Programs of the test."""
    return Programs(tmp_path)


def by_instance(programs: Programs) -> list[list[str]]:
    """The spans of each instance id, sorted."""
    found: dict[object, list[str]] = {}
    for span in Reader(programs.recordings).spans():
        found.setdefault(span.scope.resource.attributes["service.instance.id"], []).append(span.name)
    return sorted(sorted(names) for names in found.values())


def test_a_forked_child_has_a_file_and_an_instance_id_of_its_own(programs: Programs) -> None:
    programs.python(
        """
        span("before")
        if os.fork() == 0:
            span("child")
            if os.fork() == 0:
                span("grandchild")
                os._exit(0)
            os.wait()
            os._exit(0)
        os.wait()
        span("after")
        """
    )
    assert by_instance(programs) == [["after", "before"], ["child"], ["grandchild"]]
    assert len(Reader(programs.recordings).files()) == 3


def test_a_span_open_at_the_fork_is_the_parents_alone(programs: Programs) -> None:
    printed = programs.python(
        """
        with tracer.start_as_current_span("open"):
            pid = os.fork()
            span("child" if pid == 0 else "parent")
            if pid == 0:
                trace.get_current_span().set_attribute("of", "the child")
                trace.get_current_span().end()
                os._exit(0)
            os.wait()
        """
    )
    assert printed == ""
    spans = Reader(programs.recordings).spans()
    assert sorted(span.name for span in spans) == ["child", "open", "parent"]
    (opened,) = [span for span in spans if span.name == "open"]
    assert opened.attributes == {}
    assert programs.in_flight() == []
    # What the child does is a part of the parent's work, and tells so.
    assert {span.parent_span_id for span in spans if span.name != "open"} == {opened.span_id}


def test_a_child_that_leaves_the_block_of_a_span_open_at_the_fork_does_not_end_it(programs: Programs) -> None:
    programs.python(
        """
        with tracer.start_as_current_span("open"):
            pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        """
    )
    assert programs.spans() == ["open"]


def test_a_child_that_is_killed_leaves_its_spans(programs: Programs) -> None:
    programs.python(
        """
        pid = os.fork()
        if pid == 0:
            span("finished")
            keep = tracer.start_span("unfinished")
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        """
    )
    assert programs.spans() == ["finished"]
    assert programs.in_flight() == ["unfinished"]


def test_a_child_forked_by_a_busy_process_records(programs: Programs) -> None:
    programs.python(
        """
        stop = threading.Event()
        def work():
            while not stop.is_set():
                span("busy")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(20):
            pid = os.fork()
            if pid == 0:
                span(f"child {number:02}")
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        """
    )
    assert [name for name in programs.spans() if name != "busy"] == [f"child {number:02}" for number in range(20)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_record(programs: Programs, method: str) -> None:
    programs.python(
        f"""
        import multiprocessing

        def work(number):
            span(f"work {{number}}")
            return number

        if __name__ == "__main__":
            span("main")
            context = multiprocessing.get_context("{method}")
            with context.Pool(2, maxtasksperchild=1) as pool:
                assert pool.map(work, range(6), chunksize=1) == list(range(6))
                pool.close()
                pool.join()
        """
    )
    assert programs.spans() == ["main", *(f"work {number}" for number in range(6))]
    # One task for each child, so each has an instance id of its own.
    assert by_instance(programs) == [["main"], *([f"work {number}"] for number in range(6))]


def test_the_executor_of_the_standard_library_records(programs: Programs) -> None:
    programs.python(
        """
        from concurrent.futures import ProcessPoolExecutor

        def work(number):
            span(f"work {number}")

        if __name__ == "__main__":
            with ProcessPoolExecutor(2) as executor:
                list(executor.map(work, range(4)))
        """
    )
    assert programs.spans() == [f"work {number}" for number in range(4)]


@pytest.mark.parametrize("signal", ["trace.TracerProvider", "metrics.MeterProvider", "_logs.LoggerProvider"])
def test_a_child_detects_its_resource_also_where_executors_are_imported_later(programs: Programs, signal: str) -> None:
    # The hooks of executors hold a lock during a fork that is taken where an executor is used, as a detector is.
    programs.variables["OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"] = "process"
    package, provider = signal.split(".")
    set_up = f"""
import os, signal
os.register_at_fork(after_in_child=lambda: signal.alarm(60))
from otlp_mmap.sdk.{package} import {provider}
from otlp_mmap.sdk.resources import Resource
provider = {provider}(resource=Resource({{}}))
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor()
"""
    body = """
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0, "the child hangs"
    """
    programs.python(body, set_up=set_up)


def test_counters_of_a_forked_child_start_from_zero(programs: Programs) -> None:
    programs.python(
        """
        from otlp_mmap.sdk.metrics import MeterProvider
        from opentelemetry.metrics import Observation
        meters = MeterProvider()
        meter = meters.get_meter("test")
        counter = meter.create_counter("counter")
        histogram = meter.create_histogram("histogram")
        meter.create_observable_counter("observed", [lambda options: [Observation(os.getpid())]])
        counter.add(100, {"key": "value"})
        histogram.record(100)
        pid = os.fork()
        counter.add(1 if pid == 0 else 10, {"key": "value"})
        histogram.record(1)
        meters.force_flush()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        """
    )
    found = {}
    instances = set()
    for file in Reader(programs.recordings).files():
        whose = "parent" if file.parent_file_id is None else "child"
        for metric in Reader(file.path).metrics():
            point = metric.point
            value = point.value if isinstance(point, NumberPoint) else point.sum
            found[metric.stream.name, whose] = value - file.pid if metric.stream.name == "observed" else value
            instances.add(metric.stream.scope.resource.attributes["service.instance.id"])
    assert found == {
        ("counter", "parent"): 110,
        ("counter", "child"): 1,
        ("histogram", "parent"): 101,
        ("histogram", "child"): 1,
        ("observed", "parent"): 0,
        ("observed", "child"): 0,
    }
    assert len(instances) == 2
