"""The one error of the build."""

from __future__ import annotations


class BuildFailed(Exception):
    """The packages cannot be built or are not what they should be; the text says why and what to do."""
