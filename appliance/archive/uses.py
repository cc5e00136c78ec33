"""Uses of studies: when somebody last looked at one, and which must stay on the box whatever happens."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.archive.database import Database, Row
from appliance.clock import Clock
from appliance.errors import NotFound

MICROSECONDS = 1_000_000
# A view further ahead than this was noted by a clock that has been set back since.
HORIZON = 2 * 3600 * MICROSECONDS

VIEWED = """
INSERT INTO study_use (tenant, study_uid, viewed_at) VALUES (:tenant, :study_uid, :at)
ON CONFLICT (tenant, study_uid) DO UPDATE SET viewed_at =
  CASE WHEN viewed_at > :horizon THEN excluded.viewed_at ELSE max(viewed_at, excluded.viewed_at) END
"""

PIN = """
INSERT INTO study_use (tenant, study_uid, viewed_at, pinned_at, pinned_by, pin_reason)
VALUES (:tenant, :study_uid, 0, :at, :by, :reason)
ON CONFLICT (tenant, study_uid) DO UPDATE SET pinned_at = :at, pinned_by = :by, pin_reason = :reason
"""

UNPIN = """
UPDATE study_use SET pinned_at = NULL, pinned_by = NULL, pin_reason = NULL
WHERE tenant = ? AND study_uid = ? AND pinned_at IS NOT NULL
"""


class Uses:
    """Notes and tells the uses of one tenant's studies."""

    def __init__(self, database: Database, tenant: str, clock: Clock) -> None:
        """Take the database, the tenant and the clock."""
        self._database = database
        self._tenant = tenant
        self._clock = clock

    def view(self, studies: Mapping[str, int]) -> None:
        """Note when studies were looked at (microseconds since epoch, by UID); durable on return, safe to repeat."""
        horizon = self._clock.now() + HORIZON
        with self._database.write() as cx:
            for study_uid, at in studies.items():
                values = {"tenant": self._tenant, "study_uid": study_uid, "at": at, "horizon": horizon}
                cx.execute(VIEWED, values)

    def viewed_at(self, study_uid: str) -> int:
        """Return when a study was last looked at, in microseconds; 0 for never."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT viewed_at FROM study_use WHERE tenant = ? AND study_uid = ?", (self._tenant, study_uid)
            ).fetchone()
        return int(row[0]) if row else 0

    def pin(self, study_uid: str, *, by: str, reason: str) -> None:
        """Keep the bytes of a study on the box until `unpin`; durable on return. Raises NotFound."""
        values = {"tenant": self._tenant, "study_uid": study_uid, "at": self._clock.now(), "by": by, "reason": reason}
        with self._database.write() as cx:
            known = cx.execute(
                "SELECT 1 FROM study WHERE tenant = ? AND study_uid = ?", (self._tenant, study_uid)
            ).fetchone()
            if known is None:
                raise NotFound(f"there is no study {study_uid}", hint="name it by its Study Instance UID")
            cx.execute(PIN, values)

    def unpin(self, study_uid: str) -> None:
        """Let the bytes of a study go when retention wants them to. Raises NotFound when it is not pinned."""
        with self._database.write() as cx:
            changed = cx.execute(UNPIN, (self._tenant, study_uid)).rowcount
        if not changed:
            raise NotFound(f"study {study_uid} is not pinned", hint="see: appliance study pins")

    def pins(self) -> list[Row]:
        """Return the pinned studies, the oldest pin first: study_uid, pinned_at, pinned_by, pin_reason."""
        with self._database.read() as cx:
            return cx.execute(
                "SELECT study_uid, pinned_at, pinned_by, pin_reason FROM study_use"
                " WHERE tenant = ? AND pinned_at IS NOT NULL ORDER BY pinned_at, study_uid",
                (self._tenant,),
            ).fetchall()
