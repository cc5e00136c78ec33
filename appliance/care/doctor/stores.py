"""The databases: schema, soundness, the write-ahead log; who may log in; how old the last backup is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.access.book import FILE as ACCESS_FILE
from appliance.access.book import Book
from appliance.access.roles import Role
from appliance.archive import migrations
from appliance.archive.database import Database
from appliance.care.backup.shelf import snapshots
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning
from appliance.errors import ArchiveError

MIB = 1 << 20
LONG_LOG = 512 * MIB
CHECK_SECONDS = 6.0
STEPS = 100_000
QUICK = "PRAGMA quick_check(1)"
DAY = 86_400.0
OLD_DAYS = 2.0
MIGRATE = "stop the rooms, then: appliance db migrate"


def schema(box: Box, _subject: str) -> Verdict:
    """See whether the database is there, and of the schema this version works with."""
    path = box.layout.database
    if not path.is_file():
        return fault(f"there is no database in {box.settings.home}", "run: appliance init")
    _writable(path)
    found = migrations.state(path)
    if found.version < migrations.SCHEMA_VERSION or found.pending:
        return fault(f"schema {found.version}, this version needs {migrations.SCHEMA_VERSION}", MIGRATE)
    if found.compatible_from > migrations.SCHEMA_VERSION:
        mend = "install that version again, or restore the backup made before the upgrade"
        return fault(f"schema {found.version} is of a newer version of the appliance", mend)
    if found.tenant != box.layout.tenant:
        mend = "correct site.tenant; another tenant needs another home"
        return fault(f"it belongs to tenant {found.tenant}, the configuration says {box.layout.tenant}", mend)
    return ok(f"schema {found.version}, tenant {found.tenant}")


def soundness(box: Box, _subject: str) -> Verdict:
    """Let SQLite look at its pages for some seconds; a large database is left to fsck."""
    path = box.layout.database
    if not path.is_file():
        return skipped("there is no database yet")
    _writable(path)
    database = Database(path)
    try:
        return _quick_check(database)
    except ArchiveError as error:
        return fault(error.message, error.hint or "see docs/operations.md")
    finally:
        database.close()


def _quick_check(database: Database) -> Verdict:
    deadline = time.monotonic() + CHECK_SECONDS
    late: list[bool] = []

    def stop() -> int:
        late[:] = [time.monotonic() > deadline]
        return int(late[0])

    try:
        with database.read() as cx:
            _watched(cx, stop)
            try:
                row = cx.execute(QUICK).fetchone()
            finally:
                _watched(cx, None)
    except ArchiveError:
        if late and late[0]:
            return skipped(f"too large to look at in {CHECK_SECONDS:g} s; appliance fsck looks at all of it")
        raise
    if row[0] != "ok":
        return fault("the index is damaged", "stop the rooms; restore a backup, or rebuild it (docs/operations.md)")
    return ok("SQLite finds its pages sound")


def _watched(cx: Any, stop: Callable[[], int] | None) -> None:
    cx.set_progress_handler(stop, STEPS if stop else 0)


def log(box: Box, _subject: str) -> Verdict:
    """See whether somebody copies the write-ahead log over."""
    path = box.layout.database.with_name(box.layout.database.name + "-wal")
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return ok("empty")
    what = f"{size / MIB:.0f} MiB"
    if size > LONG_LOG:
        mend = "a program holds an old snapshot: see who has index.db open (lsof), and restart the rooms"
        return warning(f"{what}: it is not copied over", mend)
    return ok(what)


def login(box: Box, _subject: str) -> Verdict:
    """See whether an administrator can log in, or somebody still has to use the set-up code."""
    if box.settings.web.login == "open":
        return skipped("web.login = open: nobody logs in")
    path = box.settings.home / ACCESS_FILE
    if not path.is_file():
        return fault("nobody can log in: there are no accounts", "run: appliance init, and open the address it prints")
    _writable(path)
    with Book(box.settings.home) as book:
        accounts, code = book.accounts.list(), book.setup.is_due()
    admins = [one for one in accounts if one["role"] == Role.ADMIN.value and one["enabled"]]
    if admins:
        return ok(
            f"{len(admins)} administrators, {len(accounts)} accounts" + ("; a set-up code is open" if code else "")
        )
    if code:
        return warning("no administrator yet, the set-up code waits", "open the web pages and use it within a day")
    return fault(
        "no administrator can log in",
        "run: appliance user setup-code, and open the web pages; or: appliance user add NAME --role admin",
    )


def backup(box: Box, _subject: str) -> Verdict:
    """See how old the newest backup is."""
    directory = box.settings.backup.directory
    if directory is None:
        return warning("nobody makes backups of index, accounts and keys", "set backup.directory (docs/backup.md)")
    found = snapshots(directory) if directory.is_dir() else []
    if not found:
        return warning(f"there is none in {directory}", f"mount its disk, or run: appliance backup {directory}")
    newest = found[-1].marker
    days = (box.clock.now() - newest.began_at) / 1e6 / DAY
    what = f"{len(found)}, the newest {days:.1f} days old"
    if newest.faults:
        return warning(
            f"{what}, and it lacks {len(newest.faults)} files", f"appliance backup list {directory}; appliance fsck"
        )
    if days > OLD_DAYS:
        return warning(what, "see why: systemctl status dicom-edge-backup.timer dicom-edge-backup.service")
    return ok(what)


def _writable(path: Path) -> None:
    """Raise PermissionError for a database that this user cannot open: SQLite's own word for it is less plain."""
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(13, "not permitted", str(path))
