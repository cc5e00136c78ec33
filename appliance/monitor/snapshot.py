"""What the monitor knows of the box at one moment, what is wrong with it, and the report of its numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.archive.confirmations import SinkProofs
from appliance.archive.intake import Intake, evictable_bytes, hours_left
from appliance.archive.outbox_desk import SinkStats
from appliance.archive.reserve import Disk
from appliance.lifecycle import ESSENTIAL_ROOMS
from appliance.monitor.standing import State, moment

SERVING = "ready"
SERVED = "closed"
SINK_NUMBERS = ("required", "pending", "leased", "delivered", "dead", "oldest_seconds", "breaker")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The box at `at` (microseconds since 1970, UTC). Disk and intake are None while the archive cannot be read.

    `rooms` is what lifecycle.read_rooms returned, `certificates` the days left by configuration key,
    `backup_age_seconds` the age of the newest good backup, None where there is none.
    """

    at: int
    rooms: Mapping[str, Mapping[str, Any]]
    disk: Disk | None = None
    intake: Intake | None = None
    sinks: Mapping[str, SinkStats] = field(default_factory=dict)
    certificates: Mapping[str, float | None] = field(default_factory=dict)
    proofs: Mapping[str, SinkProofs] = field(default_factory=dict)
    backup_age_seconds: float | None = None


def faults(snapshot: Snapshot) -> tuple[str, ...]:
    """Say what keeps the box from doing all its work, in fixed sentences with names of rooms and sinks alone.

    A sink that is not required does not count; dead letters do not either: the rest goes on.
    """
    return (*_room_faults(snapshot), *_archive_faults(snapshot), *_sink_faults(snapshot))


def state_of(found: tuple[str, ...], *, starting: bool) -> State:
    """Return the state of a box with these faults; `starting` excuses them for as long as it holds."""
    if not found:
        return State.READY
    return State.STARTING if starting else State.DEGRADED


def health(snapshot: Snapshot, state: State, boot_id: str) -> dict[str, Any]:
    """Return the report of numbers (docs/monitoring.md): plain JSON values, no patient data."""
    return {
        "at": moment(snapshot.at),
        "boot_id": boot_id,
        "state": state.value,
        "faults": list(faults(snapshot)),
        "rooms": {name: _alive(snapshot, name) for name in ESSENTIAL_ROOMS},
        "sinks": {
            name: _sink(numbers) | _custody(snapshot.proofs.get(name, SinkProofs()))
            for name, numbers in _active(snapshot)
        },
        "disk": _disk(snapshot.disk, snapshot.intake, evictable_bytes(snapshot.rooms)),
        "certificates": dict(snapshot.certificates),
        "backup_age_seconds": snapshot.backup_age_seconds,
        "last_c_store": moment(snapshot.intake.last_c_store) if snapshot.intake else None,
    }


def _room_faults(snapshot: Snapshot) -> Iterator[str]:
    for name in ESSENTIAL_ROOMS:
        if not _alive(snapshot, name):
            yield f"room {name} is not running"
        elif snapshot.rooms[name].get("state", SERVING) != SERVING:
            yield f"room {name} is ending"


def _archive_faults(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.disk is None:
        yield "the archive cannot be read"
    elif not snapshot.disk.accepting:
        yield "the disk is down to its reserve"


def _sink_faults(snapshot: Snapshot) -> Iterator[str]:
    for name, numbers in _active(snapshot):
        if numbers.required and numbers.held:
            yield f"sink {name} is held by an operator"
        elif numbers.required and numbers.breaker != SERVED:
            yield f"sink {name} is {numbers.breaker}"


def _alive(snapshot: Snapshot, room: str) -> bool:
    return bool(snapshot.rooms.get(room, {}).get("alive", False))


def _active(snapshot: Snapshot) -> Iterator[tuple[str, SinkStats]]:
    return ((name, numbers) for name, numbers in snapshot.sinks.items() if numbers.active)


def _sink(numbers: SinkStats) -> dict[str, Any]:
    # Whether it is held, but not why: the reason is an operator's free text.
    return {name: getattr(numbers, name) for name in SINK_NUMBERS} | {"held": bool(numbers.held)}


def _custody(proofs: SinkProofs) -> dict[str, Any]:
    # How its receipts stand in a fixed word: why they are not taken may name a host.
    receipts = None if proofs.receipts is None else proofs.receipts.word
    return {"bytes_confirmed": proofs.bytes, "unproven": proofs.unproven, "receipts": receipts}


def _disk(disk: Disk | None, intake: Intake | None, evictable: int) -> dict[str, Any] | None:
    if disk is None or intake is None:
        return None
    return {
        "free_bytes": disk.free_bytes,
        "reserve_bytes": disk.reserve_bytes,
        "intake_bytes_per_second": intake.bytes_per_second,
        "evictable_bytes": evictable,
        "outage_hours": hours_left(disk, intake.bytes_per_second, evictable),
    }
