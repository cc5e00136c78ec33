"""What the locksmith refuses or fails at on purpose; each error says what to do next in its `hint`."""

from __future__ import annotations


class PkiError(Exception):
    """The root of the tree. Neither message nor hint ever holds a passphrase or a key."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(PkiError):
    """A name, a request or a lifetime that must not be in a certificate of this authority."""


class Missing(PkiError):
    """No such lineage, serial number, file or authority."""


class Exists(PkiError):
    """It is there already and is not overwritten."""


class Busy(PkiError):
    """Another run works in the same directory; the same command may work later."""


class Locked(PkiError):
    """A key cannot be opened: no passphrase, a wrong one, or not this user's."""


class Damaged(PkiError):
    """A file of ours is not what it should be."""
