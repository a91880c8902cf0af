"""The resource: what telemetry is about, and the detectors that find out.

`Resource.create` runs the detectors "service_instance" and "otel" (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`),
and those that `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS` names: "host", "os" and "process" are here, others are found by
their entry points in the group `opentelemetry_resource_detector`.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import pwd
import socket
import sys
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent import futures

# Its hooks for a fork hold the lock that using an executor takes. The providers' hooks use one, to detect the resource
# again: theirs must be registered later than these, and every provider imports this module.
from concurrent.futures import ThreadPoolExecutor
from os import environ
from urllib.parse import unquote

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.util import _importlib_metadata
from opentelemetry.util.types import AnyValue

from ..environment_variables import (
    OTEL_EXPERIMENTAL_RESOURCE_DETECTORS,
    OTEL_RESOURCE_ATTRIBUTES,
    OTEL_SERVICE_NAME,
)
from ..version import __version__

logger = logging.getLogger(__name__)

LabelValue = AnyValue
Attributes = Mapping[str, LabelValue]

# Keys of the semantic conventions; those of the official SDK's module.
CLOUD_PROVIDER = "cloud.provider"
CLOUD_ACCOUNT_ID = "cloud.account.id"
CLOUD_REGION = "cloud.region"
CLOUD_AVAILABILITY_ZONE = "cloud.availability_zone"
CONTAINER_NAME = "container.name"
CONTAINER_ID = "container.id"
CONTAINER_IMAGE_NAME = "container.image.name"
CONTAINER_IMAGE_TAG = "container.image.tag"
DEPLOYMENT_ENVIRONMENT = "deployment.environment"
FAAS_NAME = "faas.name"
FAAS_ID = "faas.id"
FAAS_VERSION = "faas.version"
FAAS_INSTANCE = "faas.instance"
HOST_NAME = "host.name"
HOST_ARCH = "host.arch"
HOST_ID = "host.id"
HOST_TYPE = "host.type"
HOST_IMAGE_NAME = "host.image.name"
HOST_IMAGE_ID = "host.image.id"
HOST_IMAGE_VERSION = "host.image.version"
KUBERNETES_CLUSTER_NAME = "k8s.cluster.name"
KUBERNETES_NAMESPACE_NAME = "k8s.namespace.name"
KUBERNETES_POD_UID = "k8s.pod.uid"
KUBERNETES_POD_NAME = "k8s.pod.name"
KUBERNETES_CONTAINER_NAME = "k8s.container.name"
KUBERNETES_REPLICA_SET_UID = "k8s.replicaset.uid"
KUBERNETES_REPLICA_SET_NAME = "k8s.replicaset.name"
KUBERNETES_DEPLOYMENT_UID = "k8s.deployment.uid"
KUBERNETES_DEPLOYMENT_NAME = "k8s.deployment.name"
KUBERNETES_STATEFUL_SET_UID = "k8s.statefulset.uid"
KUBERNETES_STATEFUL_SET_NAME = "k8s.statefulset.name"
KUBERNETES_DAEMON_SET_UID = "k8s.daemonset.uid"
KUBERNETES_DAEMON_SET_NAME = "k8s.daemonset.name"
KUBERNETES_JOB_UID = "k8s.job.uid"
KUBERNETES_JOB_NAME = "k8s.job.name"
KUBERNETES_CRON_JOB_UID = "k8s.cronjob.uid"
KUBERNETES_CRON_JOB_NAME = "k8s.cronjob.name"
OS_DESCRIPTION = "os.description"
OS_TYPE = "os.type"
OS_VERSION = "os.version"
PROCESS_PID = "process.pid"
PROCESS_PARENT_PID = "process.parent_pid"
PROCESS_EXECUTABLE_NAME = "process.executable.name"
PROCESS_EXECUTABLE_PATH = "process.executable.path"
PROCESS_COMMAND = "process.command"
PROCESS_COMMAND_LINE = "process.command_line"
PROCESS_COMMAND_ARGS = "process.command_args"
PROCESS_OWNER = "process.owner"
PROCESS_RUNTIME_NAME = "process.runtime.name"
PROCESS_RUNTIME_VERSION = "process.runtime.version"
PROCESS_RUNTIME_DESCRIPTION = "process.runtime.description"
SERVICE_NAME = "service.name"
SERVICE_NAMESPACE = "service.namespace"
SERVICE_INSTANCE_ID = "service.instance.id"
SERVICE_VERSION = "service.version"
TELEMETRY_SDK_NAME = "telemetry.sdk.name"
TELEMETRY_SDK_VERSION = "telemetry.sdk.version"
TELEMETRY_AUTO_VERSION = "telemetry.auto.version"
TELEMETRY_SDK_LANGUAGE = "telemetry.sdk.language"


class Resource:
    """What telemetry is about: a service, its process and where it runs. Immutable.

    `Resource.create` adds what is detected; the constructor takes the attributes as they are.

    Args:
        attributes: of the resource.
        schema_url: of their names.
    """

    def __init__(self, attributes: Attributes, schema_url: str | None = None) -> None:
        self._attributes = BoundedAttributes(attributes=attributes, immutable=True)
        self._schema_url = schema_url or ""

    @staticmethod
    def create(attributes: Attributes | None = None, schema_url: str | None = None) -> Resource:
        """A resource with the given attributes, and under them what the detectors find.

        It always has `service.name`. A detector must not call this.
        """
        detected = get_aggregated_resources(_build_resource_detectors(), _DEFAULT_RESOURCE)
        resource = detected.merge(Resource(attributes or {}, schema_url))
        if resource.attributes.get(SERVICE_NAME):
            return resource
        program = f":{os.path.basename(sys.executable)}" if sys.executable else ""
        return resource.merge(Resource({SERVICE_NAME: f"unknown_service{program}"}, schema_url))

    @staticmethod
    def get_empty() -> Resource:
        """The resource without attributes."""
        return _EMPTY_RESOURCE

    @property
    def attributes(self) -> Attributes:
        """They cannot be changed."""
        return self._attributes

    @property
    def schema_url(self) -> str:
        """Of the attributes' names; empty: none."""
        return self._schema_url

    def merge(self, other: Resource) -> Resource:
        """This resource with the attributes of another, which win.

        If both have a schema URL and these differ, an error is logged and this resource is returned.
        """
        if self._schema_url and other.schema_url and self._schema_url != other.schema_url:
            logger.error(
                "Resources with the schema URLs %s and %s cannot be merged; the second is left out",
                self._schema_url,
                other.schema_url,
            )
            return self
        return Resource({**self.attributes, **other.attributes}, self._schema_url or other.schema_url)

    def to_json(self, indent: int | None = 4) -> str:
        """As a JSON object; bytes become hexadecimal digits."""
        fields = {"attributes": dict(self._attributes), "schema_url": self._schema_url}
        return json.dumps(fields, indent=indent, default=_to_json)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resource):
            return NotImplemented
        return self._attributes == other._attributes and self._schema_url == other._schema_url

    def __hash__(self) -> int:
        attributes = json.dumps(dict(self._attributes), sort_keys=True, default=_to_json)
        return hash((attributes, self._schema_url))

    def __repr__(self) -> str:
        return f"Resource({self._attributes}, {self._schema_url!r})"


