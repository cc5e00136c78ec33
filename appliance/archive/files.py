"""Durable file operations: each says what is on disk when it returns.

After an fsync error nothing is known about the pages that were dirty, and a second fsync may
report a success that means nothing. So an error is never retried here: it becomes ArchiveFailed,
the room stops, and a fresh process starts from what the disk really holds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections import OrderedDict
from pathlib import Path

from appliance.errors import ArchiveFailed, DiskFull

AT_FDCWD = -100
RENAME_NOREPLACE = 1
KNOWN_DIRECTORIES = 65536
TRIES = 8
FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
DIRECTORY_MODE = 0o750
FILE_MODE = 0o640

_libc = ctypes.CDLL(None, use_errno=True)


def as_archive_error(error: OSError, action: str) -> DiskFull | ArchiveFailed:
    """Translate an operating system error; paths stay out of the message."""
    if error.errno in FULL_ERRORS:
        return DiskFull(f"disk full while trying to {action}", hint="free some space on the archive's disk")
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return ArchiveFailed(f"could not {action}: {name}", hint="check the archive's disk and its mount")


def fsync(descriptor: int) -> None:
    """Return only when the file's bytes and size are on disk. Raises ArchiveFailed (never retry)."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise ArchiveFailed(
            f"fsync failed: {errno.errorcode.get(error.errno or 0, 'unknown error')}",
            hint="the process must restart; check the disk",
        ) from error


def fsync_directory(directory: Path) -> None:
    """Return only when the directory's entries are on disk. Raises ArchiveFailed."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise as_archive_error(error, "open a directory") from error
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_new(source: Path, target: Path) -> None:
    """Rename `source` to `target` atomically; FileExistsError if `target` exists, never an overwrite.

    Not durable until the directory of `target` is fsynced. Raises OSError.
    """
    result = _libc.renameat2(
        AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), ctypes.c_uint(RENAME_NOREPLACE)
    )
    if result == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code))
    os.link(source, target)  # a file system without RENAME_NOREPLACE: link never overwrites either
    os.unlink(source)


class DirectoryTree:
    """Directories below one root, with every entry that leads to them made durable.

    A directory that another thread or process has just made may not be on disk yet, so the
    first use of a directory by this process fsyncs its parent even when it exists already.
    """

    def __init__(self, root: Path) -> None:
        """Take `root`, which must exist and be durable."""
        self.root = root
        self._durable: OrderedDict[Path, None] = OrderedDict()
        self._lock = threading.Lock()

    def ensure(self, directory: Path) -> None:
        """Make `directory` and its parents up to the root; their entries are durable on return.

        Where retention removes an empty directory meanwhile, it is made anew. Raises DiskFull, ArchiveFailed.
        """
        for _ in range(TRIES):
            try:
                self._ensure(directory)
            except ArchiveFailed as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                self.forget(directory)
            else:
                return
        raise ArchiveFailed("a directory cannot be made", hint="check the archive's disk and its mount")

    def _ensure(self, directory: Path) -> None:
        if directory == self.root:
            return
        with self._lock:
            known = directory in self._durable
            if known:
                self._durable.move_to_end(directory)
        if known and directory.is_dir():
            return
        self._ensure(directory.parent)
        try:
            directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        except OSError as error:
            raise as_archive_error(error, "make a directory") from error
        fsync_directory(directory.parent)
        with self._lock:
            self._durable[directory] = None
            while len(self._durable) > KNOWN_DIRECTORIES:
                self._durable.popitem(last=False)

    def forget(self, directory: Path) -> None:
        """Know nothing of `directory` and its parents any more: somebody has removed one that was empty."""
        with self._lock:
            for one in (directory, *directory.parents):
                self._durable.pop(one, None)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of `data`; not durable. Raises OSError, with the file then of unknown length."""
    written = os.write(descriptor, data)
    if written == len(data):
        return
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]
