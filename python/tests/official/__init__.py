"""The official SDK's own tests, and those of the official instrumentations, run against ours.

`python -m tests.official SUITE...` fetches the source distributions (nothing of them is kept in the project), runs
their tests with `opentelemetry.sdk` resolved to `otlp_mmap.sdk` (`shim/sitecustomize.py`), and holds the outcome
against the list of the suite in `not_applicable/`: every test passes or is listed with a reason, and is never both.
"""