def _to_json(value: object) -> object:
    """An attribute value that JSON does not have."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return dict(value) if isinstance(value, Mapping) else str(value)


_EMPTY_RESOURCE = Resource({})

# "opentelemetry" is the name of the official SDKs alone.
_DEFAULT_RESOURCE = Resource(
    {TELEMETRY_SDK_LANGUAGE: "python", TELEMETRY_SDK_NAME: "otlp-mmap", TELEMETRY_SDK_VERSION: __version__}
)


class ResourceDetector(ABC):
    """Finds out attributes of the resource.

    Args:
        raise_on_error: whether an error of `detect` ends the creation of the resource; else it is logged.
    """

    def __init__(self, raise_on_error: bool = False) -> None:
        self.raise_on_error = raise_on_error

    @abstractmethod
    def detect(self) -> Resource:
        """What was found. It is made with the constructor of `Resource`: `Resource.create` calls detectors."""

    def is_process_dependent(self) -> bool:
        """Whether a forked child must detect again."""
        return False


class OTELResourceDetector(ResourceDetector):
    """Attributes of `OTEL_RESOURCE_ATTRIBUTES` (`key=value,...`, percent-encoded) and `OTEL_SERVICE_NAME`."""

    def detect(self) -> Resource:
        """What the variables say; an item without "=" is left out with a warning."""
        attributes: dict[str, AnyValue] = {}
        variable = environ.get(OTEL_RESOURCE_ATTRIBUTES)
        for item in variable.split(",") if variable else ():
            key, equals, value = item.partition("=")
            if equals:
                attributes[key.strip()] = unquote(value.strip())
            else:
                logger.warning("%s: %r is not of the form key=value", OTEL_RESOURCE_ATTRIBUTES, item)
        if service_name := environ.get(OTEL_SERVICE_NAME):
            attributes[SERVICE_NAME] = service_name
        return Resource(attributes)


class ProcessResourceDetector(ResourceDetector):
    """Attributes `process.*`.

    Args:
        raise_on_error: whether an error ends the creation of the resource; else it is logged.
        include_command_args: whether to tell the arguments of the program too. They may hold secrets.
    """

    def __init__(self, raise_on_error: bool = False, *, include_command_args: bool = False) -> None:
        super().__init__(raise_on_error)
        self._include_command_args = include_command_args

    def is_process_dependent(self) -> bool:
        """True."""
        return True

    def detect(self) -> Resource:
        """What Python and the operating system know of this process."""
        is_release = sys.version_info.releaselevel == "final" and not sys.version_info.serial
        executable = sys.executable or ""
        attributes: dict[str, AnyValue] = {
            PROCESS_PID: os.getpid(),
            PROCESS_PARENT_PID: os.getppid(),
            PROCESS_OWNER: _user_name(),
            PROCESS_EXECUTABLE_NAME: os.path.basename(executable),
            PROCESS_EXECUTABLE_PATH: executable,
            # Unlike sys.argv, this is what was typed, also for `python -m module`.
            PROCESS_COMMAND: sys.orig_argv[0] if sys.orig_argv else "",
            PROCESS_RUNTIME_NAME: sys.implementation.name,
            PROCESS_RUNTIME_VERSION: ".".join(map(str, sys.version_info[: 3 if is_release else 5])),
            PROCESS_RUNTIME_DESCRIPTION: sys.version,
        }
        if self._include_command_args:
            attributes[PROCESS_COMMAND_ARGS] = list(sys.orig_argv)
            attributes[PROCESS_COMMAND_LINE] = " ".join(sys.orig_argv)
        return Resource(attributes)


def _user_name() -> str:
    """The name of the user that runs this process, or the number, in a container without a user database."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class OsResourceDetector(ResourceDetector):
    """Attributes `os.type` and `os.version`."""

    def detect(self) -> Resource:
        """The name of the kernel in lower case, and its release."""
        return Resource({OS_TYPE: platform.system().lower(), OS_VERSION: platform.release()})


