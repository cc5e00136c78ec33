"""One walk through what the copied database names: each file is in the snapshot afterwards, or it is known why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.archive.database import Database
from appliance.archive.files import DirectoryTree, as_archive_error, fsync_directory
from appliance.care.backup import copying, manifest
from appliance.care.backup.copying import Unreadable
from appliance.care.backup.inventory import Gone, Kind, Wanted, wanted, whereabouts
from appliance.care.backup.manifest import Entry, Journal, Known
from appliance.failpoints import failpoint

OWNER_ONLY: Final = 0o600
FILE_MODE: Final = 0o640
# The one file that is being copied; it gets its name when its line stands in the manifest.
COPYING: Final = "copying"
Step = Callable[[int], None]


@dataclass(slots=True)
class Gathered:
    """What a walk came to. `faults` are (path, what is wrong); `changed` files moved or were deleted meanwhile."""

    objects: int = 0
    files: int = 0
    bytes: int = 0
    linked: int = 0
    evicted: list[int] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)


class Gatherer:
    """Fills one unfinished snapshot from the home and from the snapshot before."""

    def __init__(self, home: Path, live: Database, snapshot: Path, before: Path | None, step: Step) -> None:
        """Take home and database, the directory to fill, the newest whole snapshot, and who counts the files."""
        self._home, self._live, self._snapshot, self._before, self._step = home, live, snapshot, before, step
        self._tree = DirectoryTree(snapshot)
        self._filled: Path | None = None
        self.result = Gathered()

    def walk(self, journal: Journal) -> Gathered:
        """Go through all files; on return they are durable. Raises DiskFull, ArchiveError."""
        own = Known(self._snapshot / manifest.BEFORE)
        earlier = Known(None if self._before is None else self._before / manifest.NAME)
        try:
            for file in wanted(self._snapshot / "index.db"):
                mine, unwanted = own.find(file.path)
                self._drop(unwanted)
                theirs, _ = earlier.find(file.path)
                self._place(file, mine, theirs, journal)
                self._step(1)
            self._drop(list(own.rest()))
        finally:
            own.close()
            earlier.close()
        self._leave()
        return self.result

    def _place(self, file: Wanted, mine: Entry | None, theirs: Entry | None, journal: Journal) -> None:
        failpoint("backup.before_object")
        mode = self._look(file)
        entry = self._kept(file, mine) or self._linked(file, theirs, journal)
        if entry is None:
            entry = self._copied(file, mode, journal)
        else:
            self._add(file, entry)
            if entry is mine:
                journal.add(entry)
            if mode is None and self._gone(file) is Gone.LOST:
                self.result.faults.append((file.path, "lost here; the snapshot has it from the one before"))

    def _look(self, file: Wanted) -> int | None:
        """Return the mode of a file that is there with the size it should have."""
        try:
            found = (self._home / file.path).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise as_archive_error(error, "look for a stored object") from error
        return stat.S_IMODE(found.st_mode) if found.st_size == file.size else None

    def _kept(self, file: Wanted, mine: Entry | None) -> Entry | None:
        """What an interrupted run, or the walk before, has copied already."""
        if mine is None or not _same(file, mine) or not _has_size(self._snapshot / file.path, file.size):
            return None
        return mine

    def _linked(self, file: Wanted, theirs: Entry | None, journal: Journal) -> Entry | None:
        if self._before is None or theirs is None or not _same(file, theirs):
            return None
        source, target = self._before / file.path, self._snapshot / file.path
        if not _has_size(source, file.size):
            return None
        self._enter(target.parent)
        try:
            target.unlink(missing_ok=True)
            os.link(source, target, follow_symlinks=False)
        except OSError:
            return None  # too many links, or a file system without: then it is copied
        journal.add(theirs)
        self.result.linked += 1
        return theirs

    def _copied(self, file: Wanted, mode: int | None, journal: Journal) -> Entry | None:
        passing, target = self._snapshot / COPYING, self._snapshot / file.path
        try:
            found = copying.copy(self._home / file.path, passing, mode=OWNER_ONLY, offset=file.offset)
        except FileNotFoundError:
            self._missed(file, "missing")
            return None
        except Unreadable as error:
            self._missed(file, f"cannot be read: {error.strerror}")
            return None
        if found.size != file.size or (file.digest and found.digest != file.digest):
            self._missed(file, "damaged: its bytes are not those that were stored")
            return None
        entry = Entry(file.path, found.size, found.sha256, file.digest, FILE_MODE if mode is None else mode)
        self._enter(target.parent)
        journal.add(entry)
        passing.replace(target)
        self._add(file, entry)
        return entry

    def _missed(self, file: Wanted, what: str) -> None:
        gone = self._gone(file)
        if gone is Gone.EVICTED:
            self.result.evicted.append(file.row)
        elif gone is Gone.CHANGED:
            self.result.changed.append(file.path)
        else:
            self.result.faults.append((file.path, what))

    def _gone(self, file: Wanted) -> Gone:
        """Where the file is by now; one that came back in this moment is for the next walk."""
        gone = whereabouts(self._live, file)
        return Gone.CHANGED if gone is Gone.LOST and self._is_whole(file) else gone

    def _is_whole(self, file: Wanted) -> bool:
        """Whether a file that was not there, or not as stored, is so now."""
        try:
            found = copying.read(self._home / file.path, file.offset)
        except OSError:
            return False
        return found.size == file.size and file.digest in ("", found.digest)

    def _add(self, file: Wanted, entry: Entry) -> None:
        self.result.files += 1
        self.result.bytes += entry.size
        self.result.objects += file.kind is Kind.OBJECT

    def _enter(self, directory: Path) -> None:
        """Make the directory; make the entries of the one before durable."""
        if directory != self._filled:
            self._leave()
            self._tree.ensure(directory)
            self._filled = directory

    def _leave(self) -> None:
        if self._filled is not None:
            fsync_directory(self._filled)
            self._filled = None

    def _drop(self, unwanted: list[Entry]) -> None:
        """Remove what an earlier walk put here and the database does not name any more."""
        for entry in unwanted:
            (self._snapshot / entry.path).unlink(missing_ok=True)


def _same(file: Wanted, entry: Entry) -> bool:
    return file.size == entry.size and file.digest == entry.digest


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size == size
    except OSError:
        return False
