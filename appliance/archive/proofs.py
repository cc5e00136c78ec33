"""Proofs: delivered objects whose bytes at the destination are still to be read back and compared."""

from __future__ import annotations

from pathlib import Path

from appliance.archive import custody
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

SUBJECT = """
SELECT e.study_uid, e.series_uid, e.sop_uid, v.digest FROM delivery d JOIN event e ON e.id = d.event_id
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
        """Record that the destination gave back identical bytes; durable on return."""
        self._settle(sink, event_id, Fact.PROVEN, detail, "proof_due = NULL")

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


def _subject(cx: Connection, sink: str, event_id: int) -> Row:
    row: Row | None = cx.execute(SUBJECT, (sink, event_id)).fetchone()
    if row is None:
        raise NotFound(f"sink {sink} has no object delivery {event_id}", hint="see: appliance outbox list")
    return row
