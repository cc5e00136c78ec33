"""Removal: the files of rows that have let go of them, and never a file that somebody else needs by now.

Between the commit that gives up a path and the removal of its file, the same object may arrive again and take the file
over; or the file may be withdrawn, and another content get its name. So a file goes only while nobody is
taking one over (see shelter), no row names its path, and it is the very file that was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.archive.database import Database
from appliance.archive.files import as_archive_error
from appliance.archive.layout import DAMAGED
from appliance.archive.settings import ArchiveSettings
from appliance.archive.shelter import Shelter

# The doors wait as long as it takes to remove so many.
AT_ONCE = 20
NAMED = "SELECT 1 FROM version WHERE blob_path = ?"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was seen: `path` below the archive root, `size` in bytes, and what no other file shares."""

    path: str
    size: int
    mark: tuple[int, int, int]


class Remover:
    """Removes files of one archive, of whichever tenant. Safe to use from many threads and processes."""

    def __init__(self, settings: ArchiveSettings, database: Database) -> None:
        """Take the settings (home and archive root) and the database."""
        self._root = settings.root
        self._database = database
        self._shelter = Shelter(settings.home)

    def see(self, path: str) -> Seen | None:
        """Look at a file; None when it is not there. To be done before its path is given up. Raises ArchiveFailed."""
        try:
            found = (self._root / path).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise as_archive_error(error, "look for a stored object") from error
        return Seen(path, found.st_size, (found.st_dev, found.st_ino, found.st_mtime_ns))

    def remove(self, files: Iterable[Seen]) -> set[Path]:
        """Remove those that nobody needs; return their directories. Safe to repeat; nothing is fsynced.

        Who is taking a file over must have ended that. Raises ArchiveFailed, DiskFull.
        """
        wanted = list(files)
        if not wanted:
            return set()
        gone: list[Seen] = []
        for start in range(0, len(wanted), AT_ONCE):
            with self._shelter.alone(), self._database.read() as cx:
                for one in wanted[start : start + AT_ONCE]:
                    if cx.execute(NAMED, (one.path,)).fetchone() is None and self._remove(one):
                        gone.append(one)
        return {(self._root / one.path).parent for one in gone}

    def set_aside(self, damaged: Seen) -> None:
        """Give a file that nobody needs a name that nothing takes for an object; fsck lists it. As `remove`."""
        path = self._root / damaged.path
        with self._shelter.alone(), self._database.read() as cx:
            if cx.execute(NAMED, (damaged.path,)).fetchone() is not None or self.see(damaged.path) != damaged:
                return
            try:
                path.rename(path.with_name(path.name + DAMAGED))
            except OSError as error:
                raise as_archive_error(error, "set a damaged file aside") from error

    def _remove(self, seen: Seen) -> bool:
        if self.see(seen.path) != seen:
            return False
        try:
            (self._root / seen.path).unlink(missing_ok=True)
        except OSError as error:
            raise as_archive_error(error, "remove an object that is not held any more") from error
        return True
