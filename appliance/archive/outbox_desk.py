"""The operator's side of the outbox: look, try again, bury, send once more, count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.archive.database import Database, Row
from appliance.archive.moving import forget_place
from appliance.clock import Clock
from appliance.errors import NotFound
from appliance.model.cloud import DELETED
from appliance.model.routes import HURRIED

MICROSECONDS = 1_000_000

LISTED = """
SELECT d.sink, d.event_id, d.state, d.attempts, d.not_before, d.reason, d.created_at, d.updated_at,
  e.kind, e.study_uid, e.series_uid, e.sop_uid, e.revision, e.trace_id
FROM delivery d JOIN event e ON e.id = d.event_id
WHERE e.tenant = :tenant AND (:sink = '' OR d.sink = :sink) AND (:state = '' OR d.state = :state)
ORDER BY d.event_id, d.sink LIMIT :limit OFFSET :offset
"""

COUNTED = """
SELECT s.name, s.active, s.breaker, s.reason, s.since, s.delivered, s.required, s.held,
  (SELECT count(*) FROM delivery INDEXED BY delivery_pending WHERE sink = s.name AND state = 'pending') AS pending,
  (SELECT count(*) FROM delivery INDEXED BY delivery_leased WHERE sink = s.name AND state = 'leased') AS leased,
  (SELECT count(*) FROM delivery INDEXED BY delivery_dead WHERE sink = s.name AND state = 'dead') AS dead,
  (SELECT count(*) FROM delivery WHERE sink = s.name AND state = 'buried') AS buried,
  (SELECT created_at FROM delivery INDEXED BY delivery_pending
    WHERE sink = s.name AND state = 'pending' ORDER BY event_id LIMIT 1) AS oldest_pending,
  (SELECT min(created_at) FROM delivery INDEXED BY delivery_leased
    WHERE sink = s.name AND state = 'leased') AS oldest_leased
