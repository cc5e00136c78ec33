"""Filling: bringing a sink's queue in line with its route, over all the events the box holds.

It goes through the events a bounded transaction at a time, so that the doors get their turn in
between, and notes in each how far it has come: a box that is switched off goes on from there.
Events that arrive meanwhile are queued as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.archive.database import Connection, Database, Row
from appliance.archive.outbox_desk import CURRENT, NOT_TAKEN
from appliance.archive.routing import insert, subject_of, subjects_of
from appliance.clock import Clock
from appliance.failpoints import failpoint
from appliance.model.routes import STATE, Route, Subject

ROWS = 500
# Between two steps the doors have the database for as long as a step took.
LONGEST_REST = 0.1
WAITING = frozenset({"pending", "leased", "dead"})

START = "UPDATE sink SET filled = 0, fill_until = (SELECT coalesce(max(id), 0) FROM event) WHERE name = ?"
# Another process may have given the sink another route meanwhile: then the filling is that one's.
PROGRESS = "SELECT filled, fill_until FROM sink WHERE name = ? AND route = ?"

# A state event belongs to no version; it stands for what its series is like now. An access is told to
# the sinks there were when somebody read, and to no later one.
EVENTS = """
SELECT e.id, e.kind, e.tenant, e.study_uid, e.series_uid, s.modality, t.cloud_study_date, t.received_at,
  v.source_ae, v.sop_class_uid, d.state, d.reason
FROM (SELECT * FROM event WHERE id > :after AND id <= :until AND kind != 'access' ORDER BY id LIMIT :rows) e
LEFT JOIN series s ON s.tenant = e.tenant AND s.study_uid = e.study_uid AND s.series_uid = e.series_uid
LEFT JOIN study t ON t.tenant = e.tenant AND t.study_uid = e.study_uid
LEFT JOIN version v ON v.id = e.version_id
LEFT JOIN delivery d ON d.sink = :sink AND d.event_id = e.id
ORDER BY e.id
"""

# The newest state of a series that a sink has had, or has in its queue.
NEWEST_STATE = """
SELECT n.id FROM event n INDEXED BY event_by_series JOIN delivery d ON d.sink = :sink AND d.event_id = n.id
WHERE n.tenant = :tenant AND n.study_uid = :study_uid AND n.series_uid = :series_uid AND n.kind = 'state'
ORDER BY n.id DESC LIMIT 1
"""

BURY = """
UPDATE delivery SET state = 'buried', reason = :reason, lease_token = NULL, lease_until = NULL, updated_at = :now
WHERE sink = :sink AND event_id = :event_id
"""

REVIVE = f"""
UPDATE delivery SET state = 'pending', attempts = 0, not_before = 0, reason = NULL, updated_at = :now
WHERE sink = :sink AND event_id = :event_id AND {CURRENT}
"""


def start(cx: Connection, sink: str) -> None:
    """Note that everything the box holds now is to be gone through for a sink."""
    cx.execute(START, (sink,))


def fill(database: Database, route: Route, clock: Clock, rest: Callable[[float], bool]) -> bool:
    """Go through what is left; return whether the end was reached.

    What the route takes and the sink has never had is queued; what waits or is dead and the route
    does not take any more is buried, and comes back when it takes it again. Between two steps
    `rest` is told for how many seconds the doors should have their way; True from it interrupts.
    """
    while True:
        began = clock.monotonic()
        if not _step(database, route, clock.now()):
            return True
        if rest(min(clock.monotonic() - began, LONGEST_REST)):
            return False


def _step(database: Database, route: Route, now: int) -> bool:
    """Go through the next events; return whether there were any."""
    with database.write() as cx:
        progress = cx.execute(PROGRESS, (route.name, route.to_json())).fetchone()
        if progress is None or progress["filled"] >= progress["fill_until"]:
            return False
        after, until = progress
        values = {"sink": route.name, "after": after, "until": until, "rows": ROWS}
        rows = cx.execute(EVENTS, values).fetchall()
        known: dict[str, _Series] = {}
        for row in rows:
            _align(cx, route, row, known, now)
        reached = rows[-1]["id"] if rows else until
        cx.execute("UPDATE sink SET filled = ? WHERE name = ?", (reached, route.name))
        failpoint("filling.before_commit")
    failpoint("filling.after_commit")
    return True


@dataclass(frozen=True, slots=True)
class _Series:
    """What states of a series are about, and the newest of them that the sink has had or waits for; 0 without one."""

    subjects: Sequence[Subject]
    newest: int = 0


def _series(cx: Connection, sink: str, row: Row) -> _Series:
    uids = {name: row[name] for name in ("tenant", "study_uid", "series_uid")}
    found = cx.execute(NEWEST_STATE, {**uids, "sink": sink}).fetchone()
    return _Series(subjects_of(cx, row), found[0] if found else 0)


def _align(cx: Connection, route: Route, row: Row, known: dict[str, _Series], now: int) -> None:
    """Queue, bury or revive the delivery of one event. A state older than what the sink has is left out."""
    series_key = f"{row['study_uid']}/{row['series_uid']}"
    if row["kind"] == STATE:
        if series_key not in known:
            known[series_key] = _series(cx, route.name, row)
        series = known[series_key]
    else:
        series = _Series([subject_of(row, row)])
    subject = next((one for one in series.subjects if route.takes(row["kind"], one)), None)
    state, reason = row["state"], row["reason"]
    values = {"sink": route.name, "event_id": row["id"], "now": now}
    if subject is not None and state is None and row["id"] > series.newest:
        insert(cx, route, row["id"], series_key, route.rank(subject, now), now)
    elif subject is None and state in WAITING:
        cx.execute(BURY, {**values, "reason": NOT_TAKEN})
    elif subject is not None and state == "buried" and reason == NOT_TAKEN:
        cx.execute(REVIVE, values)
