"""`appliance status`: is the box ready, what does it hold, what still has to leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from appliance import __version__
from appliance.archive.backup_record import age_seconds, read_record
from appliance.archive.confirmations import SinkProofs
from appliance.archive.intake import evictable_bytes, hours_left
from appliance.archive.outbox_desk import SinkStats
from appliance.archive.reserve import Disk
from appliance.archive.room import Archive
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import cell, moment, print_facts, print_json, print_rows, size
from appliance.lifecycle import ESSENTIAL_ROOMS, read_rooms

ROOMS = ESSENTIAL_ROOMS
SINK_COLUMNS = ("sink", "pending", "leased", "delivered", "dead", "buried", "oldest_seconds", "required", "breaker")
SINK_REASONS = ("reason", "held")
CUSTODY_COLUMNS = ("sink", "bytes", "metadata", "unproven", "oldest_unproven_seconds", "receipts")
ENDING = ("draining", "stopped")
COUNTS = ("studies", "series", "instances", "not_held", "evicted", "quarantined", "conflicts")
UNREADABLE = "unreadable_pixels"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
@click.pass_context
def status(ctx: click.Context, installation: Installation, as_json: bool) -> None:
    """Show whether the appliance is ready, and its numbers; ends with 1 when it is not ready."""
    with installation.archive() as archive:
        facts = gather(archive, installation.runtime)
    if as_json:
        print_json(facts)
    else:
        print_status(facts)
    ctx.exit(ExitCode.OK if facts["ready"] else ExitCode.FINDINGS)


def gather(archive: Archive, runtime: Path) -> dict[str, Any]:
    """The whole status as plain values; sizes are bytes, `last_store` is ISO 8601 in UTC or None."""
    counts = archive.numbers.counts()
    disk = archive.numbers.disk()
    rooms = {name: {"alive": False} for name in ROOMS} | read_rooms(runtime)
    return {
        "version": __version__,
        "ready": ready(rooms, disk),
        **{name: getattr(counts, name) for name in COUNTS},
        UNREADABLE: archive.transcodes.count(),
        "disk": disk_facts(disk, archive, rooms),
        "sinks": {name: sink_facts(numbers) for name, numbers in archive.outbox.stats().items()},
        "custody": custody_facts(archive),
        "backup": backup_facts(archive),
        "last_store": moment(counts.last_store),
        "rooms": rooms,
    }


def disk_facts(disk: Disk, archive: Archive, rooms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The disk, what could make room on it, and how long it lasts while nothing can be sent."""
    rate, evictable = archive.numbers.intake(archive.clock.now()).bytes_per_second, evictable_bytes(rooms)
    return {
        "free_bytes": disk.free_bytes,
        "reserve_bytes": disk.reserve_bytes,
        "evictable_bytes": evictable,
        "intake_bytes_per_second": rate,
        "outage_hours": hours_left(disk, rate, evictable),
    }


def backup_facts(archive: Archive) -> dict[str, Any]:
    """When the newest backup without faults was begun, and how the last one ended; all None before the first."""
    record, now = read_record(archive.settings.home), archive.clock.now()
    age = age_seconds(record, now)
    return {
        "good_at": None if record is None else moment(record.good_at),
        "age_seconds": None if age is None else round(age, 1),
        "last": None if record is None else record.path,
        "faults": None if record is None else record.faults,
    }


def custody_facts(archive: Archive) -> dict[str, Any]:
    """What the sinks have proven, and how many contents were deleted; docs/custody.md."""
    now = archive.clock.now()
    return {
        "deleted": archive.confirmations.deleted(),
        "sinks": {name: _proofs(proofs, now) for name, proofs in archive.confirmations.counts().items()},
    }


def _proofs(proofs: SinkProofs, now: int) -> dict[str, Any]:
    oldest, receipts = proofs.oldest_unproven, proofs.receipts
    return {
        "bytes": proofs.bytes,
        "metadata": proofs.metadata,
        "unproven": proofs.unproven,
        "oldest_unproven_seconds": 0.0 if oldest is None else max(0.0, (now - oldest) / 1e6),
        "receipts": None if receipts is None else receipts.word,
        "receipts_checked_at": None if receipts is None else moment(receipts.checked_at),
        "trouble": "" if receipts is None else receipts.trouble,
    }


def custody_rows(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each sink that has ever proven anything, or is asked to."""
    rows = [{"sink": name, **numbers} for name, numbers in facts["sinks"].items()]
    return [row for row in rows if row["bytes"] or row["metadata"] or row["unproven"] or row["receipts"]]


def custody_remarks(facts: Mapping[str, Any]) -> list[str]:
    """Why receipts are not taken, one line per sink."""
    return [f"{row['sink']}: receipts: {cell(row['trouble'])}" for row in custody_rows(facts) if row["trouble"]]


def sink_facts(numbers: SinkStats) -> dict[str, Any]:
    """One sink's numbers, as many as the status shows."""
    return {name: getattr(numbers, name) for name in SINK_COLUMNS[1:] + SINK_REASONS}


def sink_remarks(sinks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why a sink is not being served, one line each; nothing of those that are."""
    remarks = []
    for name, facts in sinks.items():
        if facts["held"]:
            remarks.append(f"{name} is paused by the operator: {cell(facts['held'])} (appliance sync resume {name})")
        if facts["reason"]:
            remarks.append(f"{name} is {facts['breaker']}: {cell(facts['reason'])}")
    return remarks


def ready(rooms: Mapping[str, Mapping[str, Any]], disk: Disk) -> bool:
    """Every room is alive and the door has space to store. A sink that is down does not count against it."""
    return all(serving(rooms[name]) for name in ROOMS) and disk.accepting


def serving(room: Mapping[str, Any]) -> bool:
    """Whether a room lives and is not on its way out."""
    return bool(room["alive"]) and room.get("state") not in ENDING


def living(runtime: Path, pids: Mapping[str, int]) -> bool:
    """Whether every room has reported from the very process that `pids` names."""
    found = read_rooms(runtime)
    return all(name in pids and found.get(name, {}).get("pid") == pids[name] for name in ROOMS)


def print_status(facts: Mapping[str, Any]) -> None:
    """The status for people."""
    disk = facts["disk"]
    print_facts(
        {
            "version": facts["version"],
            "ready": facts["ready"],
            **{name: facts[name] for name in (*COUNTS, UNREADABLE)},
            "disk": f"{size(disk['free_bytes'])} free, {size(disk['reserve_bytes'])} kept in reserve",
            "evictable": size(disk["evictable_bytes"]),
            "outage_hours": disk["outage_hours"],
            "last_store": facts["last_store"],
            "last_good_backup": facts["backup"]["good_at"],
        },
        as_json=False,
    )
    click.echo()
    sinks = [{"sink": name, **numbers} for name, numbers in facts["sinks"].items()]
    print_rows(sinks, SINK_COLUMNS, as_json=False, empty="No sink is configured.")
    for line in sink_remarks(facts["sinks"]):
        click.echo(line)
    print_custody(facts["custody"])
    click.echo()
    rooms = [{"room": name, **numbers} for name, numbers in facts["rooms"].items()]
    print_rows(rooms, ("room", "alive", "pid", "age_seconds"), as_json=False, empty="")


def print_custody(facts: Mapping[str, Any]) -> None:
    """What the sinks have proven; nothing on a box that asks none of them."""
    rows = custody_rows(facts)
    if rows:
        click.echo()
        print_rows(rows, CUSTODY_COLUMNS, as_json=False, empty="")
    for line in custody_remarks(facts):
        click.echo(line)
