"""A small file system of its own, to be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(directory: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a tmpfs of `size_bytes` on a new `directory`. Needs root, and says so."""
    assert os.geteuid() == 0, "mounting a small disk needs root; run the tests as root"
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(directory)], check=True, timeout=20
    )
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True, timeout=20)


def free_bytes(directory: Path) -> int:
    """Bytes that can still be written."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def leave_free(directory: Path, wanted: int) -> Path:
    """Fill the disk with one file until `wanted` bytes are free; return the file."""
    filler = directory / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        size = max(1, os.fstat(descriptor).st_size + free_bytes(directory) - wanted)
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)
    return filler


def grow(directory: Path, size_bytes: int) -> None:
    """Give a mounted small disk another size."""
    command = ["mount", "-o", f"remount,size={size_bytes}", str(directory)]
    subprocess.run(command, check=True, timeout=20)
