"""An OpenTelemetry SDK whose spans, log records and measurements go straight into a memory-mapped file.

Its modules are those of `opentelemetry.sdk`, with the same public names: a changed import is the migration.
"""
