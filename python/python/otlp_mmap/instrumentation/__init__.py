"""What `opentelemetry.instrumentation` has, where the recorder has a faster one of its own."""
