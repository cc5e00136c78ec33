"""The spool: where objects lie while they arrive. Nothing in it was ever acknowledged.

Every process has a directory of its own, held by a lock, so that what a killed process left
behind can be told from what a living one is writing, and removed.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import threading
from pathlib import Path

from appliance.archive.files import DIRECTORY_MODE, FILE_MODE, as_archive_error

LOCK = ".lock"


class Spool:
    """One process's directory for arriving objects, on the archive's file system."""

    def __init__(self, directory: Path, room: str) -> None:
        """Remember where; nothing is made before the first object arrives, so a reader needs no space."""
        self._parent = directory
        self._room = room
        self._numbers = itertools.count(1)
        self._own: tuple[Path, int] | None = None
        self._making = threading.Lock()

    def create(self) -> tuple[int, Path]:
        """Open a new empty file for writing and reading; return (descriptor, path).

        The first call makes and locks <directory>/<room>-<pid>-<n>. Raises DiskFull, ArchiveFailed.
        """
        try:
            path = self._directory() / f"{next(self._numbers)}.part"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(path, flags, FILE_MODE), path
        except OSError as error:
            raise as_archive_error(error, "create a file in the spool") from error

    def close(self) -> None:
        """Remove the directory with whatever is unfinished in it, and give up the lock."""
        if self._own is None:
            return
        directory, lock = self._own
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
        self._own = None

    def _directory(self) -> Path:
        with self._making:
            if self._own is None:
                self._parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
                self._own = _claim(self._parent, self._room)
            return self._own[0]


def _claim(directory: Path, room: str) -> tuple[Path, int]:
    for number in itertools.count():
        own = directory / f"{room}-{os.getpid()}-{number}"
        try:
            own.mkdir(mode=DIRECTORY_MODE)
            lock = os.open(own / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except (FileExistsError, FileNotFoundError):
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_lock_of(lock, own):
            return own, lock
        os.close(lock)  # a sweep came between the two steps above and took it for abandoned
    raise AssertionError("unreachable: the numbers do not end")


def sweep(directory: Path) -> int:
    """Remove the directories of processes that are gone; return how many.

    Their lock is held meanwhile, so that a process that is just making one notices. What has no
    lock file is left alone: it is being made at this moment, or is not a spool's.
    """
    removed = 0
    for entry in sorted(directory.iterdir()) if directory.is_dir() else []:
        if entry.is_dir() and not entry.is_symlink():
            removed += _remove_abandoned(entry)
    return removed


def _remove_abandoned(entry: Path) -> bool:
    try:
        lock = os.open(entry / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its owner may have ended since it was opened, and a successor have made a directory of the same name.
        if not _is_lock_of(lock, entry):
            return False
        shutil.rmtree(entry, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _is_lock_of(lock: int, own: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(own / LOCK))
    except FileNotFoundError:
        return False
