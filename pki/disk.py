"""Files that are whole or not there: each step is made durable before the next, and nothing is overwritten in place.

Every function may raise OSError.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pki.errors import Busy

PUBLIC, SECRET, SHARED = 0o644, 0o600, 0o640
UNFINISHED = ".new"


def write_new(path: Path, data: bytes, mode: int = PUBLIC, group: int | None = None) -> None:
    """Write a file that must not be there yet. Its content is durable on return, its name is not.

    Nobody but the owner can open it before its group and mode are set.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, SECRET)
    with os.fdopen(descriptor, "wb") as file:
        if group is not None:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def replace(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Put a file in place of another in one step; durable on return. A crash leaves the old one or the new one."""
    fresh = unfinished(path)
    write_new(fresh, data, mode)
    os.rename(fresh, path)
    sync_directory(path.parent)


def append(path: Path, line: str) -> None:
    """Add a line to a file of its owner's; durable on return. After a torn line it begins a new one."""
    existed = path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PUBLIC)
    with os.fdopen(descriptor, "r+b") as file:
        torn = file.seek(0, os.SEEK_END) > 0 and os.pread(descriptor, 1, file.tell() - 1) != b"\n"
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(descriptor)
    if not existed:
        sync_directory(path.parent)


def link(path: Path, target: str) -> None:
    """Point the symbolic link `path` to `target` in one step; durable on return."""
    fresh = unfinished(path)
    os.symlink(target, fresh)
    os.rename(fresh, path)
    sync_directory(path.parent)


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Make a directory unless it is there; its entry in its parent is durable on return."""
    if not path.is_dir():
        os.mkdir(path)
        os.chmod(path, mode)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished(path: Path) -> Path:
    """Return the place where what becomes `path` is prepared; what a dead run left there is removed."""
    fresh = path.with_name(f".{path.name}{UNFINISHED}")
    if fresh.is_dir() and not fresh.is_symlink():
        shutil.rmtree(fresh)
    else:
        fresh.unlink(missing_ok=True)
    return fresh


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file for the length of a block. Raises Busy when another process holds it; dies with its holder."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, SECRET)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"another run holds {path}", hint="wait until it has ended, then run the command again") from None
