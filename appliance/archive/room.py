"""The archive: the strong room, the only owner of the disk. Every other room reaches it through this."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.archive import migrations
from appliance.archive.accesses import Accesses
from appliance.archive.callers import Callers
from appliance.archive.committer import Committer
from appliance.archive.conflicts import Conflicts
from appliance.archive.custody import Custody
from appliance.archive.database import Database
from appliance.archive.events import Announcer
from appliance.archive.files import DIRECTORY_MODE, FILE_MODE, as_archive_error, fsync_directory
from appliance.archive.housekeeping import Housekeeper
from appliance.archive.ingest import Ingest
from appliance.archive.numbers import Numbers
from appliance.archive.outbox import Outbox
from appliance.archive.proofs import Proofs
from appliance.archive.quarantine import Quarantine
from appliance.archive.reading import Reading
from appliance.archive.register import Register
from appliance.archive.reserve import Reserve
from appliance.archive.search import Search
from appliance.archive.settings import ArchiveSettings
from appliance.archive.spool import Spool, sweep
from appliance.archive.transcodes import Transcodes
from appliance.clock import Clock, SystemClock

INITIALISING = "initialise.lock"


class Archive:
    """One home directory's store, opened by one process. Safe to use from many threads."""

    def __init__(self, settings: ArchiveSettings, room: str, clock: Clock) -> None:
        """Use `open`."""
        self.settings = settings
        self.clock = clock
        self.database = Database(settings.database)
        migrations.check(self.database, tenant=settings.tenant)
        sweep(settings.spool)
        self._spool = Spool(settings.spool, room)
        self._committer = Committer(self.database)
        self._housekeeper = Housekeeper(settings, self.database)
        self.register = Register(settings.tenant, settings.timezone, Announcer(settings), clock)
        self.quarantine = Quarantine(settings, self.database, self._committer, clock)
        self.ingest = Ingest(settings, self.database, self._committer, self._spool, self.register, self.quarantine)
        self.outbox = Outbox(self.database, settings.tenant, settings.root, clock)
        self.proofs = Proofs(self.database, settings.tenant, settings.root, clock)
        self.conflicts = Conflicts(settings, self.database, self.register, clock)
        self.custody = Custody(self.database, settings.tenant)
        self.accesses = Accesses(self.database, settings, clock)
        self.callers = Callers(self.database, settings.tenant, clock)
        self.search = Search(self.database, settings.tenant)
        self.reading = Reading(self.database, settings.tenant, settings.root)
        self.transcodes = Transcodes(self.database, settings.tenant, Announcer(settings), clock)
        self.numbers = Numbers(self.database, settings.tenant, Reserve(settings.home, settings.reserve_bytes))

    @classmethod
    def initialise(cls, settings: ArchiveSettings, clock: Clock | None = None) -> tuple[str, ...]:
        """Make the directories and the database, migrate it, register the sinks; safe to repeat.

        Returns the names of the migrations applied. A second process waits for the first.
        """
        clock = clock or SystemClock()
        try:
            for directory in (settings.home, settings.root, settings.root / settings.tenant, settings.spool):
                directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise as_archive_error(error, "make the archive's directories") from error
        with _sole(settings.home):
            applied = migrations.migrate(settings.database, tenant=settings.tenant, clock=clock)
        for directory in (settings.root, settings.home, settings.home.parent):
            fsync_directory(directory)
        database = Database(settings.database)
        try:
            Outbox(database, settings.tenant, settings.root, clock).register(settings.sinks)
        finally:
            database.close()
        return applied

    @classmethod
    def open(
        cls, settings: ArchiveSettings, room: str, clock: Clock | None = None, *, housekeeping: bool = False
    ) -> Archive:
        """Open an initialised archive for one room; `housekeeping` for processes that live long or write much.

        Raises SchemaMismatch when the database is missing or of another version, ConfigurationError
        when it belongs to another tenant.
        """
        archive = cls(settings, room, clock or SystemClock())
        if housekeeping:
            archive._housekeeper.start()
        return archive

    def close(self) -> None:
        """Finish what is being committed, give up locks and the spool, close the database."""
        self._committer.close()
        self._housekeeper.stop()
        self._spool.close()
        self.database.close()


@contextmanager
def _sole(home: Path) -> Iterator[None]:
    """Hold the lock under which one process at a time migrates."""
    try:
        descriptor = os.open(home / INITIALISING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise as_archive_error(error, "initialise the archive") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
