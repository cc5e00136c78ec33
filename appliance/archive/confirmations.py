"""Confirmations: what a sink has proven of the versions this box holds, and how far its receipts have been fetched.

Of bytes: fsynced and indexed there (a signed receipt), or read back equal. Of metadata: the record of an
image, or the state of a series, is in the centre's databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.archive import custody
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.clock import Clock
from appliance.failpoints import failpoint
from appliance.model.receipts import BYTES_CONFIRMED, Receipt

BYTES = "bytes"
METADATA = "metadata"
RECEIPT = "receipt"
READBACK = "readback"
# What a cursor's trouble begins with when somebody sends what the centre has not signed.
REFUSED = "refused: "

SUBJECT = """
SELECT id FROM version WHERE tenant = ? AND sop_uid = ? AND digest = ? AND transfer_syntax_uid = ?
  AND study_uid = ? AND series_uid = ?
"""

# Of a receipt the word counts for ever, so reading back never takes its place.
CONFIRM = """
INSERT INTO confirmation (version_id, sink, level, kind, at, proof) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (version_id, sink, level) DO UPDATE SET kind = excluded.kind, at = excluded.at, proof = excluded.proof
WHERE excluded.kind = 'receipt' OR confirmation.kind = 'readback'
"""

CONFIRM_SERIES = """
INSERT INTO series_confirmation (tenant, study_uid, series_uid, sink, revision, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, study_uid, series_uid, sink) DO UPDATE SET revision = excluded.revision, at = excluded.at
WHERE excluded.revision > series_confirmation.revision
"""

KNOWN_SERIES = "SELECT 1 FROM event WHERE tenant = ? AND study_uid = ? AND series_uid = ? AND kind = 'state' LIMIT 1"

# The plus sign keeps SQLite from going through everything unproven.
PROVEN_NOW = """
UPDATE delivery SET proof_due = NULL WHERE sink = ? AND +proof_due IS NOT NULL AND event_id IN (
  SELECT id FROM event INDEXED BY event_by_version WHERE version_id = ? AND kind = 'object')
"""

# What is still held waits for proof again, and is counted as unproven until it comes.
UNPROVEN_AGAIN = """
UPDATE delivery SET proof_due = ?2 WHERE sink = ?1 AND state = 'delivered' AND proof_due IS NULL AND event_id IN (
  SELECT e.id FROM confirmation c JOIN version v ON v.id = c.version_id JOIN event e ON e.version_id = v.id
  WHERE c.sink = ?1 AND c.level = 'bytes' AND v.standing = 'current' AND v.blob_path IS NOT NULL AND e.kind = 'object')
"""

MOVE_CURSOR = """
INSERT INTO receipt_cursor (sink, after, checked_at, trouble) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (sink) DO UPDATE SET after = excluded.after, checked_at = excluded.checked_at, trouble = excluded.trouble
"""


COUNTED = """
SELECT s.name,
  (SELECT count(*) FROM confirmation INDEXED BY confirmation_by_sink WHERE sink = s.name AND level = 'bytes'),
  (SELECT count(*) FROM confirmation INDEXED BY confirmation_by_sink WHERE sink = s.name AND level = 'metadata'),
  (SELECT count(*) FROM delivery INDEXED BY delivery_proof WHERE sink = s.name AND proof_due IS NOT NULL),
  (SELECT min(proof_due) FROM delivery INDEXED BY delivery_proof WHERE sink = s.name AND proof_due IS NOT NULL)
FROM sink s WHERE s.active = 1 ORDER BY s.name
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the receipts of a sink have been fetched, when they were last asked for (microseconds), what hinders."""

    after: int = 0
    checked_at: int = 0
    trouble: str = ""

    @property
    def refused(self) -> bool:
        """Whether receipts came that nobody should believe."""
        return self.trouble.startswith(REFUSED)

    @property
    def word(self) -> str:
        """How it stands, in a fixed word: taken, refused, not fetched."""
        return "refused" if self.refused else "not fetched" if self.trouble else "taken"


@dataclass(frozen=True, slots=True)
class SinkProofs:
    """What one active sink has proven, in versions ever; `receipts` is its cursor where receipts are fetched.

    `unproven` objects were delivered and wait for proof, the oldest since `oldest_unproven` (microseconds).
    """

    bytes: int = 0
    metadata: int = 0
    unproven: int = 0
    oldest_unproven: int | None = None
    receipts: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt whose signature holds, and the receipt with its signature as it is kept."""

    receipt: Receipt
    proof: str


@dataclass(frozen=True, slots=True)
class Applied:
    """How many receipts of a page confirmed something here, and how many were about what this box does not know."""

    taken: int
    unknown: int


