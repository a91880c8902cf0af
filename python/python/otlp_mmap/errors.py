"""The exceptions of this package.

Trouble with the operating system is an ordinary `OSError` with `errno` and `filename` instead: a path that
exists is a `FileExistsError`, a full disk at creation an `OSError` with `errno.ENOSPC`.

A record that is lost for want of room (the overflow policy, a full disk, used-up metric cells) is no exception:
it is counted by signal and reason, see `Writer.losses`.
"""


class OtlpMmapError(Exception):
    """Base of every exception that this package defines."""


class InvalidValueError(OtlpMmapError, ValueError):
    """An argument has a value that cannot be recorded; the message begins with its name. Nothing was recorded."""


class InvalidTypeError(OtlpMmapError, TypeError):
    """An argument has a type that cannot be recorded; the message begins with its name. Nothing was recorded."""


class UnknownReferenceError(InvalidValueError):
    """A reference is not one that this writer gave out, or refers to another kind of thing."""


class UnknownSpanError(InvalidValueError):
    """No span with this trace id and span id is in flight: it was never started, or has ended."""


class DuplicateSpanError(InvalidValueError):
    """A span with this trace id and span id is in flight already."""


class ClosedError(OtlpMmapError):
    """The writer is closed."""


class CapacityError(OtlpMmapError):
    """A string or definition does not fit into the dictionary any more, so there is no reference to return."""


class DamagedFileError(OtlpMmapError, ValueError):
    """A file is no recording, or its header or layout is damaged; the message says what was found where."""
