"""Routing: which sinks get a delivery of an event, and at which place of their queue."""

from __future__ import annotations

import json
from collections.abc import Iterable

from appliance.archive.database import Connection, Row
from appliance.model.routes import ACCESS, STATE, Route, Subject

ROUTES = "SELECT name, route FROM sink WHERE active = 1 ORDER BY name"

# A series keeps one rank while any of it is unfinished, or its rows could overtake one another.
INSERT_DELIVERY = """
INSERT INTO delivery (sink, event_id, series_key, state, attempts, not_before, rank, created_at, updated_at)
VALUES (:sink, :event_id, :series_key, 'pending', 0, 0, coalesce((
  SELECT rank FROM delivery INDEXED BY delivery_unfinished
  WHERE sink = :sink AND series_key = :series_key AND state IN ('pending', 'leased') LIMIT 1), :rank), :now, :now)
ON CONFLICT (sink, event_id) DO NOTHING
"""

# Who may have taken an instance of the series before this event: who was told what it was like then, and whose
# queue is still being filled. All others need not be looked at instance by instance.
FOLLOWERS = """
SELECT sink FROM delivery WHERE event_id = (SELECT e.id FROM event n JOIN event e INDEXED BY event_by_series
  ON e.tenant = n.tenant AND e.study_uid = n.study_uid AND e.series_uid = n.series_uid AND e.kind = 'state'
  AND e.id < n.id WHERE n.id = :event_id ORDER BY e.id DESC LIMIT 1)
UNION SELECT name FROM sink WHERE active = 1 AND filled < fill_until
"""

TAKES_ONE = """
SELECT 1 FROM event n
  JOIN instance i ON i.tenant = n.tenant AND i.study_uid = n.study_uid AND i.series_uid = n.series_uid
  JOIN version v ON v.id = i.version_id
WHERE n.id = :event_id AND (:ae_titles = '[]' OR v.source_ae IN (SELECT value FROM json_each(:ae_titles)))
  AND (:sop_classes = '[]' OR v.sop_class_uid IN (SELECT value FROM json_each(:sop_classes)))
LIMIT 1
"""

# What a filter may ask of the instances of a series, each combination once.
COMBINATIONS = """
SELECT DISTINCT v.source_ae, v.sop_class_uid FROM instance i JOIN version v ON v.id = i.version_id
WHERE i.tenant = :tenant AND i.study_uid = :study_uid AND i.series_uid = :series_uid
"""


def routes(cx: Connection) -> list[Route]:
    """Return the routes of the active sinks."""
    found = cx.execute(ROUTES).fetchall()
    return [Route.from_json(row["route"]) if row["route"] else Route(row["name"]) for row in found]


def queue(
    cx: Connection, chosen: Iterable[Route], event_id: int, kind: str, series_key: str, subject: Subject, now: int
) -> None:
    """Add a pending delivery of an event for every route that takes it. Safe to repeat.

    A state goes to every route that takes any instance of the series, whichever instance has changed it.
    """
    followers: set[str] | None = None
    for route in chosen:
        taken = route.takes(kind, subject)
        if not taken and kind == STATE and route.follows(subject):
            if followers is None:
                followers = {row["sink"] for row in cx.execute(FOLLOWERS, {"event_id": event_id}).fetchall()}
            taken = route.name in followers and _takes_one(cx, route, event_id)
        if taken:
            rank = route.last_rank() if kind == ACCESS else route.rank(subject, now)
            insert(cx, route, event_id, series_key, rank, now)


def _takes_one(cx: Connection, route: Route, event_id: int) -> bool:
    """Say whether a route takes any instance that the series of an event has now."""
    selection = route.selection
    asked = {"ae_titles": json.dumps(selection.ae_titles), "sop_classes": json.dumps(selection.sop_classes)}
    return cx.execute(TAKES_ONE, {**asked, "event_id": event_id}).fetchone() is not None


def insert(cx: Connection, route: Route, event_id: int, series_key: str, rank: int, now: int) -> None:
    """Add a pending delivery. Safe to repeat."""
    values = {"sink": route.name, "event_id": event_id, "series_key": series_key, "now": now}
    cx.execute(INSERT_DELIVERY, {**values, "rank": rank})


def subjects_of(cx: Connection, row: Row) -> list[Subject]:
    """Return what a state is about: each combination among the series' instances; one of nothing if it is empty."""
    series = {name: row[name] for name in ("tenant", "study_uid", "series_uid")}
    found = cx.execute(COMBINATIONS, series).fetchall()
    return [subject_of(row, version) for version in found or [row]]


def subject_of(row: Row, version: Row) -> Subject:
    """Return what an event is about; `version` names the sender and the SOP class."""
    return Subject(
        modality=row["modality"] or "",
        ae_title=version["source_ae"] or "",
        sop_class_uid=version["sop_class_uid"] or "",
        study_date=row["cloud_study_date"] or "",
        received_at=row["received_at"] or 0,
    )