_LINUX_MACHINE_ID_PATHS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class _HostResourceDetector(ResourceDetector):
    """Attributes `host.name`, `host.arch` and, if the machine has an id, `host.id`."""

    def detect(self) -> Resource:
        """What the operating system knows of the machine."""
        attributes: dict[str, AnyValue] = {HOST_NAME: socket.gethostname(), HOST_ARCH: platform.machine()}
        try:
            if host_id := _get_host_id():
                attributes[HOST_ID] = host_id
        except Exception as error:
            logger.warning("%s cannot be detected: %s", HOST_ID, error)
            if self.raise_on_error:
                raise
        return Resource(attributes)


def _get_host_id() -> str | None:
    """The id that the semantic conventions name for Linux."""
    for path in _LINUX_MACHINE_ID_PATHS if platform.system() == "Linux" else ():
        try:
            with open(path, encoding="utf8") as file:
                machine_id = file.read().strip()
        except OSError as error:
            logger.debug("%s cannot be read: %s", path, error)
            continue
        if machine_id:
            return machine_id
    return None


_service_instance_id: str | None = None
_service_instance_id_pid: int | None = None
_service_instance_id_lock = threading.Lock()
# Those of this process and of its parents, which resources that were made before a fork still have.
_generated_instance_ids: set[object] = set()


class ServiceInstanceIdResourceDetector(ResourceDetector):
    """`service.instance.id`: a random UUID, the same for the life of the process, another in a forked child."""

    def is_process_dependent(self) -> bool:
        """True."""
        return True

    def detect(self) -> Resource:
        """This process's id."""
        global _service_instance_id, _service_instance_id_pid
        with _service_instance_id_lock:
            pid = os.getpid()
            if _service_instance_id is None or _service_instance_id_pid != pid:
                _service_instance_id = str(uuid.uuid4())
                _service_instance_id_pid = pid
                _generated_instance_ids.add(_service_instance_id)
            return Resource({SERVICE_INSTANCE_ID: _service_instance_id})


