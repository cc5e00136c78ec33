"""A destination on a file system: whose fault an operating system's error is, in one table."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from appliance.errors import ArchiveError, DeliveryError
from appliance.sync.sinks.contract import Misconfigured, RowFault, Unreachable

Kind = type[Unreachable] | type[Misconfigured] | type[RowFault]

_TABLE: tuple[tuple[Kind, str, str, tuple[int, ...]], ...] = (
    (Unreachable, "the disk is full", "free some space there", (errno.ENOSPC, errno.EDQUOT)),
    (Unreachable, "the disk or its connection fails", "check the disk, the cable and the mount",
     (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN,
      errno.ECONNREFUSED, errno.ECONNRESET, errno.EREMOTEIO, errno.ENODEV, errno.ENXIO)),
    (Unreachable, "the system is short of resources", "",
     (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EBUSY, errno.EINTR)),
    (Misconfigured, "writing is not permitted", "give the service's user write access",
     (errno.EACCES, errno.EPERM, errno.EROFS)),
    (Misconfigured, "the directory is missing or no directory", "create it, or mount its disk",
     (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)),
    (Misconfigured, "it spans several file systems", "mount nothing inside it", (errno.EXDEV,)),
    (RowFault, "the file is too big for the destination's file system", "", (errno.EFBIG,)),
)  # fmt: skip

FAULTS: Mapping[int, tuple[Kind, str, str]] = MappingProxyType(
    {number: (kind, text, hint) for kind, text, hint, numbers in _TABLE for number in numbers}
)


def translate(error: OSError, action: str) -> DeliveryError:
    """Return the delivery error that an error of the destination means; paths stay out of it."""
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    known = FAULTS.get(error.errno or 0)
    if known is None:
        return DeliveryError(f"could not {action}: {name}")
    kind, text, hint = known
    return kind(f"could not {action}: {text} ({name})", hint=hint)


@contextmanager
def destination(action: str) -> Iterator[None]:
    """Raise errors of the operating system as delivery errors.

    The archive's own durable file operations are used at the destination too. What is fatal
    there (a failed fsync) is a failing disk here: the file concerned is written anew.
    """
    try:
        yield
    except OSError as error:
        raise translate(error, action) from error
    except ArchiveError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise translate(error.__cause__, action) from error
