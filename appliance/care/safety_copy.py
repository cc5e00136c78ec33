"""A copy of the databases before a migration: the way back when an upgrade turns out to be a mistake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from appliance.access.book import FILE as ACCESS
from appliance.archive.database import Database, damage, duplicate
from appliance.archive.files import as_archive_error, fsync, fsync_directory
from appliance.clock import Clock
from appliance.errors import ArchiveFailed, DiskFull

FOLDER: Final = "backups"
PREFIX: Final = "before-migration-"
KEPT: Final = 2
UNFINISHED: Final = ".unfinished"
OWNER_ONLY: Final = 0o700
# Beyond the databases themselves: their logs may grow while they are copied.
MARGIN_BYTES: Final = 64 << 20


def keep_copy(home: Path, database: Path, *, schema: int, clock: Clock) -> Path:
    """Copy index and accounts to `<home>/backups/before-migration-<schema>-<time>`; return that directory.

    Durable and checked on return; older copies go, but for the newest two. Nobody need be stopped for it. Raises
    DiskFull before anything is written where there is no room, ArchiveFailed for a copy that is not sound.
    """
    sources = [path for path in (database, home / ACCESS) if path.is_file()]
    folder = home / FOLDER
    target = folder / f"{PREFIX}{schema}-{clock.now() // 1_000_000}"
    fresh = target.with_name(target.name + UNFINISHED)
    try:
        folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
        _require_room(folder, sources)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=OWNER_ONLY)
        for source in sources:
            _copy(source, fresh / source.name)
        fsync_directory(fresh)
        os.rename(fresh, target)
        fsync_directory(folder)
        fsync_directory(home)
    except OSError as error:
        raise as_archive_error(error, "copy the databases before the migration") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _let_go(folder, target)
    return target


def copies(home: Path) -> list[Path]:
    """Return the finished copies, the oldest first."""
    found = [path for path in (home / FOLDER).glob(f"{PREFIX}*-*") if not path.name.endswith(UNFINISHED)]
    return sorted(found, key=_made_at)


def _copy(source: Path, target: Path) -> None:
    database = Database(source)
    try:
        duplicate(database, target)
    finally:
        database.close()
    wrong = damage(target)
    if wrong:
        raise ArchiveFailed(
            f"the copy of {source.name} is not sound: {wrong[0]}",
            hint="look at the database first: appliance fsck; docs/operations.md says how to rebuild it",
        )
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_room(folder: Path, sources: list[Path]) -> None:
    logs = [path.with_name(f"{path.name}-wal") for path in sources]
    needed = sum(path.stat().st_size for path in (*sources, *logs) if path.is_file()) + MARGIN_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"there is no room for a copy of the databases: {needed >> 20} MiB are needed, {free >> 20} MiB are free",
            hint=f"free some space, remove old copies in {folder}, or migrate without a way back: --no-backup",
        )


def _let_go(folder: Path, newest: Path) -> None:
    older = [path for path in copies(folder.parent) if path != newest]
    for path in older[: max(0, len(older) - (KEPT - 1))]:
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"{PREFIX}*{UNFINISHED}"):
        shutil.rmtree(path, ignore_errors=True)


def _made_at(path: Path) -> int:
    text = path.name.rpartition("-")[2]
    return int(text) if text.isdecimal() else 0
