"""The standard library's `logging`."""