FROM sink s ORDER BY s.name
"""


# In the payload of an image record and nowhere else: within a value its quotation marks would be escaped.
DELETION = f'"image_status":"{DELETED}"'
# Old content sent after new would replace it at the destination, and so would an old state of a series.
OLD_CONTENT = f"""EXISTS (SELECT 1 FROM event e JOIN version v ON v.id = e.version_id
  WHERE e.id = delivery.event_id AND v.standing <> 'current'
  AND NOT (e.kind = 'image' AND instr(e.payload, '{DELETION}')))"""
OLD_STATE = """EXISTS (SELECT 1 FROM event e JOIN event n INDEXED BY event_by_series
  ON n.tenant = e.tenant AND n.study_uid = e.study_uid AND n.series_uid = e.series_uid AND n.kind = 'state'
  AND n.id > e.id JOIN delivery nd ON nd.sink = delivery.sink AND nd.event_id = n.id
  WHERE e.id = delivery.event_id AND e.kind = 'state')"""
CURRENT = f"NOT {OLD_CONTENT} AND NOT {OLD_STATE}"
# A sink may have another filter or kind than when it was sent this.
NOT_TAKEN = "the sink's filter or kind does not take it any more"
UNWANTED = f"""(state = 'buried' AND reason = '{NOT_TAKEN.replace("'", "''")}' OR NOT EXISTS (
  SELECT 1 FROM sink s JOIN event e ON e.id = delivery.event_id WHERE s.name = delivery.sink
  AND (s.route = '' OR e.kind IN (SELECT value FROM json_each(s.route, '$.kinds')))))"""

# What a retry or a replay leaves out, and why.
LEFT_OUT = {
    "newer content of the same object took its place": OLD_CONTENT,
    "the sink has a newer state of the same series": OLD_STATE,
    NOT_TAKEN: UNWANTED,
}
OF_THE_STUDY = """event_id IN (SELECT id FROM event WHERE tenant = :tenant
  AND (:study = '' OR study_uid = :study) AND created_at >= :since)"""
RETRIED = "('dead')"
REPLAYED = "('delivered', 'dead', 'buried')"


@dataclass(frozen=True, slots=True)
class SinkStats:
    """One sink's numbers.

    `delivered` counts deliveries ever made; `oldest_seconds` is 0 when none waits; `held` is the
    operator's reason for a pause, or ""; `since` is when the breaker last changed, in microseconds.
    """

    pending: int
    leased: int
    delivered: int
    dead: int
    buried: int
    oldest_seconds: float
    breaker: str
    reason: str
    active: bool
    required: bool
    held: str
    since: int = 0


class OutboxDesk:
    """Reads and mends deliveries of one tenant."""

    def __init__(self, database: Database, tenant: str, clock: Clock) -> None:
        """Take the database, the tenant and the clock that ages are measured by."""
        self._database = database
        self._tenant = tenant
        self._clock = clock

    def list(self, sink: str = "", state: str = "", limit: int = 100, offset: int = 0) -> list[Row]:
        """Return deliveries, oldest event first; "" means any sink or any state."""
        values = {"tenant": self._tenant, "sink": sink, "state": state, "limit": limit, "offset": offset}
        with self._database.read() as cx:
            return cx.execute(LISTED, values).fetchall()

    def show(self, event_id: int) -> tuple[Row, Sequence[Row]]:
        """Return an event and its deliveries. Raises NotFound."""
        with self._database.read() as cx:
            event = cx.execute("SELECT * FROM event WHERE tenant = ? AND id = ?", (self._tenant, event_id)).fetchone()
            rows = cx.execute("SELECT * FROM delivery WHERE event_id = ? ORDER BY sink", (event_id,)).fetchall()
        if event is None:
            raise NotFound(f"there is no event {event_id}", hint="appliance outbox list shows the numbers")
        return event, rows

    def retry(self, event_ids: Sequence[int] | None = None, *, sink: str = "") -> int:
        """Make waiting and dead rows due now (all of them without `event_ids`); return how many.

        A dead row starts again with no attempts counted. Delivered and buried rows stay, and so do
        dead rows that something newer has replaced: see `left_out`.
        """
        return self._change(
            "state = 'pending', not_before = 0, reason = NULL,"
            " attempts = CASE WHEN state = 'dead' THEN 0 ELSE attempts END",
            f"(state = 'pending' OR (state IN {RETRIED} AND {CURRENT}))", event_ids, sink,
        )  # fmt: skip

    def bury(self, event_ids: Sequence[int], *, sink: str = "", reason: str) -> int:
        """Give up rows that are pending or dead, for a stated reason; return how many.

        A buried row is kept and listed. It is never proof of delivery.
        """
        return self._change(
            "state = 'buried', reason = :reason", "state IN ('pending', 'dead')", event_ids, sink, reason
        )

    def replay(
        self, event_ids: Sequence[int] | None = None, *, sink: str = "", study_uid: str = "", since: int = 0
    ) -> int:
        """Send delivered, dead and buried rows once more; return how many.

        Chosen by event numbers, by study, or by the time (microseconds) the event was made. What
        something newer has replaced, or the sink does not take any more, is left out: see `left_out`. Without
        any choice this is the word that a sink leads to another place: what it has confirmed is void.
        """
        if event_ids is None and not study_uid and not since:
            with self._database.write() as cx:
                forget_place(cx, sink)
        where = f"state IN {REPLAYED} AND {CURRENT} AND NOT {UNWANTED} AND {OF_THE_STUDY}"
        change = "state = 'pending', not_before = 0, attempts = 0, reason = NULL"
        return self._change(change, where, event_ids, sink, "", study_uid, since)

    def left_out(
        self, states: str, event_ids: Sequence[int] | None = None, *, sink: str = "", study_uid: str = "",
        since: int = 0,
    ) -> dict[str, int]:  # fmt: skip
        """Return why `retry` (`states`: RETRIED) or `replay` (REPLAYED) leaves rows out, and how many each."""
        values = {"tenant": self._tenant, "sink": sink, "study": study_uid, "since": since}
        chosen = "" if event_ids is None else f" AND event_id IN ({', '.join(map(str, map(int, event_ids)))})"
        with self._database.read() as cx:
            counts = {
                reason: cx.execute(
                    f"SELECT count(*) FROM delivery WHERE state IN {states} AND {condition}"
                    f" AND (:sink = '' OR sink = :sink) AND {OF_THE_STUDY}{chosen}",
                    values,
                ).fetchone()[0]
                for reason, condition in LEFT_OUT.items()
            }
        return {reason: int(count) for reason, count in counts.items() if count}

    def hold(self, sink: str, reason: str) -> None:
        """Pause a sink until `release_hold`, for a stated reason; durable on return. Raises NotFound."""
        self._hold(sink, reason or "held by the operator")

    def release_hold(self, sink: str) -> None:
        """End a pause. Safe to repeat. Raises NotFound."""
        self._hold(sink, "")

    def held(self, sink: str) -> str:
        """Return the reason an operator has paused a sink for, "" when it is not paused."""
        with self._database.read() as cx:
            row = cx.execute("SELECT held FROM sink WHERE name = ?", (sink,)).fetchone()
        return str(row[0]) if row else ""

    def hurry(self, study_uid: str, *, sink: str = "") -> int:
        """Put what is still to be delivered of a study at the head of every queue, due now; return how many rows."""
        with self._database.write() as cx:
            return cx.execute(
                "UPDATE delivery SET rank = ?1, updated_at = ?2,"
                " not_before = CASE WHEN state = 'pending' THEN 0 ELSE not_before END"
                " WHERE state IN ('pending', 'leased')"
                " AND (?3 = '' OR sink = ?3)"
                " AND event_id IN (SELECT id FROM event WHERE tenant = ?4 AND study_uid = ?5)",
                (HURRIED, self._clock.now(), sink, self._tenant, study_uid),
            ).rowcount

    def _hold(self, sink: str, reason: str) -> None:
        with self._database.write() as cx:
            changed = cx.execute("UPDATE sink SET held = ? WHERE name = ?", (reason, sink)).rowcount
        if not changed:
            raise NotFound(f"there is no sink {sink}", hint="appliance outbox stats names them")

    def stats(self) -> dict[str, SinkStats]:
        """Return every registered sink's numbers by name."""
        now = self._clock.now()
        with self._database.read() as cx:
            rows = cx.execute(COUNTED).fetchall()
        return {row["name"]: _stats(row, now) for row in rows}

    def _change(
        self, change: str, where: str, event_ids: Sequence[int] | None, sink: str,
        reason: str = "", study_uid: str = "", since: int = 0,
    ) -> int:  # fmt: skip
        values: dict[str, str | int] = {
            "sink": sink, "reason": reason, "tenant": self._tenant, "study": study_uid,
            "since": since, "now": self._clock.now(),
        }  # fmt: skip
        chosen = "" if event_ids is None else " AND event_id = :event_id"
        statement = (
            f"UPDATE delivery SET {change}, updated_at = :now"
            f" WHERE {where} AND (:sink = '' OR sink = :sink)"
            f" AND event_id IN (SELECT id FROM event WHERE tenant = :tenant){chosen}"
        )
        with self._database.write() as cx:
            if event_ids is None:
                return cx.execute(statement, values).rowcount
            return sum(cx.execute(statement, values | {"event_id": n}).rowcount for n in event_ids)


def _stats(row: Row, now: int) -> SinkStats:
    times = [row[name] for name in ("oldest_pending", "oldest_leased") if row[name] is not None]
    waited = max(0.0, (now - min(times)) / MICROSECONDS) if times else 0.0
    return SinkStats(
        pending=row["pending"], leased=row["leased"], delivered=row["delivered"], dead=row["dead"],
        buried=row["buried"], oldest_seconds=round(waited, 3), breaker=row["breaker"], reason=row["reason"],
        active=bool(row["active"]), required=bool(row["required"]), held=row["held"],
        since=row["since"],
    )  # fmt: skip
