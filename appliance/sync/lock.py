"""Locks between processes: the kernel frees them when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.archive.files import FILE_MODE
from appliance.errors import ArchiveError


class AlreadyRunning(ArchiveError):
    """Another sync process empties the outbox of this home."""

    retryable = True


def open_locked(path: Path) -> int:
    """Return a descriptor of `path` (made if missing) that holds its exclusive lock; closing frees it.

    Raises BlockingIOError when another process holds it, OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def sole_process(path: Path) -> Iterator[None]:
    """Be the one sync process of a home while inside. Raises AlreadyRunning."""
    try:
        descriptor = open_locked(path)
    except BlockingIOError as error:
        raise AlreadyRunning(
            "another sync process serves this home",
            hint="stop it first; `appliance status` shows its process id",
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)
