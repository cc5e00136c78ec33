"""Accesses: who read what over HTTP, told to the sinks that take it. No part of any study's own history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.archive.database import Connection, Database
from appliance.archive.events import INSERT_EVENT
from appliance.archive.routing import queue, routes
from appliance.archive.settings import ArchiveSettings
from appliance.clock import Clock
from appliance.model.cloud import Context, access_record
from appliance.model.routes import ACCESS, Route, Subject

# Kept for a centre that cannot be reached; about 200 MB. Images are what the disk is for.
MOST_WAITING: Final = 200_000

_NOTHING: Final = Subject("", "", "", "", 0)


@dataclass(frozen=True, slots=True)
class Access:
    """One HTTP request that showed patient data, or asked for it.

    `at` is in microseconds since 1970, UTC. `path` without a query; `peer` is "address:port". `headers`
    are as they came: the record keeps harmless ones only. `length` is the Content-Length of the answer,
    "unknown" without one. `tenant`: whose data it was, "" for the archive's own tenant.
    """

    at: int
    request_id: str
    method: str
    path: str
    peer: str
    headers: Mapping[str, str]
    user: str
    user_id: str
    status: int
    length: str
    milliseconds: int
    traceparent: str = ""
    tenant: str = ""


class Accesses:
    """Puts accesses into the outbox."""

    def __init__(self, database: Database, settings: ArchiveSettings, clock: Clock, most: int = MOST_WAITING) -> None:
        """Take the database; `most` accesses wait at a time."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._most = most

    def append(self, accesses: Sequence[Access]) -> int:
        """Queue accesses for every sink that takes them, in one durable transaction.

        Returns how many there was no room for. Where no sink takes them nothing is written.
        """
        with self._database.read() as cx:
            if not _takers(cx):
                return 0
        now = self._clock.now()
        with self._database.write() as cx:
            takers = _takers(cx)
            room = max(0, self._most - _waiting(cx)) if takers else 0
            for access in accesses[:room]:
                self._put(cx, takers, access, now)
        return len(accesses[room:]) if takers else 0

    def _put(self, cx: Connection, takers: Sequence[Route], access: Access, now: int) -> None:
        settings, tenant = self._settings, access.tenant or self._settings.tenant
        record = access_record(
            Context(tenant, settings.site, settings.timezone, 0, now),
            {
                "timestamp": access.at,
                "request_id": access.request_id,
                "method": access.method,
                "path": access.path,
                "peer_addr": access.peer,
                "user": access.user,
                "user_id": access.user_id,
                "status": access.status,
                "content_length": access.length,
                "duration_ms": access.milliseconds,
            },
            access.headers,
        )
        # A "series" of its own: no access waits for another, and none holds back a study.
        values = {
            "tenant": tenant, "kind": ACCESS, "study_uid": "", "series_uid": access.request_id,
            "sop_uid": None, "version_id": None, "message_key": record.key, "payload": record.text, "revision": 0,
            "trace_id": access.request_id, "traceparent": access.traceparent, "created_at": now,
        }  # fmt: skip
        event_id = int(cx.execute(INSERT_EVENT, values).fetchall()[0][0])
        queue(cx, takers, event_id, ACCESS, f"/{access.request_id}", _NOTHING, now)


def forget(cx: Connection, sink: str, event_id: int) -> None:
    """Let go of an access that a sink has; the event goes with its last delivery."""
    cx.execute("DELETE FROM delivery WHERE sink = ? AND event_id = ?", (sink, event_id))
    cx.execute(
        "DELETE FROM event WHERE id = ?1 AND kind = 'access'"
        " AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_id = ?1)",
        (event_id,),
    )


def drop_unclaimed(cx: Connection) -> None:
    """Let go of the accesses that wait for sinks which are no more, or do not take them any more."""
    takers = {route.name for route in _takers(cx)}
    for row in cx.execute("SELECT name FROM sink").fetchall():
        if row["name"] not in takers:
            cx.execute(
                "DELETE FROM delivery WHERE sink = ? AND event_id IN (SELECT id FROM event WHERE kind = 'access')",
                (row["name"],),
            )
    cx.execute(
        "DELETE FROM event WHERE kind = 'access' AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_id = event.id)"
    )


def _takers(cx: Connection) -> list[Route]:
    return [route for route in routes(cx) if ACCESS in route.kinds]


def _waiting(cx: Connection) -> int:
    return int(cx.execute("SELECT count(*) FROM event INDEXED BY event_access WHERE kind = 'access'").fetchone()[0])
