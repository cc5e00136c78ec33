"""Deletions: what a person removes on purpose. The bytes go; a tombstone stays, and outlives every resend.

The order is that of ingest turned round. First one transaction: the tombstone, the index rows, what the sinks
are told, the custody line with the reason. Then the files. A crash in between leaves files without rows, which
fsck removes and never indexes again. One process deletes at a time, and nobody lifts a tombstone meanwhile: a
resend could otherwise be put where a file is about to be removed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.archive import custody
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.events import Announcer, Ending
from appliance.archive.files import FILE_MODE, fsync_directory
from appliance.archive.index import next_revision, recount
from appliance.archive.removal import Remover, Seen
from appliance.archive.scope import Scope, scope
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.errors import ArchiveError, NotFound
from appliance.failpoints import failpoint
from appliance.model.attributes import Level

# Instances in one transaction: the doors wait as long as it takes.
BATCH = 50
LOCK = "deletions.lock"

# What arrives after the order is none of its business: its sender has just been promised that it is safe.
NEWEST = "SELECT coalesce(max(id), 0) FROM version"
# The plus sign keeps SQLite from going through all the tenant's instances in their order.
PRESENT = """
SELECT DISTINCT +v.sop_uid AS sop_uid FROM version v
WHERE {scope} AND v.id <= :until AND v.deleted_at IS NULL LIMIT :rows
"""
TOMBSTONES = "SELECT v.* FROM version v WHERE {scope} AND v.deleted_at IS NOT NULL"

UNDELIVERED = """
SELECT d.sink, count(DISTINCT v.sop_uid) AS instances
FROM version v CROSS JOIN event e INDEXED BY event_by_version ON e.version_id = v.id AND e.kind IN ('image', 'object')
  JOIN delivery d ON d.event_id = e.id AND d.state IN ('pending', 'leased', 'dead')
  JOIN sink s ON s.name = d.sink AND s.active = 1 AND s.required = 1
WHERE {scope} AND v.id <= :until AND v.standing = 'current' GROUP BY d.sink ORDER BY d.sink
"""
FILLING = "SELECT name FROM sink WHERE active = 1 AND required = 1 AND filled < fill_until ORDER BY name"
PINNED = """
SELECT 1 FROM version v JOIN study_use u ON u.tenant = v.tenant AND u.study_uid = v.study_uid
WHERE {scope} AND u.pinned_at IS NOT NULL AND v.deleted_at IS NULL LIMIT 1
"""

BURY = """
UPDATE delivery SET proof_due = NULL, lease_token = NULL, lease_until = NULL, updated_at = :now,
  reason = CASE WHEN state = 'delivered' THEN reason ELSE :reason END,
  state = CASE WHEN state = 'delivered' THEN state ELSE 'buried' END
WHERE state <> 'buried' AND event_id IN (SELECT id FROM event INDEXED BY event_by_version WHERE version_id = :version)
"""

TOMBSTONE = """
UPDATE version SET standing = 'superseded', deleted_at = ?, blob_kind = 'evicted', blob_path = NULL WHERE id = ?
"""
UNINDEX = "DELETE FROM instance WHERE tenant = ? AND sop_uid = ? AND version_id = ?"
SETTLE = """
UPDATE conflict SET settled = 1, settled_at = :now, settled_by = :by WHERE tenant = :tenant AND sop_uid = :sop
  AND settled = 0 AND further_version <= :until
"""
TOUCH = "UPDATE {table} SET revision = :revision, updated_at = :now WHERE tenant = :tenant AND study_uid = :study_uid"


class StillNeeded(ArchiveError):
    """What is to be deleted has not left the box yet, or somebody has pinned it."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many instances went, and how many files with how many bytes."""

    instances: int
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class _Order:
    """One deletion as it was ordered. `reason` is a person's free text: for the ledger, never for logs.

    `until` is the newest version there was then.
    """

    scope: Scope
    until: int
    reason: str
    by: str
    force: bool

    @property
    def values(self) -> dict[str, str | int]:
        """What the names in the statements stand for."""
        return {**self.scope.values, "until": self.until}


