"""Routing: which sinks get a delivery of an event, and at which place of their queue."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.archive.database import Connection, Row
from appliance.model.routes import Route, Subject

BACKFILL_ROWS = 500

ROUTES = "SELECT name, route FROM sink WHERE active = 1 ORDER BY name"

# A series keeps one rank while any of it is unfinished, or its rows could overtake one another.
INSERT_DELIVERY = """
INSERT INTO delivery (sink, event_id, series_key, state, attempts, not_before, rank, created_at, updated_at)
VALUES (:sink, :event_id, :series_key, 'pending', 0, 0, coalesce((
  SELECT rank FROM delivery INDEXED BY delivery_unfinished
  WHERE sink = :sink AND series_key = :series_key AND state IN ('pending', 'leased') LIMIT 1), :rank), :now, :now)
ON CONFLICT (sink, event_id) DO NOTHING
"""

# A state event belongs to no version; it stands for what its series is like now.
UNROUTED = """
SELECT e.id, e.kind, e.study_uid, e.series_uid, s.modality, t.cloud_study_date, t.received_at,
  v.source_ae, v.sop_class_uid
FROM event e
LEFT JOIN series s ON s.tenant = e.tenant AND s.study_uid = e.study_uid AND s.series_uid = e.series_uid
LEFT JOIN study t ON t.tenant = e.tenant AND t.study_uid = e.study_uid
LEFT JOIN version v ON v.id = coalesce(e.version_id, (SELECT version_id FROM instance i WHERE i.tenant = e.tenant
  AND i.study_uid = e.study_uid AND i.series_uid = e.series_uid LIMIT 1))
WHERE e.id > :after AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.sink = :sink AND d.event_id = e.id)
ORDER BY e.id LIMIT :rows
"""


def routes(cx: Connection) -> list[Route]:
    """Return the routes of the active sinks."""
    found = cx.execute(ROUTES).fetchall()
    return [Route.from_json(row["route"]) if row["route"] else Route(row["name"]) for row in found]


def queue(
    cx: Connection, chosen: Iterable[Route], event_id: int, kind: str, series_key: str, subject: Subject, now: int
) -> None:
    """Add a pending delivery of an event for every route that takes it. Safe to repeat."""
    for route in chosen:
        if route.takes(kind, subject):
            values = {"sink": route.name, "event_id": event_id, "series_key": series_key, "now": now}
            cx.execute(INSERT_DELIVERY, {**values, "rank": route.rank(subject, now)})


def backfill(cx: Connection, route: Route, now: int) -> None:
    """Queue for one sink every event of the box that it takes and has never had."""
    after = 0
    while rows := cx.execute(UNROUTED, {"sink": route.name, "after": after, "rows": BACKFILL_ROWS}).fetchall():
        for row in rows:
            series_key = f"{row['study_uid']}/{row['series_uid']}"
            queue(cx, (route,), row["id"], row["kind"], series_key, _subject(row), now)
        after = rows[-1]["id"]


def _subject(row: Row) -> Subject:
    return Subject(
        modality=row["modality"] or "",
        ae_title=row["source_ae"] or "",
        sop_class_uid=row["sop_class_uid"] or "",
        study_date=row["cloud_study_date"] or "",
        received_at=row["received_at"] or 0,
    )
