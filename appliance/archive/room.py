"""The archive: the strong room, the only owner of the disk. Every other room reaches it through this."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.archive import migrations
from appliance.archive.committer import Committer
from appliance.archive.database import Database
from appliance.archive.files import DIRECTORY_MODE, FILE_MODE, as_archive_error, fsync_directory
from appliance.archive.housekeeping import Housekeeper
from appliance.archive.outbox import Outbox
from appliance.archive.receipts import Receipts
from appliance.archive.settings import ArchiveSettings
from appliance.archive.spool import Spool, sweep
from appliance.archive.tenants import Machinery, TenantView, Views, held_tenants
from appliance.clock import Clock, SystemClock
from appliance.errors import ConfigurationError
from appliance.liveness import Liveness

INITIALISING = "initialise.lock"
# A commit waits for other processes (database.BUSY_SECONDS) and for the disk; after so long it will not come back.
COMMIT_SECONDS = 180.0
HOUSEKEEPING_SECONDS = 600.0


class Archive(TenantView):
    """One home directory's store, opened by one process: its own tenant's view, and the way to every other.

    Safe to use from many threads.
    """

    def __init__(self, settings: ArchiveSettings, room: str, clock: Clock, tenant: str = "") -> None:
        """Use `open`."""
        database = Database(settings.database)
        migrations.check(database, tenant=settings.tenant)
        if tenant not in ("", settings.tenant):
            _check_held(database, settings, tenant)
            settings = replace(settings, tenant=tenant)
        sweep(settings.spool)
        self._spool = Spool(settings.spool, room)
        self._committer = Committer(database)
        self._housekeeper = Housekeeper(settings, database)
        shared = Machinery(database, self._committer, self._spool, threading.Event(), clock)
        super().__init__(settings, shared)
        self._views = Views(self, shared)
        self.receipts = Receipts(database, self._committer, clock)

    def of(self, tenant: str) -> TenantView:
        """Return the view of a tenant: the same database, file store and outbox under another tenant's keys.

        A box knows only its own. Which tenants there are is the caller's to decide: a name becomes a directory.
        """
        return self._views.of(tenant)

    def tenants(self) -> list[str]:
        """Return every tenant that anything is kept of, and the archive's own."""
        roots = (self.settings.root, self.settings.quarantine)
        return sorted({self.settings.tenant} | held_tenants(self.database, *roots))

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
        cls, settings: ArchiveSettings, room: str, clock: Clock | None = None, *, housekeeping: bool = False,
        tenant: str = "",
    ) -> Archive:  # fmt: skip
        """Open an initialised archive for one room; `housekeeping` for processes that live long or write much.

        `tenant`: whose view it is, where that is not the home's own; something must be kept of it. Raises
        SchemaMismatch when the database is missing or of another version, ConfigurationError when it belongs
        to another tenant or knows none of that name.
        """
        archive = cls(settings, room, clock or SystemClock(), tenant)
        if housekeeping:
            archive._housekeeper.start()
        return archive

    def live_in(self, liveness: Liveness) -> None:
        """Let a room watch what works for it here: its commits, and the housekeeping while that is its own."""
        liveness.watch("commits", COMMIT_SECONDS, self._committer.began)
        liveness.watch("housekeeping", HOUSEKEEPING_SECONDS, self._housekeeper.began)

    def close(self) -> None:
        """Finish what is being committed, give up locks and the spool, close the database."""
        self._committer.close()
        self._housekeeper.stop()
        self._spool.close()
        self.database.close()


def _check_held(database: Database, settings: ArchiveSettings, tenant: str) -> None:
    """Refuse a tenant of whom nothing is kept: a slip of the pen would show an empty archive."""
    held = held_tenants(database, settings.root, settings.quarantine)
    if tenant not in held:
        known = ", ".join(sorted(held | {settings.tenant}))
        raise ConfigurationError(f"nothing is kept of the tenant {tenant} in {settings.home}", hint=f"known: {known}")


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
