"""Numbers about the archive for status, health and metrics. No patient data."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.archive.database import Database
from appliance.archive.intake import Intake, measure
from appliance.archive.reserve import Disk, Reserve

COUNTED = """
SELECT (SELECT count(*) FROM study WHERE tenant = :tenant) AS studies,
  (SELECT count(*) FROM series WHERE tenant = :tenant) AS series,
  (SELECT count(*) FROM instance WHERE tenant = :tenant) AS instances,
  (SELECT count(*) FROM quarantine WHERE tenant = :tenant) AS quarantined,
  (SELECT count(*) FROM version WHERE tenant = :tenant AND standing = 'current' AND blob_path IS NULL) AS not_held,
  (SELECT count(*) FROM version WHERE tenant = :tenant AND standing = 'current' AND blob_path IS NULL
    AND evicted_at IS NOT NULL) AS evicted,
  (SELECT count(*) FROM conflict WHERE tenant = :tenant AND settled = 0) AS conflicts,
  (SELECT received_at FROM version WHERE tenant = :tenant ORDER BY id DESC LIMIT 1) AS last_store
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the index knows. `not_held` of the instances have no bytes on this box, `evicted` of these by retention.

    `last_store` is microseconds since epoch, None for an empty box.
    """

    studies: int
    series: int
    instances: int
    not_held: int
    evicted: int
    quarantined: int
    conflicts: int
    last_store: int | None


class Numbers:
    """Counts rows and measures the disk."""

    def __init__(self, database: Database, tenant: str, reserve: Reserve) -> None:
        """Take the database, the tenant and the reserve."""
        self._database = database
        self._tenant = tenant
        self._reserve = reserve

    def counts(self) -> Counts:
        """Count now, in one snapshot."""
        with self._database.read() as cx:
            row = cx.execute(COUNTED, {"tenant": self._tenant}).fetchone()
        return Counts(**dict(row))

    def intake(self, now: int) -> Intake:
        """Measure what has arrived lately; `now` is in microseconds since 1970, UTC."""
        with self._database.read() as cx:
            return measure(cx, self._tenant, now)

    def disk(self) -> Disk:
        """Measure the archive's file system now."""
        return self._reserve.disk()
