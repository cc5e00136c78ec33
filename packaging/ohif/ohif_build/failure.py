"""The one error of the build."""

from __future__ import annotations


class BuildFailed(Exception):
    """The viewer cannot be built; the text is one line that says why and what to do."""
