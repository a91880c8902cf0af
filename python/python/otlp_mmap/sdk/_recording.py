"""The recording of this process: one file, into which all providers record.

`default_recording` creates it at its first use, as the variables `OTLP_MMAP_*` say. A forked child goes on with the
same object: the writer opens a file of the child's own, and references stay valid.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._native import Writer
from ..errors import InvalidTypeError, InvalidValueError, OtlpMmapError
from . import environment_variables as variables
from . import resources
from .resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from .util.instrumentation import InstrumentationScope

__all__ = ["Recording", "default_recording"]

_logger = logging.getLogger("otlp_mmap")


class Recording:
    """A file that is recorded into, and its references to resources and scopes.

    Safe to share between threads, and with forked children.

    Args:
        writer: of the file; None: there is no file, and every reference is 0.
    """

    def __init__(self, writer: Writer | None) -> None:
        self.writer = writer
        # Threads that race define a thing twice, which does no harm; a lock could be held at a fork.
        self._resources: dict[object, int] = {}
        self._scopes: dict[object, int] = {}
        self._has_failed = False

    def resource(self, resource: Resource) -> int:
        """The reference of a resource, the same for equal ones; 0 if it could not be recorded."""
        attributes: dict[str, Any] = writable(resource.attributes)
        if attributes.get(SERVICE_INSTANCE_ID) in resources._generated_instance_ids:
            # A generated id is one process's, and a forked child must have another: readers use the file's.
            attributes.pop(SERVICE_INSTANCE_ID, None)
        schema_url = writable(resource.schema_url) or None
        key = (_key(attributes), schema_url)
        reference = self._resources.get(key)
        if reference is None:
            reference = self._define(lambda writer: writer.create_resource(attributes, schema_url))
            reference = self._resources.setdefault(key, reference)
        return reference

    def scope(self, resource: Resource, scope: InstrumentationScope) -> int:
        """The reference of an instrumentation scope of a resource; 0 if it could not be recorded."""
        of = self.resource(resource)
        if not of:
            return 0
        attributes = writable(scope.attributes or {})
        name, version = writable(str(scope.name)), writable(str(scope.version or ""))
        schema_url = writable(scope.schema_url) or None
        key = (of, name, version, schema_url, _key(attributes))
        reference = self._scopes.get(key)
        if reference is None:
            reference = self._define(
                lambda writer: writer.create_instrumentation_scope(of, name, version, attributes, schema_url=schema_url)
            )
            reference = self._scopes.setdefault(key, reference)
        return reference

    def _define(self, define: Callable[[Writer], int]) -> int:
        if self.writer is None:
            return 0
        try:
            return define(self.writer)
        except (OtlpMmapError, OSError) as error:
            if not self._has_failed:
                self._has_failed = True
                _logger.error(
                    "A resource or instrumentation scope cannot be recorded; its telemetry is lost: %s", error
                )
            return 0


def writable(value: Any) -> Any:
    """A name, or attributes, as the writer takes them; what it refuses is replaced, as in the attributes of spans.

    Bytes of the environment and of the command line that are not UTF-8 are lone surrogates in Python's strings.
    """
    if isinstance(value, str):
        return value.encode(errors="surrogatepass").decode(errors="replace")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    if isinstance(value, Mapping):
        return {writable(key): writable(element) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [writable(element) for element in value]
    return value


def _key(attributes: Mapping[str, object]) -> str:
    """Tells attributes apart that `==` does not: True, 1 and 1.0."""
    return repr(sorted(attributes.items()))


_default: Recording | None = None
_default_lock = threading.Lock()


def _unlock_in_child() -> None:
    """Another thread may have held the lock at the fork."""
    global _default_lock
    _default_lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock_in_child)


def default_recording(resource: Resource | None = None) -> Recording:
    """The recording of this process. A file that cannot be created is one error in the log.

    Args:
        resource: at the first use, its service name becomes a part of the file's name.
    """
    global _default
    with _default_lock:
        if _default is None:
            name = resource.attributes.get(SERVICE_NAME) if resource else None
            _default = Recording(_create_writer(None if name is None else writable(str(name)), _settings()))
        return _default


def _create_writer(service_name: str | None, settings: dict[str, Any]) -> Writer | None:
    try:
        return Writer(_directory(), service_name=service_name, **settings)
    except (InvalidValueError, InvalidTypeError) as error:
        # The message begins with the argument and says what is allowed; each argument goes at most once.
        argument, _, reason = str(error).partition(": ")
        if settings.pop(argument, None) is not None:
            _reject(f"OTLP_MMAP_{argument.upper()}", reason)
            return _create_writer(service_name, _complete(settings))
        _logger.error("No telemetry is recorded: %s", error)
    except (OtlpMmapError, OSError) as error:
        _logger.error("No telemetry is recorded, because no file can be created: %s", error)
    return None


def _reject(variable: str, reason: str) -> None:
    _logger.error("%s=%r is ignored and the default is used: %s", variable, os.environ.get(variable), reason)


def _directory() -> Path:
    """The directory of `OTLP_MMAP_DIRECTORY`, or one of the user's own; made if it is missing.

    Raises:
        OSError: it cannot be made, or others may write to the user's own.
    """
    if configured := os.environ.get(variables.OTLP_MMAP_DIRECTORY):
        Path(configured).mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(configured)
    directory = _SHARED_DIRECTORY / f"otlp-mmap-{os.geteuid()}"
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        # Everyone may create names there.
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            message = f"{directory} is not a directory that this user owns and others cannot write to"
            raise PermissionError(f"{message}; set {variables.OTLP_MMAP_DIRECTORY} to another") from None
    return directory


# Unlike /tmp, it outlives a restart of the machine.
_SHARED_DIRECTORY = Path("/var/tmp")


def _settings() -> dict[str, Any]:
    """The arguments of `Writer` that variables give, as far as they can be parsed."""
    settings: dict[str, Any] = {}
    for argument, (parse, expected) in _PARSERS.items():
        variable = f"OTLP_MMAP_{argument.upper()}"
        if text := os.environ.get(variable, "").strip():
            try:
                settings[argument] = parse(text)
            except (ValueError, KeyError):
                _reject(variable, f"expected {expected}")
    return _complete(settings)


def _complete(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings; the policy "block" has the timeout that it needs."""
    if settings.get("overflow") == "block":
        settings.setdefault("block_timeout", _BLOCK_TIMEOUT_SECONDS)
    return settings


_BLOCK_TIMEOUT_SECONDS = 1.0

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _parse_size(text: str) -> int:
    unit = _UNITS.get(text[-1].upper())
    return int(text) if unit is None else int(text[:-1]) * unit


def _parse_boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


_SIZE = (_parse_size, "a number of bytes, such as 131072, 128K or 4M")
_COUNT = (int, "a whole number")
_BOOLEAN = (_parse_boolean, "true or false")

_PARSERS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "segment_size": _SIZE,
    "span_segments": _COUNT,
    "event_segments": _COUNT,
    "measurement_segments": _COUNT,
    "active_blocks": _COUNT,
    "cells_size": _SIZE,
    "dictionary_size": _SIZE,
    "overflow": (str, ""),
    "block_timeout": (float, "a number of seconds"),
    "cardinality_limit": _COUNT,
    "crc": _BOOLEAN,
    "stream_measurements": _BOOLEAN,
}
