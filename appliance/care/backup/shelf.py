"""The directory that holds the snapshots of one box: their names, their lock, which of them go."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from appliance.archive.files import as_archive_error, fsync_directory
from appliance.care.backup import marker
from appliance.care.backup.marker import Marker
from appliance.errors import AlreadyRunning, ConfigurationError, NotFound

LOCK: Final = ".backup.lock"
STAMP: Final = "%Y-%m-%dT%H-%M-%SZ"
NAMED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
PARTIAL: Final = ".partial"
GOING: Final = ".going"
OWNER_ONLY: Final = 0o700
MICROSECONDS: Final = 1_000_000
DAY: Final = 86_400 * MICROSECONDS
UNLOCKABLE: Final = frozenset({errno.ENOENT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One that is whole."""

    path: Path
    marker: Marker

    @property
    def name(self) -> str:
        """When it was begun, as its directory is called."""
        return self.path.name


def stamp(now: int) -> str:
    """Return the name of a snapshot begun at `now` (microseconds since 1970); names sort by time."""
    return datetime.fromtimestamp(now // MICROSECONDS, tz=UTC).strftime(STAMP)


def next_name(directory: Path, now: int) -> str:
    """Return the name of a snapshot begun at `now`: it sorts behind all that are there, whatever the clock has done.

    A box whose clock fell back would else take its next snapshot for the oldest, and remove it.
    """
    there = [path.name.removesuffix(PARTIAL).removesuffix(GOING) for path in directory.iterdir()]
    newest = max(filter(NAMED.fullmatch, there), default="")
    name = stamp(now)
    if name > newest:
        return name
    after = datetime.strptime(newest, STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    return after.strftime(STAMP)


def snapshots(directory: Path) -> list[Snapshot]:
    """Return those that are whole, the newest last. Raises OSError."""
    found = []
    for path in sorted(directory.iterdir()):
        facts = marker.read(path) if NAMED.fullmatch(path.name) else None
        if facts is not None:
            found.append(Snapshot(path, facts))
    return found


def chosen(directory: Path, name: str | None) -> Snapshot:
    """Return the snapshot of that name, or the newest. Raises NotFound, OSError."""
    found = snapshots(directory)
    for snapshot in reversed(found):
        if name in (None, snapshot.name):
            return snapshot
    what = "no complete snapshot" if name is None else f"no complete snapshot {name}"
    raise NotFound(f"there is {what} in {directory}", hint=f"see: appliance backup list {directory}")


def unfinished(directory: Path) -> list[Path]:
    """Return what interrupted runs have left, the newest last."""
    return [path for path in sorted(directory.iterdir()) if NAMED.fullmatch(path.name.removesuffix(PARTIAL))
            and path.name.endswith(PARTIAL)]  # fmt: skip


def sweep(directory: Path) -> None:
    """Remove what an interrupted removal has left."""
    for path in directory.glob(f"*{GOING}"):
        if NAMED.fullmatch(path.name.removesuffix(GOING)):
            shutil.rmtree(path)


def prune(directory: Path, now: int, keep: int | None, keep_days: float | None) -> list[str]:
    """Remove whole snapshots that neither rule keeps; return their names. The newest without faults stays always.

    `keep` is how many of the newest stay, `keep_days` how long; without a rule nothing goes.
    """
    if keep is None and keep_days is None:
        return []
    found = snapshots(directory)
    sound = [one for one in found if not one.marker.faults][-1:]
    going = [one for place, one in enumerate(reversed(found)) if one not in sound
             and not (keep is not None and place < keep)
             and not (keep_days is not None and one.marker.began_at > now - keep_days * DAY)]  # fmt: skip
    for one in going:
        discard(one.path)
    return [one.name for one in going]


def discard(snapshot: Path) -> None:
    """Remove a snapshot or what is left of one; under another name first, so that it never looks whole and is not."""
    going = snapshot.with_name(snapshot.name.removesuffix(PARTIAL) + GOING)
    if going.exists():
        shutil.rmtree(going)
    snapshot.rename(going)
    fsync_directory(snapshot.parent)
    shutil.rmtree(going)


def check_place(directory: Path, home: Path) -> str:
    """Refuse a place below the home; return a warning for one on the same file system, else "".

    Raises ConfigurationError.
    """
    there, here = directory.resolve(), home.resolve()
    if there == here or here in there.parents:
        raise ConfigurationError(
            f"{directory} is inside {home}: what takes the one takes the other",
            hint="name a directory on another disk",
        )
    existing = next(path for path in (there, *there.parents) if path.exists())
    if existing.stat().st_dev != here.stat().st_dev:
        return ""
    return f"{directory} is on the same file system as {home}: a broken disk takes both"


@contextmanager
def locked(directory: Path, *, alone: bool) -> Iterator[None]:
    """Be the one that changes the snapshots (`alone`), or one of those that read them. Raises AlreadyRunning.

    A place that cannot be written to, or never was, has nobody who changes it, and needs no lock to be read. Who reads
    makes none: root's would keep the service out.
    """
    try:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if alone else 0)
        descriptor = os.open(directory / LOCK, flags, 0o600)
    except OSError as error:
        if alone or error.errno not in UNLOCKABLE:
            raise as_archive_error(error, "lock the backup") from error
        yield
        return
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        hint = "wait until it has ended"
        raise AlreadyRunning(f"another backup, check or restoration works on {directory}", hint=hint) from error
    try:
        yield
    finally:
        os.close(descriptor)
