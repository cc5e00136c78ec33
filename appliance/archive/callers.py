"""Rejected callers: who knocked at a door and was turned away, so that the technician sees it."""

from __future__ import annotations

from appliance.archive.database import Database, Row
from appliance.clock import Clock

MAXIMUM_ROWS = 1000
# An AE title has 16 characters, the name of a site 64.
MAXIMUM_NAME = 64


class Callers:
    """A bounded list: one row per (AE title, address, reason), the oldest forgotten first."""

    def __init__(self, database: Database, tenant: str, clock: Clock) -> None:
        """Take the database, the tenant and the clock."""
        self._database = database
        self._tenant = tenant
        self._clock = clock

    def reject(self, ae_title: str, address: str, reason: str, *, count: int = 1) -> None:
        """Remember `count` rejections of an AE title or a site. Durable on return; not for the network's threads."""
        now = self._clock.now()
        with self._database.write() as cx:
            cx.execute(
                "INSERT INTO rejected_caller (tenant, ae_title, address, reason, count, first_at, last_at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (tenant, ae_title, address, reason)"
                " DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at",
                (self._tenant, ae_title[:MAXIMUM_NAME], address, reason, count, now),
            )
            cx.execute(
                "DELETE FROM rejected_caller WHERE tenant = ?1 AND last_at < (SELECT min(last_at) FROM"
                " (SELECT last_at FROM rejected_caller WHERE tenant = ?1 ORDER BY last_at DESC LIMIT ?2))",
                (self._tenant, MAXIMUM_ROWS),
            )

    def list(self) -> list[Row]:
        """Return the rejected callers, latest first."""
        with self._database.read() as cx:
            return cx.execute(
                "SELECT ae_title, address, reason, count, first_at, last_at FROM rejected_caller"
                " WHERE tenant = ? ORDER BY last_at DESC",
                (self._tenant,),
            ).fetchall()
