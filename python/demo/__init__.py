"""The demo: a Flask application whose telemetry outlives it. Run it with `make demo`."""
