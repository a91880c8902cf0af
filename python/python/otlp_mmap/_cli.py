"""The console script `otlp-mmap`: the command line of the project, inside of the extension."""

import signal
import sys

from . import _native


def main() -> int:
    """Runs the command line on `sys.argv` and returns its exit code."""
    # Python's handler only notes Ctrl-C for the interpreter, which does not run meanwhile.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
