"""One tenant's view of an archive: everything that reads and writes under one tenant, on shared machinery.

A box has one tenant; a receiver's home holds many in one database, one file store and one outbox. Every key
starts with the tenant, so the same UID of two tenants names two objects that never meet.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.archive.accesses import Accesses
from appliance.archive.callers import Callers
from appliance.archive.chains import Chains
from appliance.archive.committer import Committer
from appliance.archive.confirmations import Confirmations
from appliance.archive.conflicts import Conflicts
from appliance.archive.custody import Custody
from appliance.archive.database import Database
from appliance.archive.deletions import Deletions
from appliance.archive.events import Announcer
from appliance.archive.files import as_archive_error
from appliance.archive.ingest import Ingest
from appliance.archive.numbers import Numbers
from appliance.archive.outbox import Outbox
from appliance.archive.proofs import Proofs
from appliance.archive.quarantine import Quarantine
from appliance.archive.reading import Reading
from appliance.archive.recall import Recall
from appliance.archive.register import Register
from appliance.archive.reserve import Reserve
from appliance.archive.retention import Retention
from appliance.archive.search import Search
from appliance.archive.settings import ArchiveSettings
from appliance.archive.spool import Spool
from appliance.archive.transcodes import Transcodes
from appliance.archive.uses import Uses
from appliance.clock import Clock

# From one name to the next in the index: a tenant may have millions of rows.
TENANTS = """
WITH RECURSIVE held (tenant) AS (
  SELECT min(tenant) FROM version
  UNION ALL SELECT (SELECT min(tenant) FROM version WHERE tenant > held.tenant) FROM held WHERE held.tenant IS NOT NULL
) SELECT tenant FROM held WHERE tenant IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Machinery:
    """What the views of one archive share. `failed` is set once the disk has lied to any of them."""

    database: Database
    committer: Committer
    spool: Spool
    failed: threading.Event
    clock: Clock


class TenantView:
    """The archive as one tenant has it. Safe to use from many threads; closed with the archive."""

    def __init__(self, settings: ArchiveSettings, shared: Machinery) -> None:
        """Use `Archive.of`. `settings.tenant` is whose view this is."""
        tenant, clock, database, committer = settings.tenant, shared.clock, shared.database, shared.committer
        self.settings = settings
        self.clock = clock
        self.database = database
        self.register = Register(tenant, settings.timezone, Announcer(settings), clock)
        self.quarantine = Quarantine(settings, database, committer, clock)
        self.ingest = Ingest(settings, database, committer, shared.spool, self.register, self.quarantine, shared.failed)
        self.outbox = Outbox(database, tenant, settings.root, clock)
        self.proofs = Proofs(database, tenant, settings.root, clock)
        self.conflicts = Conflicts(settings, database, self.register, clock)
        self.custody = Custody(database, tenant)
        self.confirmations = Confirmations(database, tenant, clock)
        self.chains = Chains(database, tenant)
        self.deletions = Deletions(settings, database, Announcer(settings), clock)
        self.accesses = Accesses(database, settings, clock)
        self.callers = Callers(database, tenant, clock)
        self.search = Search(database, tenant)
        self.reading = Reading(database, tenant, settings.root)
        self.transcodes = Transcodes(database, tenant, Announcer(settings), clock)
        self.uses = Uses(database, tenant, clock)
        self.retention = Retention(settings, database, clock)
        self.recall = Recall(settings, shared.spool, database, committer, clock)
        self.numbers = Numbers(database, tenant, Reserve(settings.home, settings.reserve_bytes))


class Views:
    """The views of one archive by tenant, each made when it is first asked for."""

    def __init__(self, own: TenantView, shared: Machinery) -> None:
        """Take the view of the archive's own tenant, and what all of them share."""
        self._shared = shared
        self._settings = own.settings
        self._known: dict[str, TenantView] = {own.settings.tenant: own}
        self._lock = threading.Lock()

    def of(self, tenant: str) -> TenantView:
        """Return the view of a tenant, always the same one."""
        with self._lock:
            if tenant not in self._known:
                self._known[tenant] = TenantView(replace(self._settings, tenant=tenant), self._shared)
            return self._known[tenant]


def held_tenants(database: Database, *roots: Path) -> set[str]:
    """Return the tenants that anything is kept of: a row, or a directory below one of the roots."""
    with database.read() as cx:
        found = {str(row[0]) for row in cx.execute(TENANTS).fetchall()}
    for root in roots:
        try:
            found |= {entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)}
        except FileNotFoundError:
            continue
        except OSError as error:
            raise as_archive_error(error, "look through the archive") from error
    return found
