"""SQLite connections: lent for one transaction, every pragma in one place.

No other module imports the driver. pysqlite3 carries a current SQLite: versions 3.7.0 to 3.51.2
can corrupt a write-ahead log that several processes share, and Debian 12 ships one of them.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pysqlite3.dbapi2 as driver

from appliance.archive.files import as_archive_error
from appliance.errors import ArchiveError, ArchiveFailed, Busy, ConfigurationError, DiskFull

if TYPE_CHECKING:
    from sqlite3 import Connection, Row
else:
    Connection = Row = Any

__all__ = ["Connection", "Database", "Row", "damage", "duplicate", "frozen", "translated"]

FILE_MODE = 0o640
OWNER_ONLY = 0o600
MINIMUM_SQLITE = (3, 51, 3)
BUSY_SECONDS = 30
JOURNAL_LIMIT_BYTES = 64 << 20

PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA mmap_size = 0",
    f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA temp_store = MEMORY",
)

FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})
BUSY = frozenset({"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED"})


class Database:
    """One database file and the connections to it that are idle. Safe to share between threads.

    A connection is lent for one transaction, so there are never more than transactions under way
    at once, however many threads (one per association) come and go.
    """

    def __init__(self, path: Path, *, checkpoint_pages: int = 0) -> None:
        """Remember `path`; nothing is opened yet. Raises ConfigurationError for an unsafe SQLite.

        `checkpoint_pages`: a commit that leaves a longer log copies it over; 0 leaves that to `checkpoint`.
        """
        if driver.sqlite_version_info < MINIMUM_SQLITE:
            wanted = ".".join(map(str, MINIMUM_SQLITE))
            raise ConfigurationError(
                f"SQLite {driver.sqlite_version} can corrupt a database shared by several processes",
                hint=f"install the locked pysqlite3, which bundles SQLite {wanted} or newer",
            )
        self.path = path
        self._checkpoint_pages = checkpoint_pages
        self._idle: deque[Connection] = deque()
        self._watch: Connection | None = None
        self._watching = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection inside one snapshot; nothing can be written through it."""
        with translated(), self._lent() as cx:
            cx.execute("BEGIN")
            yield cx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Lend a connection inside one immediate transaction.

        On a normal exit the transaction is committed and on disk (synchronous=FULL); on an
        exception it is rolled back. Raises DiskFull, ArchiveFailed, or Busy when another process
        held the write lock for BUSY_SECONDS.
        """
        with translated(), self._lent() as cx:
            cx.execute("BEGIN IMMEDIATE")
            yield cx
            cx.execute("COMMIT")

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed; no lock is taken."""
        with translated(), self._watching:
            if self._watch is None:
                self._watch = connect(self.path)
            row = self._watch.execute("PRAGMA data_version").fetchone()
        return cast(int, row[0])

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the write-ahead log into the database, as far as readers allow. Only the housekeeper calls this."""
        mode = "TRUNCATE" if truncate else "PASSIVE"
        with translated(), self._lent() as cx:
            # A truncating checkpoint waits for readers while it keeps writers out: it must not wait.
            cx.execute("PRAGMA busy_timeout = 0").fetchall()
            try:
                cx.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            finally:
                cx.execute(PRAGMAS[0]).fetchall()

    def close(self) -> None:
        """Close the idle connections; using the database afterwards opens new ones."""
        while self._idle:
            self._idle.pop().close()
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        try:
            cx = self._idle.pop()
        except IndexError:
            cx = connect(self.path)
            cx.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages}").fetchall()
        try:
            yield cx
        finally:
            if cx.in_transaction:
                cx.execute("ROLLBACK")
            self._idle.append(cx)


def connect(path: Path) -> Connection:
    """Open `path` with every pragma set; explicit transactions only. A new file is its group's at most."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        raise as_archive_error(error, "open the database") from error
    cx = driver.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
    cx.row_factory = driver.Row
    for pragma in PRAGMAS:
        cx.execute(pragma).fetchall()
    return cast(Connection, cx)


def duplicate(source: Database, target: Path) -> None:
    """Copy a database that others go on writing to, as it is at one moment, to a new file for its owner alone.

    SQLite's online backup in one step: writers are not held up, the log grows meanwhile. Durable on return but for
    the directory. Raises ArchiveError, DiskFull.
    """
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))
    with translated():
        copy = driver.connect(str(target), isolation_level=None)
        try:
            copy.execute("PRAGMA synchronous = FULL").fetchall()
            with source.read() as cx:
                cx.backup(copy)
        finally:
            copy.close()


@contextmanager
def frozen(path: Path) -> Iterator[Connection]:
    """Lend a connection to a copy that nobody writes to: it reads, and leaves nothing beside the file."""
    with translated():
        cx = driver.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        cx.row_factory = driver.Row
        try:
            yield cx
        finally:
            cx.close()


def damage(path: Path) -> list[str]:
    """Return what SQLite finds wrong in a copy; [] for a sound one. Rows are not quoted."""
    try:
        with frozen(path) as cx:
            found = [str(row[0]) for row in cx.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
            strays = {str(row[0]) for row in cx.execute("PRAGMA foreign_key_check").fetchall()}
    except ArchiveError as error:
        return [error.message]
    return found + [f"rows of {table} refer to missing rows" for table in sorted(strays)]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the archive's, by SQLite's own result code."""
    try:
        yield
    except driver.Error as error:
        raise _translate(error) from error


def _translate(error: Exception) -> ArchiveError:
    name = str(getattr(error, "sqlite_errorname", "") or "")
    if name in FULL:
        return DiskFull("the disk that holds the database is full", hint="free some space on it")
    if name in BUSY:
        return Busy("another process holds the database's write lock", hint="try again in a moment")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return ArchiveFailed(f"the database is damaged: {name}", hint="rebuild it: see docs/operations.md")
    if name.startswith("SQLITE_IOERR"):
        return ArchiveFailed(f"the database could not be read or written: {name}", hint="check the disk")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return ArchiveError(f"the database cannot be opened for writing: {name}", hint="run as the owner of the home")
    return ArchiveError(f"the database refused a statement: {name or type(error).__name__}: {error}")
