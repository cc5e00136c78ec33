"""Snapshots of a sound box, for tests that spoil one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from appliance.archive.confirmations import REFUSED, Cursor, SinkProofs
from appliance.archive.intake import Intake
from appliance.archive.outbox_desk import SinkStats
from appliance.archive.reserve import Disk
from appliance.monitor.snapshot import Snapshot

NOW = 1_700_000_000_000_000
GIB = 1 << 30
SINK = SinkStats(
    pending=3, leased=1, delivered=40, dead=0, buried=0, oldest_seconds=7.5, breaker="closed", reason="host x said no",
    active=True, required=True, held="",
)  # fmt: skip


def room(alive: bool = True, state: str = "ready") -> dict[str, Any]:
    return {"alive": alive, "state": state, "pid": 1, "age_seconds": 0.5}


def sound(**changes: Any) -> Snapshot:
    """A box that works; `changes` by field name."""
    snapshot = Snapshot(
        at=NOW,
        rooms={name: room() for name in ("scp", "web", "sync")},
        disk=Disk(101 * GIB, GIB),
        intake=Intake(GIB / 3600, NOW - 60_000_000),
        sinks={"kafka": SINK},
        certificates={"mqtt.tls_certificate": 12.5},
        proofs={"kafka": SinkProofs(40, 0, 2, NOW, Cursor(7, NOW, f"{REFUSED}host x said no"))},
    )
    return replace(snapshot, **changes)


def sink(**changes: Any) -> dict[str, SinkStats]:
    return {"kafka": replace(SINK, **changes)}
