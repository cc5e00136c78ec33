"""Intake: how much arrives, and how long the disk lasts at that rate while nothing can be delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.archive.database import Connection
from appliance.archive.reserve import Disk

MICROSECONDS = 1_000_000
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
# A bound on the work; a box that takes more in a day is measured over the time that these cover.
MOST_ROWS = 20_000

# NOT INDEXED: backwards along the row ids, which is the order of arrival.
RECENT = """
SELECT count(*) AS rows, min(received_at) AS first,
  coalesce(sum(file_size) FILTER (WHERE received_at > :now - 3600000000), 0) AS hour_bytes,
  coalesce(sum(file_size) FILTER (WHERE received_at > :now - 86400000000), 0) AS day_bytes,
  max(received_at) FILTER (WHERE door = 'dimse') AS last_c_store
FROM (SELECT file_size, received_at, door FROM version NOT INDEXED WHERE tenant = :tenant ORDER BY id DESC LIMIT :most)
"""


@dataclass(frozen=True, slots=True)
class Intake:
    """The rate of the last hour or of the last day, whichever is higher, in bytes per second.

    `last_c_store` is when an object last came by C-STORE, in microseconds since 1970 UTC; None when
    none of the last 20,000 objects did.
    """

    bytes_per_second: float
    last_c_store: int | None


def measure(cx: Connection, tenant: str, now: int, most: int = MOST_ROWS) -> Intake:
    """Look at no more than the last `most` objects; `now` is in microseconds since 1970, UTC."""
    row = cx.execute(RECENT, {"tenant": tenant, "now": now, "most": most}).fetchone()
    if not row["rows"]:
        return Intake(0.0, None)
    covered = max(1.0, (now - row["first"]) / MICROSECONDS) if row["rows"] == most else float(DAY_SECONDS)
    hour, day = min(covered, HOUR_SECONDS), min(covered, DAY_SECONDS)
    rate = max(row["hour_bytes"] / hour, row["day_bytes"] / day)
    return Intake(round(rate, 3), row["last_c_store"])


def hours_left(disk: Disk, bytes_per_second: float, evictable: int = 0) -> float | None:
    """Return how many hours of an outage the disk can take above its reserve; None while nothing arrives.

    `evictable` bytes would make room without anything being sent: they are proven to be elsewhere already.
    """
    if bytes_per_second <= 0:
        return None
    room = max(0, disk.free_bytes + evictable - disk.reserve_bytes)
    return round(room / bytes_per_second / HOUR_SECONDS, 2)


def evictable_bytes(rooms: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how much could go, as the sync room saw it last; 0 while that room is silent. `rooms` as published."""
    sync = rooms.get("sync", {})
    return int(sync.get("retention", {}).get("evictable_bytes", 0)) if sync.get("alive") else 0
