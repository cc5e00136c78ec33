"""What cannot go into a package."""

from __future__ import annotations


class PapersFailed(Exception):
    """The reason as one sentence: a licence that may not be bundled, a text that is missing, an unknown library."""
