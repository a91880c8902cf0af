"""Tests of the package through its public API."""
