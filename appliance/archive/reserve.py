"""The disk reserve: space the door leaves alone so that the outbox can still drain (invariant 9)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from appliance.archive.files import as_archive_error
from appliance.errors import DiskFull


@dataclass(frozen=True, slots=True)
class Disk:
    """Free bytes for an unprivileged writer, and the bytes kept in reserve."""

    free_bytes: int
    reserve_bytes: int

    @property
    def accepting(self) -> bool:
        """Whether the door may take another object."""
        return self.free_bytes > self.reserve_bytes


class Reserve:
    """Answers whether there is room for `reserve_bytes` and more on the file system of `home`."""

    def __init__(self, home: Path, reserve_bytes: int) -> None:
        """Take the directory whose file system counts."""
        self._home = home
        self._reserve_bytes = reserve_bytes

    def disk(self) -> Disk:
        """Measure now. Raises ArchiveFailed when the file system is gone."""
        try:
            found = os.statvfs(self._home)
        except OSError as error:
            raise as_archive_error(error, "measure the free space") from error
        return Disk(found.f_bavail * found.f_frsize, self._reserve_bytes)

    def check(self) -> None:
        """Raise DiskFull when only the reserve is left."""
        disk = self.disk()
        if not disk.accepting:
            raise DiskFull(
                f"{disk.free_bytes >> 20} MiB are free, {disk.reserve_bytes >> 20} MiB are kept in reserve",
                hint="free some space, or let the outbox drain",
            )
