"""Tests of the OpenTelemetry SDK."""
