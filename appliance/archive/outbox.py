"""The outbox: what still has to reach each sink, handed out under leases and settled by token.

A delivery is pending, leased, delivered, dead or buried. It is handed out with a token and a
deadline; whoever settles it must still hold that token. Rows leave "delivered" only by replay.
Order holds within a series: nothing of a series is handed out while an earlier delivery of it is
leased or waits for its time. A dead row does not block what comes after it. An access, which is no
fact of any object, leaves the outbox once it is delivered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from appliance.archive import custody, filling
from appliance.archive.accesses import drop_unclaimed, forget
from appliance.archive.custody import Fact
from appliance.archive.database import Connection, Database, Row
from appliance.archive.moving import hold_if_moved
from appliance.archive.outbox_desk import DELETION, OutboxDesk
from appliance.archive.routing import routes
from appliance.clock import Clock
from appliance.errors import ArchiveError
from appliance.failpoints import failpoint
from appliance.model.routes import ACCESS, Route

MICROSECONDS = 1_000_000
EMPTY_ROW_BYTES = 256
# No wait and no lease is this long. A time further away was written by a clock that has been set
# back since, and must not keep anything for years.
HORIZON_SECONDS = 2 * 3600

# What is avoided may be most of the queue, so the conditions on it come first: the last one looks at all that is
# unfinished ahead of a row, and over a long series that would keep the doors waiting for seconds.
CLAIMABLE = """
SELECT d.event_id, d.attempts, d.rank, e.tenant, e.kind, e.study_uid, e.series_uid, e.sop_uid, e.message_key,
  e.payload, e.revision, e.trace_id, e.traceparent, e.created_at,
  v.standing, v.blob_path, v.blob_offset, v.blob_length, v.file_size, v.transfer_syntax_uid, v.digest,
  v.sop_class_uid, v.source_ae
FROM delivery d INDEXED BY delivery_claim
  CROSS JOIN event e ON e.id = d.event_id LEFT JOIN version v ON v.id = e.version_id
WHERE d.sink = :sink AND d.state = 'pending' AND (d.not_before <= :now OR d.not_before > :horizon)
AND (:avoid = '' OR d.series_key = :turn OR instr(:avoid, ' ' || d.series_key || ' ') = 0)
AND (d.series_key <> :turn OR NOT EXISTS (
  SELECT 1 FROM delivery f INDEXED BY delivery_unfinished WHERE f.sink = d.sink AND f.series_key = d.series_key
  AND f.event_id < d.event_id AND f.state IN ('pending', 'leased')))
AND NOT EXISTS (
  SELECT 1 FROM delivery p INDEXED BY delivery_unfinished WHERE p.sink = d.sink AND p.series_key = d.series_key
  AND p.event_id < d.event_id AND p.state IN ('pending', 'leased')
  AND (p.state = 'leased' OR p.rank > d.rank OR (p.not_before > :now AND p.not_before <= :horizon)))
