"""Measurements against other receivers; not part of the test suite."""
