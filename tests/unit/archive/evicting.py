"""A box whose objects are delivered and confirmed, for tests that spoil one thing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset

from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.room import Archive
from appliance.model.records import Stored
from appliance.model.retention import RetentionPolicy
from appliance.model.routes import Route, Selection
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock

CENTRE = Route("centre", kinds=("object",), proves=True)
DAY = 86_400
EVERYTHING = RetentionPolicy(max_bytes=0, keep_days=1)


def box(home: Path, clock: FakeClock, *routes: Route, policy: RetentionPolicy = EVERYTHING, **values: Any) -> Archive:
    """Open a box with these sinks: one that proves, without any."""
    return new_archive(home, clock, sinks=routes or (CENTRE,), retention=policy, **values)


def store(archive: Archive, dataset: Dataset | None = None, **values: Any) -> Stored:
    """Receive an object."""
    return archive.ingest.receive_file(BytesIO(part10(dataset or ct(**values))), sender())


def deliver(archive: Archive, *sinks: str) -> None:
    """Let sinks, all of them without names, take what waits for them."""
    for sink in sinks or tuple(archive.outbox.stats()):
        while (lease := archive.outbox.claim(sink, rows=500, bytes_=1 << 30, lease_seconds=60)) is not None:
            outcomes = [Outcome(delivery.event_id, Verdict.DELIVERED) for delivery in lease.deliveries]
            if outcomes:
                archive.outbox.settle(lease, outcomes)


def confirm(
    archive: Archive, version_id: int, sink: str = "centre", *, kind: str = "receipt", level: str = "bytes", at: int = 0
) -> None:
    """Write a confirmation, as of now unless told otherwise."""
    with archive.database.write() as cx:
        cx.execute(
            "INSERT OR REPLACE INTO confirmation (version_id, sink, level, kind, at, proof) VALUES (?, ?, ?, ?, ?, '')",
            (version_id, sink, level, kind, at or archive.clock.now()),
        )


def change(archive: Archive, statement: str, *values: object) -> None:
    """Change the database behind everybody's back."""
    with archive.database.write() as cx:
        cx.execute(statement, values)


def settled(archive: Archive, clock: FakeClock, dataset: Dataset | None = None, **values: Any) -> Stored:
    """Receive an object, deliver it everywhere, have the centre confirm it, and let it come of age."""
    stored = store(archive, dataset, **values)
    deliver(archive)
    confirm(archive, stored.version_id)
    clock.advance(2 * DAY)
    return stored


def is_held(archive: Archive, stored: Stored) -> bool:
    """Say whether the bytes are here, as the index has it and the disk."""
    with archive.database.read() as cx:
        row = cx.execute("SELECT * FROM version WHERE id = ?", (stored.version_id,)).fetchone()
    held = row["blob_path"] is not None
    files = list(archive.settings.root.rglob(f"{stored.sop_uid}.dcm"))
    assert not held or (archive.settings.root / row["blob_path"]).is_file()
    assert held or not files
    return held


def only(**conditions: Any) -> Selection:
    """A filter."""
    return Selection(**conditions)