class Deletions:
    """Deletes from one tenant's archive, and lifts tombstones."""

    def __init__(self, settings: ArchiveSettings, database: Database, announcer: Announcer, clock: Clock) -> None:
        """Wire the parts of one archive together."""
        self._settings = settings
        self._database = database
        self._remover = Remover(settings, database)
        self._announcer = announcer
        self._clock = clock

    def delete(self, level: Level, uid: str, *, reason: str, by: str, force: bool = False) -> Deleted:
        """Delete a study, series or instance, in batches each of which is durable; the sinks are told.

        Raises NotFound when there is nothing of it, StillNeeded (nothing is deleted then) while a required
        sink lacks any of it or its study is pinned, unless `force`; what was to be delivered is buried then.
        """
        with self._alone():
            with self._database.read() as cx:
                newest = cx.execute(NEWEST).fetchone()[0]
                order = _Order(scope(cx, self._settings.tenant, level, uid), newest, reason, by, force)
                if not _present(cx, order, 1):
                    raise NotFound(f"there is nothing of {uid} to delete", hint="check the UID and its level")
                _refuse(cx, order)
            done = Deleted(0, 0, 0)
            while found := self._batch(order):
                batch, files = found
                self._remove(files)
                gone = sum(1 for row in batch if row["standing"] == "current")
                done = Deleted(done.instances + gone, done.files + len(files), done.size + sum(f.size for f in files))
        return done

    def undelete(self, level: Level, uid: str, *, by: str) -> int:
        """Lift the tombstones of a study, series or instance, so that a resend is stored; return how many.

        Durable on return. The bytes do not come back by this. Raises NotFound when there is none.
        """
        now = self._clock.now()
        with self._alone(), self._database.write() as cx:
            meant = scope(cx, self._settings.tenant, level, uid)
            rows = cx.execute(TOMBSTONES.format(scope=meant.condition), meant.values).fetchall()
            for row in rows:
                cx.execute("UPDATE version SET deleted_at = NULL WHERE id = ?", (row["id"],))
                uids = (row["study_uid"], row["series_uid"], row["sop_uid"])
                custody.note(cx, self._settings.tenant, uids, row["digest"], Fact.UNDELETED, by, "", now)
        if not rows:
            raise NotFound(f"nothing of {uid} is deleted", hint="check the UID and its level")
        return len(rows)

    def _batch(self, order: _Order) -> tuple[list[Row], list[Seen]] | None:
        """Delete the next instances in one transaction; return the version rows as they were, and their files."""
        now, tenant = self._clock.now(), self._settings.tenant
        with self._database.write() as cx:
            found = _present(cx, order, BATCH)
            if not found:
                return None
            _refuse(cx, order)
            revision = next_revision(cx, now)
            doomed: list[Row] = []
            endings: dict[tuple[str, str], Ending] = {}
            for row in found:
                versions = _doomed(cx, tenant, row["sop_uid"], order)
                self._delete(cx, versions, order, revision, now, endings)
                doomed += versions
            for series, ending in endings.items():
                self._tell_series(cx, series, ending, revision, now)
            seen = [self._remover.see(row["blob_path"]) for row in doomed if row["blob_path"]]
            failpoint("deletion.before_commit")
        failpoint("deletion.after_commit")
        return doomed, [file for file in seen if file is not None]

    def _delete(
        self, cx: Connection, versions: Sequence[Row], order: _Order, revision: int, now: int,
        endings: dict[tuple[str, str], Ending],
    ) -> None:  # fmt: skip
        tenant = self._settings.tenant
        for version in versions:
            bury = {"now": now, "reason": f"deleted: {order.reason}", "version": version["id"]}
            cx.execute(BURY, bury)
            if version["standing"] == "current":
                ending = self._announcer.announce_deletion(cx, version["id"], revision, now)
                endings[version["study_uid"], version["series_uid"]] = ending
                cx.execute(UNINDEX, (tenant, version["sop_uid"], version["id"]))
            cx.execute("DELETE FROM transcode WHERE version_id = ?", (version["id"],))
            cx.execute(TOMBSTONE, (now, version["id"]))
            settle = {"now": now, "by": order.by, "tenant": tenant, "sop": version["sop_uid"], "until": order.until}
            cx.execute(SETTLE, settle)
            uids = (version["study_uid"], version["series_uid"], version["sop_uid"])
            custody.note(cx, tenant, uids, version["digest"], Fact.DELETED, order.by, order.reason, now)

    def _tell_series(self, cx: Connection, series: tuple[str, str], ending: Ending, revision: int, now: int) -> None:
        tenant, (study_uid, series_uid) = self._settings.tenant, series
        values = {"tenant": tenant, "study_uid": study_uid, "series_uid": series_uid, "revision": revision, "now": now}
        recount(cx, tenant, study_uid, series_uid)
        cx.execute(TOUCH.format(table="study"), values)
        cx.execute(TOUCH.format(table="series") + " AND series_uid = :series_uid", values)
        self._announcer.announce_what_is_left(cx, ending, revision, now)
        cx.execute(
            "DELETE FROM study_use WHERE tenant = ?1 AND study_uid = ?2"
            " AND NOT EXISTS (SELECT 1 FROM study WHERE tenant = ?1 AND study_uid = ?2)",
            (tenant, study_uid),
        )

    def _remove(self, files: Sequence[Seen]) -> None:
        """Remove files; durable on return. Their directories stay: the doors know them."""
        for directory in sorted(self._remover.remove(files)):
            if directory.is_dir():
                fsync_directory(directory)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._settings.home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _present(cx: Connection, order: _Order, rows: int) -> list[Row]:
    return cx.execute(PRESENT.format(scope=order.scope.condition), {**order.values, "rows": rows}).fetchall()


def _refuse(cx: Connection, order: _Order) -> None:
    """Raise StillNeeded for what may only be deleted by force."""
    if order.force:
        return
    meant, hint = order.scope, "wait for it, or delete it for good with --force"
    rows = cx.execute(UNDELIVERED.format(scope=meant.condition), order.values).fetchall()
    if rows:
        lacking = ", ".join(f"{row['instances']} not at {row['sink']}" for row in rows)
        raise StillNeeded(f"{meant.uid} has not left the box: {lacking}", hint=hint)
    filling = [row["name"] for row in cx.execute(FILLING).fetchall()]
    if filling:
        raise StillNeeded(f"the queue of {', '.join(filling)} is still being filled", hint=hint)
    if cx.execute(PINNED.format(scope=meant.condition), meant.values).fetchone() is not None:
        raise StillNeeded(f"the study of {meant.uid} is pinned", hint="unpin it, or delete it with --force")


def _doomed(cx: Connection, tenant: str, sop_uid: str, order: _Order) -> list[Row]:
    """Return the versions of an instance that go: all that there were, unless its current one is not meant."""
    rows = cx.execute(
        "SELECT * FROM version WHERE tenant = ? AND sop_uid = ? AND deleted_at IS NULL", (tenant, sop_uid)
    ).fetchall()
    meant = order.scope
    elsewhere = any(row["standing"] == "current" and not meant.holds(row) for row in rows)
    return [row for row in rows if row["id"] <= order.until and (not elsewhere or meant.holds(row))]
