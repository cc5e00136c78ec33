"""What counts as a fault, and what the health report says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.archive.intake import Intake
from appliance.archive.reserve import Disk
from appliance.monitor.snapshot import faults, health, state_of
from appliance.monitor.standing import State
from tests.unit.monitor.snapshots import GIB, sink, sound
from tests.unit.monitor.snapshots import room as a_room


def rooms(**changes: Any) -> dict[str, Any]:
    return {"scp": a_room(), "web": a_room(), "sync": a_room(), **changes}


FAULTY: list[tuple[dict[str, Any], str]] = [
    ({"rooms": {"scp": a_room(), "web": a_room()}}, "room sync is not running"),
    ({"rooms": rooms(scp=a_room(alive=False))}, "room scp is not running"),
    ({"rooms": rooms(scp=a_room(state="draining"))}, "room scp is ending"),
    ({"disk": Disk(GIB, GIB)}, "the disk is down to its reserve"),
    ({"disk": None, "intake": None}, "the archive cannot be read"),
    ({"sinks": sink(breaker="open")}, "sink kafka is open"),
    ({"sinks": sink(breaker="half-open")}, "sink kafka is half-open"),
    ({"sinks": sink(breaker="paused")}, "sink kafka is paused"),
    ({"sinks": sink(held="Frau Muster asked", breaker="open")}, "sink kafka is held by an operator"),
]
SOUND: list[dict[str, Any]] = [
    {},
    {"sinks": {}},
    {"sinks": sink(breaker="open", required=False)},
    {"sinks": sink(breaker="open", active=False)},
    {"sinks": sink(dead=7)},
    {"rooms": rooms(monitor=a_room(alive=False))},
    {"intake": Intake(0.0, None)},
]


@pytest.mark.parametrize(("changes", "fault"), FAULTY, ids=[fault for _, fault in FAULTY])
def test_what_keeps_a_box_from_its_work_is_named(changes: dict[str, Any], fault: str) -> None:
    assert faults(sound(**changes)) == (fault,)


@pytest.mark.parametrize("changes", SOUND)
def test_what_does_not_is_no_fault(changes: dict[str, Any]) -> None:
    assert faults(sound(**changes)) == ()


def test_faults_are_excused_only_while_starting() -> None:
    assert state_of((), starting=True) is State.READY
    assert state_of(("x",), starting=True) is State.STARTING
    assert state_of(("x",), starting=False) is State.DEGRADED


def test_the_health_report() -> None:
    assert health(sound(), State.READY, "b1") == {
        "at": "2023-11-14T22:13:20Z",
        "boot_id": "b1",
        "state": "ready",
        "faults": [],
        "rooms": {"scp": True, "web": True, "sync": True},
        "sinks": {
            "kafka": {
                "required": True, "pending": 3, "leased": 1, "delivered": 40, "dead": 0, "oldest_seconds": 7.5,
                "breaker": "closed", "held": False, "bytes_confirmed": 40, "unproven": 2, "receipts": "refused",
            }
        },
        "disk": {
            "free_bytes": 101 * GIB, "reserve_bytes": GIB, "intake_bytes_per_second": GIB / 3600,
            "evictable_bytes": 0, "outage_hours": 100.0,
        },
        "certificates": {"mqtt.tls_certificate": 12.5},
        "backup_age_seconds": None,
        "last_c_store": "2023-11-14T22:12:20Z",
    }  # fmt: skip


@pytest.mark.parametrize("changes", [changes for changes, _ in FAULTY] + SOUND)
def test_every_health_report_is_json_and_carries_no_free_text(changes: dict[str, Any]) -> None:
    text = json.dumps(health(sound(**changes), State.DEGRADED, "b1"), allow_nan=False)
    assert "Muster" not in text, "an operator's reason"
    assert "host x" not in text, "a breaker's reason"
