"""Proofs: delivered objects whose bytes at the destination are still to be read back and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from appliance.archive import confirmations, custody
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.outbox import Delivery, delivery_of
from appliance.clock import Clock
from appliance.errors import NotFound

DUE = """
SELECT d.event_id, d.attempts, d.rank, e.tenant, e.kind, e.study_uid, e.series_uid, e.sop_uid, e.message_key,
  e.payload, e.revision, e.trace_id, e.traceparent, e.created_at,
  v.blob_path, v.blob_offset, v.blob_length, v.file_size, v.transfer_syntax_uid, v.digest, v.sop_class_uid, v.source_ae
FROM delivery d INDEXED BY delivery_proof CROSS JOIN event e ON e.id = d.event_id JOIN version v ON v.id = e.version_id
WHERE d.sink = :sink AND d.proof_due IS NOT NULL AND d.proof_due <= :now AND d.state = 'delivered'
  AND v.standing = 'current'
ORDER BY d.proof_due LIMIT :rows
"""

# At once: before any time that a clock will ever show.
AT_ONCE = 0

REFRESH = f"""
UPDATE delivery SET proof_due = {AT_ONCE}, updated_at = :now
WHERE state = 'delivered' AND (proof_due IS NULL OR proof_due > {AT_ONCE}) AND (sink, event_id) IN (
  SELECT c.sink, e.id FROM event e JOIN confirmation c ON c.version_id = e.version_id
  WHERE e.version_id IN (SELECT value FROM json_each(:versions)) AND e.kind = 'object'
  AND c.level = 'bytes' AND c.kind = 'readback' AND (c.at < :fresh OR c.at > :now))
"""

SUBJECT = """
SELECT e.study_uid, e.series_uid, e.sop_uid, v.id, v.digest FROM delivery d JOIN event e ON e.id = d.event_id
JOIN version v ON v.id = e.version_id WHERE d.sink = ? AND d.event_id = ?
"""


class Proofs:
    """The read-back proofs of one tenant's deliveries."""

    def __init__(self, database: Database, tenant: str, root: Path, clock: Clock) -> None:
        """Take the database, the tenant, the archive root and the clock."""
        self._database = database
        self._tenant = tenant
        self._root = root
        self._clock = clock

    def due(self, sink: str, rows: int) -> list[Delivery]:
        """Return delivered objects of a sink that are to be read back now, longest due first."""
        values = {"sink": sink, "now": self._clock.now(), "rows": rows}
        with self._database.read() as cx:
            return [delivery_of(row, self._root) for row in cx.execute(DUE, values).fetchall()]

    def count(self, sink: str) -> int:
        """Return how many delivered objects of a sink still want proof."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT count(*) FROM delivery d INDEXED BY delivery_proof CROSS JOIN event e ON e.id = d.event_id"
                " JOIN version v ON v.id = e.version_id"
                " WHERE d.sink = ? AND d.proof_due IS NOT NULL AND v.standing = 'current'",
                (sink,),
            ).fetchone()
        return int(row[0])

    def prove(self, sink: str, event_id: int, detail: str) -> None:
        """Record that the destination gave back identical bytes, a confirmation of them; durable on return."""
        self._settle(sink, event_id, Fact.PROVEN, detail, "proof_due = NULL")

    def refresh(self, versions: Sequence[int], fresh: int) -> int:
        """Have versions read back at once where their read-back is older than `fresh` (microseconds).

        A read-back from the future counts as old. Durable on return; returns how many deliveries are to be proven.
        """
        values = {"versions": f"[{', '.join(map(str, versions))}]", "fresh": fresh, "now": self._clock.now()}
        with self._database.write() as cx:
            return cx.execute(REFRESH, values).rowcount

    def urgent(self, sink: str) -> bool:
        """Say whether objects of a sink are to be read back at once, because retention waits for it."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT 1 FROM delivery d INDEXED BY delivery_proof CROSS JOIN event e ON e.id = d.event_id"
                " JOIN version v ON v.id = e.version_id WHERE d.sink = ? AND d.proof_due IS NOT NULL"
                " AND d.proof_due <= ? AND d.state = 'delivered' AND v.standing = 'current' LIMIT 1",
                (sink, AT_ONCE),
            ).fetchone()
        return row is not None

    def postpone(self, sink: str, event_id: int, until: int) -> None:
        """Ask again at `until` (microseconds since epoch): the destination could not answer."""
        with self._database.write() as cx:
            cx.execute("UPDATE delivery SET proof_due = ? WHERE sink = ? AND event_id = ?", (until, sink, event_id))

    def refute(self, sink: str, event_id: int, detail: str, *, resend: bool) -> None:
        """Record that the destination does not hold identical bytes; with `resend` deliver the object again."""
        change = "proof_due = NULL"
        if resend:
            change += ", state = 'pending', not_before = 0, attempts = 0"
        self._settle(sink, event_id, Fact.REFUTED, detail, change)

    def _settle(self, sink: str, event_id: int, fact: Fact, detail: str, change: str) -> None:
        now = self._clock.now()
        with self._database.write() as cx:
            row = _subject(cx, sink, event_id)
            uids = (row["study_uid"], row["series_uid"], row["sop_uid"])
            cx.execute(f"UPDATE delivery SET {change} WHERE sink = ? AND event_id = ?", (sink, event_id))
            custody.note(cx, self._tenant, uids, row["digest"], fact, sink, detail, now)
            if fact is Fact.PROVEN:
                level, kind = confirmations.BYTES, confirmations.READBACK
                confirmations.confirm(cx, row["id"], sink, level, kind, now, detail)
            else:
                confirmations.refute(cx, row["id"], sink)


def _subject(cx: Connection, sink: str, event_id: int) -> Row:
    row: Row | None = cx.execute(SUBJECT, (sink, event_id)).fetchone()
    if row is None:
        raise NotFound(f"sink {sink} has no object delivery {event_id}", hint="see: appliance outbox list")
    return row
