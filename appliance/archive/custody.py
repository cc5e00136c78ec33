"""The custody ledger: one line per fact about an object, appended in the transaction that makes it true."""

from __future__ import annotations

from enum import StrEnum

from appliance.archive.database import Connection, Database, Row

# SQLite takes a bare column (fact) from the row that has the maximum: the last word on each instance.
PROVEN = """
SELECT party, count(*) FROM (
  SELECT c.party AS party, c.fact AS fact, max(c.id)
  FROM custody c JOIN version v ON v.tenant = c.tenant AND v.sop_uid = c.sop_uid AND v.digest = c.digest
    AND v.standing = 'current'
  WHERE c.tenant = ? AND c.study_uid = ? AND c.fact IN ('proven', 'bytes_confirmed', 'refuted')
  GROUP BY c.party, c.sop_uid
) WHERE fact <> 'refuted' GROUP BY party
"""


class Fact(StrEnum):
    """What a ledger line states of an object."""

    RECEIVED = "received"
    DUPLICATE = "duplicate"
    RESTORED = "restored"
    CONFLICT = "conflict"
    ACCEPTED = "accepted"
    MARKED = "marked"
    DELIVERED = "delivered"
    PROVEN = "proven"
    REFUTED = "refuted"
    REPAIRED = "repaired"
    BYTES_CONFIRMED = "bytes_confirmed"
    METADATA_CONFIRMED = "metadata_confirmed"
    DELETED = "deleted"
    UNDELETED = "undeleted"
    RESENT = "resent"
    EVICTED = "evicted"
    RECALLED = "recalled"


def note(
    cx: Connection,
    tenant: str,
    uids: tuple[str, str, str],
    digest: str,
    fact: Fact,
    party: str,
    detail: str,
    now: int,
) -> None:
    """Append one line for (study, series, instance). `party` is who stands behind it: an AE title or a sink."""
    cx.execute(
        "INSERT INTO custody (tenant, study_uid, series_uid, sop_uid, digest, fact, party, detail, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (tenant, *uids, digest, fact.value, party, detail, now),
    )


class Custody:
    """Reads the ledger of one tenant."""

    def __init__(self, database: Database, tenant: str) -> None:
        """Take the database and the tenant."""
        self._database = database
        self._tenant = tenant

    def of(self, uid: str) -> list[Row]:
        """Return the lines of a SOP instance or of a whole study, oldest first."""
        with self._database.read() as cx:
            return cx.execute(
                "SELECT * FROM custody WHERE tenant = ?1 AND (sop_uid = ?2 OR study_uid = ?2) ORDER BY id",
                (self._tenant, uid),
            ).fetchall()

    def not_held(self, study_uid: str) -> int:
        """Return how many current instances of a study have no bytes on this box."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT count(*) FROM version WHERE tenant = ? AND study_uid = ? AND standing = 'current'"
                " AND blob_path IS NULL",
                (self._tenant, study_uid),
            ).fetchone()
        return int(row[0])

    def proven(self, study_uid: str) -> dict[str, int]:
        """Return, per sink, how many current instances of a study it was last seen or said to hold byte for byte."""
        with self._database.read() as cx:
            rows = cx.execute(PROVEN, (self._tenant, study_uid)).fetchall()
        return {row[0]: row[1] for row in rows}

    def contested(self, study_uid: str) -> int:
        """Return how many contents of a study wait for a person to choose between them and what is current."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT count(*) FROM version WHERE tenant = ? AND study_uid = ? AND standing = 'contested'",
                (self._tenant, study_uid),
            ).fetchone()
        return int(row[0])

    def delivered(self, study_uid: str) -> dict[str, int]:
        """Return, per sink, how many current instances of a study it holds."""
        with self._database.read() as cx:
            rows = cx.execute(
                "SELECT c.party, count(DISTINCT c.sop_uid) FROM custody c JOIN version v ON v.tenant = c.tenant"
                " AND v.sop_uid = c.sop_uid AND v.digest = c.digest AND v.standing = 'current'"
                " WHERE c.tenant = ? AND c.study_uid = ? AND c.fact = 'delivered' GROUP BY c.party",
                (self._tenant, study_uid),
            ).fetchall()
        return {row[0]: row[1] for row in rows}