class Confirmations:
    """The confirmations of one tenant."""

    def __init__(self, database: Database, tenant: str, clock: Clock) -> None:
        """Take the database, the tenant and the clock."""
        self._database = database
        self._tenant = tenant
        self._clock = clock

    def cursor(self, sink: str) -> Cursor:
        """Return how far the receipts of a sink have been fetched; of one never asked, the beginning."""
        with self._database.read() as cx:
            return _cursor(cx, sink)

    def cursors(self) -> dict[str, Cursor]:
        """Return the cursor of every active sink whose receipts have been asked for."""
        with self._database.read() as cx:
            rows = cx.execute(
                "SELECT c.* FROM receipt_cursor c JOIN sink s ON s.name = c.sink WHERE s.active = 1 ORDER BY c.sink"
            ).fetchall()
        return {row["sink"]: Cursor(row["after"], row["checked_at"], row["trouble"]) for row in rows}

    def counts(self) -> dict[str, SinkProofs]:
        """Return what every active sink has proven; indexes alone are read."""
        with self._database.read() as cx:
            rows = cx.execute(COUNTED).fetchall()
        cursors = self.cursors()
        return {
            name: SinkProofs(confirmed, records, unproven, oldest, cursors.get(name))
            for name, confirmed, records, unproven, oldest in rows
        }

    def deleted(self) -> int:
        """Return how many versions of this tenant have a tombstone."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT count(*) FROM version INDEXED BY version_deleted WHERE tenant = ? AND deleted_at IS NOT NULL",
                (self._tenant,),
            ).fetchone()
        return int(row[0])

    def apply(self, sink: str, receipts: Sequence[Proven], *, before: int, after: int) -> Applied | None:
        """Take over a page of receipts and move the cursor from `before` to `after`, in one durable transaction.

        A repeat changes nothing. None, and nothing is written, when the cursor has moved since it was
        read: the operator has said that the sink leads to another place now.
        """
        now, taken = self._clock.now(), 0
        with self._database.write() as cx:
            if _cursor(cx, sink).after != before:
                return None
            for proven in receipts:
                taken += self._take(cx, sink, proven, now)
            cx.execute(MOVE_CURSOR, (sink, after, now, ""))
            failpoint("receipts.before_commit")
        failpoint("receipts.after_commit")
        return Applied(taken, len(receipts) - taken)

    def start_over(self, sink: str, reason: str, *, before: int) -> bool:
        """Void what a sink has confirmed and fetch its receipts from the first: it was restored from an older copy.

        What it confirmed after that copy it may hold no longer, and must not be let go of here on its old
        word; what it still confirms is confirmed anew. `reason` is recorded as trouble. False, and nothing is
        written, when the cursor is not at `before` any more. Durable on return.
        """
        with self._database.write() as cx:
            if _cursor(cx, sink).after != before:
                return False
            now = self._clock.now()
            cx.execute(UNPROVEN_AGAIN, (sink, now))
            void(cx, sink)
            cx.execute(MOVE_CURSOR, (sink, 0, now, reason))
        return True

    def trouble(self, sink: str, reason: str) -> None:
        """Record why receipts are not fetched now ("" when they are); the cursor stays. Durable on return."""
        with self._database.write() as cx:
            cx.execute(MOVE_CURSOR, (sink, _cursor(cx, sink).after, self._clock.now(), reason))

    def _take(self, cx: Connection, sink: str, proven: Proven, now: int) -> bool:
        receipt = proven.receipt
        if receipt.of_series:
            return self._take_series(cx, sink, receipt)
        uids = (receipt.study_uid, receipt.series_uid, receipt.sop_uid)
        identity = (self._tenant, receipt.sop_uid, receipt.digest, receipt.transfer_syntax_uid)
        version: Row | None = cx.execute(SUBJECT, (*identity, *uids[:2])).fetchone()
        if version is None:
            return False
        level = BYTES if receipt.level == BYTES_CONFIRMED else METADATA
        if confirm(cx, version["id"], sink, level, RECEIPT, receipt.at, proven.proof):
            fact = Fact.BYTES_CONFIRMED if level == BYTES else Fact.METADATA_CONFIRMED
            custody.note(cx, self._tenant, uids, receipt.digest, fact, sink, f"receipt {receipt.id}", now)
        if level == BYTES:
            cx.execute(PROVEN_NOW, (sink, version["id"]))
        return True

    def _take_series(self, cx: Connection, sink: str, receipt: Receipt) -> bool:
        series = (self._tenant, receipt.study_uid, receipt.series_uid)
        if receipt.revision <= 0 or cx.execute(KNOWN_SERIES, series).fetchone() is None:
            return False
        cx.execute(CONFIRM_SERIES, (*series, sink, receipt.revision, receipt.at))
        return True


def confirm(cx: Connection, version_id: int, sink: str, level: str, kind: str, at: int, proof: str) -> bool:
    """Write one confirmation; return whether this kind of it is new, and no repeat. Part of a caller's transaction."""
    known = cx.execute(
        "SELECT kind FROM confirmation WHERE version_id = ? AND sink = ? AND level = ?", (version_id, sink, level)
    ).fetchone()
    cx.execute(CONFIRM, (version_id, sink, level, kind, at, proof))
    return known is None or (known["kind"] != kind and kind == RECEIPT)


def refute(cx: Connection, version_id: int, sink: str) -> None:
    """Take back what a sink has said of the bytes of a version. Part of a caller's transaction."""
    cx.execute("DELETE FROM confirmation WHERE version_id = ? AND sink = ? AND level = ?", (version_id, sink, BYTES))


def void(cx: Connection, sink: str) -> None:
    """Forget everything a sink has confirmed: its name leads to another place now. Part of a caller's transaction."""
    cx.execute("DELETE FROM confirmation WHERE sink = ?", (sink,))
    cx.execute("DELETE FROM series_confirmation WHERE sink = ?", (sink,))
    cx.execute("UPDATE receipt_cursor SET after = 0, trouble = '' WHERE sink = ?", (sink,))


def _cursor(cx: Connection, sink: str) -> Cursor:
    row = cx.execute("SELECT after, checked_at, trouble FROM receipt_cursor WHERE sink = ?", (sink,)).fetchone()
    return Cursor() if row is None else Cursor(*row)
