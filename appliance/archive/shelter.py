"""The shelter of files about to be recorded: a file is removed only while nobody is taking it over.

An object that arrives again may find the file of its evicted version still in place, and takes it
over (placement). Between that and its commit nothing in the database says that the file is wanted.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from appliance.archive.files import FILE_MODE, as_archive_error

LOCK = "eviction.lock"
# Who wants to be alone waits here, and newcomers behind it: else a busy door would never let it have its turn.
TURN = "eviction.turn"


class Shelter:
    """A lock between processes: shared by who takes a file over, alone for who removes one."""

    def __init__(self, home: Path) -> None:
        """Take the home directory; nothing is made before the first use."""
        self._path = home / LOCK
        self._turn = home / TURN

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keep files from being removed until the end; not to be nested. Raises ArchiveFailed, DiskFull."""
        with ExitStack() as held:
            with _locked(self._turn, fcntl.LOCK_SH):
                held.enter_context(_locked(self._path, fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody is taking a file over, and keep it so until the end. Raises ArchiveFailed, DiskFull."""
        with _locked(self._turn, fcntl.LOCK_EX), _locked(self._path, fcntl.LOCK_EX):
            yield


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise as_archive_error(error, "lock the file store") from error
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
