"""Copying of one file: hashed on the way, durable before it has its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.archive.files import as_archive_error, fsync, write_all

BLOCK: Final = 1 << 20


class Unreadable(OSError):
    """The source cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was read: bytes, SHA-256 of all of them, and of those from the offset on that was asked for."""

    size: int
    sha256: str
    digest: str


def copy(source: Path, target: Path, *, mode: int, offset: int = 0) -> Copied:
    """Copy a file to `target`, which is replaced; its bytes are on disk on return, its name is not yet.

    `offset` is where the data set begins, whose own SHA-256 is wanted, too. Raises FileNotFoundError, Unreadable
    (with the errno) for the source; DiskFull, ArchiveFailed for the target.
    """
    reading = opened(source)
    try:
        return copy_open(reading, target, mode=mode, offset=offset)
    finally:
        os.close(reading)


def copy_open(reading: int, target: Path, *, mode: int, offset: int = 0) -> Copied:
    """Copy what is open for reading, as `copy` does. Raises Unreadable, DiskFull, ArchiveFailed."""
    writing = _made(target, mode)
    try:
        found = _hashed(reading, offset, lambda block: _write(writing, block))
        fsync(writing)
        _forget(writing)
    finally:
        os.close(writing)
    _forget(reading)
    return found


def read(source: Path, offset: int = 0) -> Copied:
    """Read a file to its end, from the disk where that can be had. Raises FileNotFoundError, Unreadable."""
    reading = opened(source)
    try:
        _forget(reading)
        found = _hashed(reading, offset, lambda _: None)
        _forget(reading)
        return found
    finally:
        os.close(reading)


def _hashed(reading: int, offset: int, take: Callable[[bytes], None]) -> Copied:
    whole, part, size = hashlib.sha256(), hashlib.sha256(), 0
    while block := _read(reading):
        whole.update(block)
        if offset:
            part.update(block[max(0, offset - size) :])
        take(block)
        size += len(block)
    return Copied(size, whole.hexdigest(), (part if offset else whole).hexdigest())


def opened(path: Path) -> int:
    """Open a file, which is no link, for reading; return the descriptor. Raises FileNotFoundError, Unreadable."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.errno, error.strerror) from error


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, BLOCK)
    except OSError as error:
        raise Unreadable(error.errno, error.strerror) from error


def _made(target: Path, mode: int) -> int:
    try:
        target.unlink(missing_ok=True)
        return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise as_archive_error(error, "make a copy") from error


def _write(descriptor: int, block: bytes) -> None:
    try:
        write_all(descriptor, block)
    except OSError as error:
        raise as_archive_error(error, "write a copy") from error


def _forget(descriptor: int) -> None:
    """Leave the memory to what the rooms need: these bytes are read once."""
    with suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