def _unlock_in_child() -> None:
    """Another thread may have held the lock at the fork."""
    global _service_instance_id_lock
    _service_instance_id_lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock_in_child)

_ENTRY_POINT_GROUP = "opentelemetry_resource_detector"

# Found before entry points: the official SDK has entry points with these names too.
_DETECTORS: Mapping[str, type[ResourceDetector]] = {
    "host": _HostResourceDetector,
    "os": OsResourceDetector,
    "otel": OTELResourceDetector,
    "process": ProcessResourceDetector,
    "service_instance": ServiceInstanceIdResourceDetector,
}


def _build_resource_detectors() -> list[ResourceDetector]:
    """The detectors of `Resource.create`, in the order in which they are merged, later ones winning.

    That is the order of `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS`, in which "*" stands for all others. What it does not
    name of the two usual ones is added: "service_instance" at the beginning, "otel" at the end.
    """
    configured = [name.strip() for name in environ.get(OTEL_EXPERIMENTAL_RESOURCE_DETECTORS, "").split(",")]
    names = ["service_instance", *configured] if "service_instance" not in configured else configured
    names = list(dict.fromkeys(name for name in [*names, "otel"] if name))
    if "*" in names:
        registered = set(_importlib_metadata.entry_points(group=_ENTRY_POINT_GROUP).names)
        position = names.index("*")
        names[position : position + 1] = sorted((registered | _DETECTORS.keys()) - set(names))
    detectors: list[ResourceDetector] = []
    for name in names:
        if own := _DETECTORS.get(name):
            detectors.append(own())
        elif foreign := _load_detector(name):
            detectors.append(foreign)
    return detectors


def _load_detector(name: str) -> ResourceDetector | None:
    """The detector of an entry point; None, with an error in the log, if there is none or it fails."""
    try:
        for entry_point in _importlib_metadata.entry_points(group=_ENTRY_POINT_GROUP, name=name):
            detector: ResourceDetector = entry_point.load()()
            return detector
        logger.error("There is no resource detector %r among the entry points of %s", name, _ENTRY_POINT_GROUP)
    except Exception:
        logger.exception("The resource detector %r cannot be loaded and is left out", name)
    return None


def _get_process_dependent_resource() -> Resource:
    """What a forked child detects again."""
    detectors = [detector for detector in _build_resource_detectors() if detector.is_process_dependent()]
    return get_aggregated_resources(detectors, _EMPTY_RESOURCE)


def get_aggregated_resources(
    detectors: Sequence[ResourceDetector], initial_resource: Resource | None = None, timeout: float = 5
) -> Resource:
    """A resource with what detectors find merged into it in their order, later ones winning.

    Args:
        detectors: run side by side, on threads that have ended when this returns.
        initial_resource: by default `Resource.create()`.
        timeout: seconds to wait for each; one that takes longer is left out.

    Raises:
        Exception: of a detector that has `raise_on_error`; that of another is logged.
    """
    resource = initial_resource or Resource.create()
    if not any(type(detector) not in _QUICK_DETECTORS for detector in detectors):
        # No threads for what is only read from memory: most programs never need any.
        for detector in detectors:
            resource = resource.merge(detector.detect())
        return resource
    executor = ThreadPoolExecutor(max_workers=4)
    try:
        pending = [(detector, executor.submit(detector.detect)) for detector in detectors]
        for detector, future in pending:
            if (detected := _result(detector, future, timeout)) is not None:
                resource = resource.merge(detected)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return resource


_QUICK_DETECTORS = frozenset({OTELResourceDetector, ServiceInstanceIdResourceDetector})


def _result(detector: ResourceDetector, future: futures.Future[Resource], timeout: float) -> Resource | None:
    """What a detector found; None if it failed and that is to be ignored."""
    try:
        return future.result(timeout)
    # A class of its own before Python 3.11.
    except futures.TimeoutError:
        if detector.raise_on_error:
            raise
        logger.warning("Detector %s took longer than %s seconds, skipping", detector, timeout)
    except Exception as error:
        if detector.raise_on_error:
            raise
        logger.warning("The resource detector %s failed and is left out: %s", detector, error)
    return None
