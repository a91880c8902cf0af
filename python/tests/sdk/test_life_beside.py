"""Life under celery and gevent, and beside the official SDK, in an environment that has them."""

from __future__ import annotations

import hashlib
import os
import signal
import site
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from otlp_mmap import Reader

from .programs import TIMEOUT_SECONDS, Programs
from .servers import APPLICATION, get, python, requests, served

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "beside.txt"


@pytest.fixture(scope="module")
def scripts(request: pytest.FixtureRequest) -> Path:
    """The scripts of an environment with the requirements and everything of this one; it is kept for later runs."""
    wanted = f"{REQUIREMENTS.read_text()} {sys.version} {sys.prefix}"
    name = f"beside-{hashlib.sha256(wanted.encode()).hexdigest()[:16]}"
    cache: pytest.Cache = request.config.cache
    directory = cache.mkdir("environments") / name
    if not (directory / "complete").exists():
        venv.create(directory, clear=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", directory / "bin" / "python"]
        subprocess.run([*map(str, pip), "install", "--quiet", "-r", str(REQUIREMENTS)], check=True)
        # Only then: pip takes for installed what this environment has, and would leave out its scripts.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
        (directory / "lib" / version / "site-packages" / "tests.pth").write_text("".join(lines))
        (directory / "complete").touch()
    return directory / "bin"


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An application that knows nothing of telemetry; of the two SDKs, ours is chosen."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    return Programs(tmp_path, {"OTEL_PYTHON_DISTRO": "otlp_mmap", "OTEL_PYTHON_CONFIGURATOR": "otlp_mmap"})


@pytest.mark.parametrize("variables", [("OTEL_PYTHON_DISTRO", "OTEL_PYTHON_CONFIGURATOR"), ("OTEL_PYTHON_DISTRO",)])
def test_it_records_beside_the_official_distro(scripts: Path, programs: Programs, variables: tuple[str, ...]) -> None:
    for variable in set(programs.variables) - set(variables):
        del programs.variables[variable]
    (programs.directory / "program.py").write_text(
        "import opentelemetry.sdk.trace, opentelemetry.distro, shop\nshop.app.test_client().get('/work')\n"
    )
    programs.run(scripts / "opentelemetry-instrument", python(scripts), "program.py")
    (span,) = requests(programs)
    assert span.scope.resource.attributes["telemetry.sdk.name"] == "otlp-mmap"


def test_gevent_workers_record_each_request(scripts: Path, programs: Programs) -> None:
    with served(programs, "--worker-class=gevent", scripts=scripts) as path:
        for _ in range(20):
            get(path, "/work")
    assert len(requests(programs)) == 21


TASKS = """
from celery import Celery

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control",
}

@app.task
def work(number):
    return number
"""

SEND = """
import tasks
for number in range(6):
    tasks.work.delay(number)
"""


def test_each_child_of_a_celery_worker_records_its_one_task(scripts: Path, programs: Programs) -> None:
    (programs.directory / "tasks.py").write_text(TASKS)
    (programs.directory / "send.py").write_text(SEND)
    for folder in ("queue", "control"):
        (programs.directory / folder).mkdir()
    programs.run(python(scripts), "send.py")
    options = ["--pool=prefork", "--concurrency=2", "--max-tasks-per-child=1", "--without-mingle", "--without-gossip"]
    command = [scripts / "opentelemetry-instrument", python(scripts), "-m", "celery", "-A", "tasks", "worker", *options]
    worker = subprocess.Popen(
        [*map(str, command)],
        cwd=programs.directory,
        env=programs.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(TIMEOUT_SECONDS * 10):
            assert worker.poll() is None
            if programs.recordings.exists() and len(programs.spans()) >= 6:
                break
            time.sleep(0.1)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    spans = Reader(programs.recordings).spans()
    assert [span.name for span in spans] == ["run/tasks.work"] * 6
    assert len({span.scope.resource.attributes["service.instance.id"] for span in spans}) == 6
