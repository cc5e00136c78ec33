"""The one tree of errors: four families, by who can mend them.

A message says what happened and to what; `hint` says what to do next. Neither carries patient
data: both are logged and shown. Each door translates the tree in a table of its own.
"""

from __future__ import annotations

from typing import ClassVar


class ApplianceError(Exception):
    """Anything the appliance refuses or fails at on purpose.

    `retryable` tells whether the same request may succeed later without anybody's help.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(ApplianceError):
    """The administrator can mend it: a setting, a certificate file, a missing directory."""


class PeerError(ApplianceError):
    """The other side can mend it: a modality, a browser or a client that broke the rules."""


class NotAllowed(PeerError):
    """The sender has not the permission that this object needs."""


class ArchiveError(ApplianceError):
    """The appliance's own store refused or failed."""


class DeliveryError(ApplianceError):
    """A sink could not take what it was given."""


class DiskFull(ArchiveError):
    """The reserve is reached, or the system said ENOSPC; nothing of the object was kept."""

    retryable = True


class Busy(ArchiveError):
    """Another process held the database's write lock for too long; nothing was written."""

    retryable = True


class AlreadyRunning(ArchiveError):
    """Another process serves this room of this home already."""

    retryable = True


class ArchiveFailed(ArchiveError):
    """A write, an fsync or a commit failed: the kernel may have dropped pages it will not report again.

    The process must answer no more successes and exit, so that a fresh one starts from what is on disk.
    """


class SchemaMismatch(ArchiveError):
    """The database is missing, or of a schema version that this program does not know."""


class NotFound(ArchiveError):
    """No such study, series, instance, event or item, or none that is still open."""


class Unacceptable(ArchiveError):
    """The object itself cannot be stored; `reason` is a plain sentence without patient data."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


class Unparseable(Unacceptable):
    """The bytes are not a data set with its identities; they are kept in quarantine."""


class Misidentified(Unacceptable):
    """The command names another SOP Instance or Class than the data set."""


class TooLarge(Unacceptable):
    """The object exceeds a configured size."""
