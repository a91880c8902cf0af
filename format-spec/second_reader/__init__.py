"""A second reader of otlp-mmap recordings, written from SPEC.md alone, in standard library Python.

It shares no code with the Rust reader. Where the two differ on a file, one of them or SPEC.md is wrong.
Live files are not followed: it reads what is dead or closed, or a copy.
"""