ORDER BY d.rank, d.event_id LIMIT :rows
"""

EXPIRE = """
UPDATE delivery INDEXED BY delivery_leased
SET state = 'pending', lease_token = NULL, lease_until = NULL, updated_at = :now
WHERE sink = :sink AND state = 'leased' AND (lease_until <= :now OR lease_until > :horizon)
"""

REGISTER = """
INSERT INTO sink (name, active, breaker, reason, since, delivered, registered_at, route, required, places)
VALUES (?1, 1, 'closed', '', ?2, 0, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE SET active = 1, route = excluded.route, required = excluded.required,
  places = CASE WHEN excluded.places = '' THEN places ELSE excluded.places END
"""

SETTLE = """
UPDATE delivery SET state = :state, attempts = attempts + :step, not_before = :not_before,
  lease_token = NULL, lease_until = NULL, reason = :reason, proof_due = :proof_due, updated_at = :now
WHERE sink = :sink AND event_id = :event_id AND state = 'leased' AND lease_token = :token
"""


# The receipt of an object may be here before its delivery is settled.
RECEIPTED = """
UPDATE delivery SET proof_due = NULL WHERE sink = ?1 AND event_id = ?2 AND EXISTS (
  SELECT 1 FROM event e JOIN confirmation c ON c.version_id = e.version_id AND c.sink = ?1
  AND c.level = 'bytes' AND c.kind = 'receipt' WHERE e.id = ?2)
"""


class LeaseLost(ArchiveError):
    """None of the rows is held under this token any more; another worker has them."""


class Verdict(StrEnum):
    """What a sink's answer means for one row."""

    DELIVERED = "delivered"
    WAIT = "wait"
    FAILED = "failed"
    DEAD = "dead"


NEXT_STATE = {
    Verdict.DELIVERED: ("delivered", 1),
    Verdict.WAIT: ("pending", 0),
    Verdict.FAILED: ("pending", 1),
    Verdict.DEAD: ("dead", 1),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's verdict. `not_before` (microseconds since epoch) holds for WAIT and FAILED."""

    event_id: int
    verdict: Verdict
    reason: str = ""
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryBlob:
    """The file behind an object delivery; the data set is bytes [offset, offset + length) of `path`."""

    path: Path
    offset: int
    length: int
    file_size: int
    transfer_syntax_uid: str
    digest: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one sink. `payload` is a contract record as JSON text.

    `digest` and `transfer_syntax_uid` are of the version it is about, "" where it is about none.
    """

    event_id: int
    tenant: str
    kind: str
    study_uid: str
    series_uid: str
    sop_uid: str | None
    message_key: str
    payload: str
    revision: int
    trace_id: str
    traceparent: str
    attempts: int
    created_at: int
    sop_class_uid: str
    source_ae: str
    blob: DeliveryBlob | None
    digest: str = ""
    transfer_syntax_uid: str = ""

    @property
    def series_key(self) -> str:
        """What order is kept within."""
        return f"{self.study_uid}/{self.series_uid}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows held by one worker until they are settled or the lease runs out."""

    token: str
    sink: str
    deliveries: tuple[Delivery, ...]


class Outbox(OutboxDesk):
    """The worker's side of the outbox; the operator's side is inherited."""

    def __init__(self, database: Database, tenant: str, root: Path, clock: Clock) -> None:
        """Take the database, the tenant and the archive root that blob paths are relative to."""
        super().__init__(database, tenant, clock)
        self._root = root

    def register(self, chosen: Iterable[Route], rest: Callable[[float], bool] = lambda _seconds: False) -> bool:
        """Make exactly these sinks active and bring their queues in line; return whether that is finished.

        A sink that is new, was away, or takes more than before gets a delivery for every event it
        has not had: adding a sink to a box in service forwards all the box holds. What it does not
        take any more is buried. `rest` may interrupt (see filling.fill); the next call goes on.
        A sink that has delivered and now leads to another place is held, with the reason.
        Safe to repeat, durable on return.
        """
        wanted = tuple(chosen)
        now = self._clock.now()
        with self._database.write() as cx:
            served = {route.name: route for route in routes(cx)}
            cx.execute("UPDATE sink SET active = 0")
            for route in wanted:
                hold_if_moved(cx, route)
                cx.execute(REGISTER, (route.name, now, route.to_json(), int(route.required), "\n".join(route.places)))
                if served.get(route.name) != route:
                    filling.start(cx, route.name)  # else it has been given everything as it came
            drop_unclaimed(cx)
        return all(filling.fill(self._database, route, self._clock, rest) for route in wanted)

    def claim(
        self, sink: str, *, rows: int, bytes_: int, lease_seconds: float, avoid: Iterable[str] = (), turn: str = ""
    ) -> Lease | None:
        """Hand out the next rows of a sink, oldest first, or None when nothing is due.

        At most `rows`, and no more than `bytes_` of objects beyond the first row. Of the series (keys
        as Delivery has them) in `avoid` nothing, but of `turn`, one of them, the first unfinished row,
        whose size does not count: it is tried by itself, and the others must not be left out for it.
        Rows whose lease ran out are handed out again. What belongs to a content that has been
        superseded since is buried instead; a lease without rows says that there may be more of it.
        Durable on return.
        """
        now = self._clock.now()
        passed_over = " ".join(avoid)
        with self._database.write() as cx:
            times = {"sink": sink, "now": now, "horizon": now + HORIZON_SECONDS * MICROSECONDS}
            cx.execute(EXPIRE, times)
            more = {"rows": rows, "avoid": f" {passed_over} " if passed_over else "", "turn": turn}
            found = cx.execute(CLAIMABLE, {**times, **more}).fetchall()
            if not found:
                return None
            chosen = _within(_still_current(cx, sink, found, now), bytes_, turn)
            token = secrets.token_hex(8)
            until = now + int(lease_seconds * MICROSECONDS)
            cx.executemany(
                "UPDATE delivery SET state = 'leased', lease_token = ?, lease_until = ?, updated_at = ?"
                " WHERE sink = ? AND event_id = ?",
                [(token, until, now, sink, row["event_id"]) for row in chosen],
            )
        return Lease(token, sink, tuple(delivery_of(row, self._root) for row in chosen))

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        """Hold the rows of a lease for another `lease_seconds` from now. Raises LeaseLost."""
        until = self._clock.now() + int(lease_seconds * MICROSECONDS)
        with self._database.write() as cx:
            changed = cx.execute(
                "UPDATE delivery SET lease_until = ? WHERE sink = ? AND state = 'leased' AND lease_token = ?",
                (until, lease.sink, lease.token),
            ).rowcount
        if not changed:
            raise LeaseLost(f"the lease of sink {lease.sink} ran out", hint="raise sync.lease_seconds")

    def settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> int:
        """Record what became of the rows, in one durable transaction; return how many were still ours.

        Rows whose lease ran out meanwhile are left to their new holder. Raises LeaseLost when
        that is true of all of them.
        """
        now = self._clock.now()
        by_id = {delivery.event_id: delivery for delivery in lease.deliveries}
        settled = delivered = 0
        with self._database.write() as cx:
            proof = any(route.proof for route in routes(cx) if route.name == lease.sink)
            for outcome in outcomes:
                proof_due = now if proof and by_id[outcome.event_id].kind == "object" else None
                if not _settle_one(cx, lease, outcome, now, proof_due):
                    continue
                settled += 1
                if outcome.verdict is Verdict.DELIVERED:
                    delivered += 1
                    if proof_due is not None:
                        cx.execute(RECEIPTED, (lease.sink, outcome.event_id))
                    if by_id[outcome.event_id].kind == ACCESS:
                        forget(cx, lease.sink, outcome.event_id)
                    _note_delivery(cx, lease.sink, by_id[outcome.event_id], now)
            cx.execute("UPDATE sink SET delivered = delivered + ? WHERE name = ?", (delivered, lease.sink))
            failpoint("outbox.before_settle_commit")
        failpoint("outbox.after_settle_commit")
        if outcomes and not settled:
            raise LeaseLost(f"the lease of sink {lease.sink} ran out", hint="raise sync.lease_seconds")
        return settled

    def release_all(self, sink: str) -> int:
        """Take back every lease of a sink; only the one sync process may, at its start."""
        with self._database.write() as cx:
            return cx.execute(
                "UPDATE delivery SET state = 'pending', lease_token = NULL, lease_until = NULL, updated_at = ?"
                " WHERE sink = ? AND state = 'leased'",
                (self._clock.now(), sink),
            ).rowcount

    def breaker(self, sink: str, state: str, reason: str) -> None:
        """Record why a sink is or is not being served: closed, open, half-open or paused.

        The moment kept with it is when it was last served, or began to be: trying once more changes nothing.
        """
        with self._database.write() as cx:
            cx.execute(
                "UPDATE sink SET since = CASE WHEN (breaker = 'closed') = (?1 = 'closed') THEN since ELSE ?3 END,"
                " breaker = ?1, reason = ?2"
                " WHERE name = ?4",
                (state, reason, self._clock.now(), sink),
            )

    def next_due(self, sink: str) -> int | None:
        """Return when the next row that waits for its time may be tried (microseconds), None without one."""
        with self._database.read() as cx:
            row = cx.execute(
                "SELECT min(not_before) FROM delivery INDEXED BY delivery_due"
                " WHERE sink = ? AND state = 'pending' AND not_before > 0",
                (sink,),
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def changed(self) -> int:
        """Return a number that differs once another process has committed; cheap enough to poll."""
        return self._database.data_version()

    def newest(self) -> int:
        """Return the number of the newest content there has been, 0 without one; cheap enough for every batch."""
        with self._database.read() as cx:
            row = cx.execute("SELECT seq FROM sqlite_sequence WHERE name = 'version'").fetchone()
        return int(row[0]) if row else 0


def delivery_of(row: Row, root: Path) -> Delivery:
    """Return the delivery of a joined row; `root` is the archive root that blob paths are relative to."""
    blob = None
    if row["kind"] == "object" and row["blob_path"] is not None:
        blob = DeliveryBlob(
            path=root / row["blob_path"],
            offset=row["blob_offset"],
            length=row["blob_length"],
            file_size=row["file_size"],
            transfer_syntax_uid=row["transfer_syntax_uid"],
            digest=row["digest"],
        )
    names = ("event_id", "tenant", "kind", "study_uid", "series_uid", "sop_uid", "message_key")
    more = ("revision", "trace_id", "traceparent", "attempts", "created_at")
    values = {name: row[name] for name in names + more}
    texts = ("payload", "sop_class_uid", "source_ae", "digest", "transfer_syntax_uid")
    values |= {name: row[name] or "" for name in texts}
    return Delivery(blob=blob, **values)


def _still_current(cx: Connection, sink: str, found: list[Row], now: int) -> list[Row]:
    """Bury what belongs to a content that is no longer current: sent late, it would replace the newer one."""
    old = [row["event_id"] for row in found if row["standing"] not in (None, "current") and not _tells_deletion(row)]
    cx.executemany(
        "UPDATE delivery SET state = 'buried', reason = 'superseded by newer content', updated_at = ?"
        " WHERE sink = ? AND event_id = ?",
        [(now, sink, event_id) for event_id in old],
    )
    return [row for row in found if row["event_id"] not in old]


def _tells_deletion(row: Row) -> bool:
    """Say whether a row tells that its content is no more: nobody sends that too late."""
    return row["kind"] == "image" and DELETION in (row["payload"] or "")


def _within(rows: list[Row], limit: int, turn: str) -> list[Row]:
    total = counted = 0
    chosen: list[Row] = []
    for row in rows:
        if not turn or f"{row['study_uid']}/{row['series_uid']}" != turn:
            total += row["file_size"] if row["kind"] == "object" and row["file_size"] else EMPTY_ROW_BYTES
            if counted and total > limit:
                break
            counted += 1
        chosen.append(row)
    return chosen


def _settle_one(cx: Connection, lease: Lease, outcome: Outcome, now: int, proof_due: int | None) -> bool:
    state, step = NEXT_STATE[outcome.verdict]
    values = {
        "state": state, "step": step, "not_before": outcome.not_before, "reason": outcome.reason or None,
        "proof_due": proof_due if outcome.verdict is Verdict.DELIVERED else None,
        "now": now, "sink": lease.sink, "event_id": outcome.event_id, "token": lease.token,
    }  # fmt: skip
    return cx.execute(SETTLE, values).rowcount == 1


def _note_delivery(cx: Connection, sink: str, delivery: Delivery, now: int) -> None:
    if delivery.kind != "object" or delivery.blob is None or delivery.sop_uid is None:
        return
    uids = (delivery.study_uid, delivery.series_uid, delivery.sop_uid)
    detail = f"attempt {delivery.attempts + 1}"
    custody.note(cx, delivery.tenant, uids, delivery.blob.digest, Fact.DELIVERED, sink, detail, now)
