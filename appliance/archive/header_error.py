"""Why a data set cannot be read."""

from __future__ import annotations


class HeaderError(ValueError):
    """The bytes are no readable data set; the text is one plain sentence without patient data."""

    @property
    def reason(self) -> str:
        """The sentence."""
        return str(self)
