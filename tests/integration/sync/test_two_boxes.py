"""One box forwards to another by STOW-RS, under a pause, and proves what it has delivered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.archive.reading import StoredInstance
from appliance.archive.room import Archive
from appliance.model.routes import Route
from tests.archives import SINK, small_settings
from tests.integration.sync.boxes import Box
from tests.partners.appliance import Appliance
from tests.waiting import wait_until

ROUTE = Route(SINK, kinds=("object",), proof=True)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Appliance]:
    """The box at the other end, with its web room."""
    with Appliance(tmp_path / "centre") as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


def sink(centre: Appliance, **more: object) -> dict[str, str]:
    """The variable that makes it the one sink."""
    entry = {"kind": "stow", "url": centre.dicomweb, "verify": "readback", "verify_interval_hours": 0.0001, **more}
    return {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: entry})}


def test_objects_arrive_identical_and_are_proven(tmp_path: Path, centre: Appliance) -> None:
    with Box(tmp_path / "home", sink(centre), sinks=(ROUTE,)) as box:
        box.store(5)
        box.start()
        box.wait_drained()
        wait_until(lambda: box.archive.proofs.count(SINK) == 0, 30)
        study = box.archive.outbox.list(limit=1)[0]["study_uid"]
        assert [row["fact"] for row in box.archive.custody.of(study)].count("proven") == 5
        there = Archive.open(small_settings(centre.home), "test")
        try:
            assert digests(there.reading.instances(study)) == digests(box.archive.reading.instances(study))
        finally:
            there.close()


def test_a_centre_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path, centre: Appliance) -> None:
    with Box(tmp_path / "home", sink(centre), sinks=(ROUTE,)) as box:
        box.store(2)
        box.start()
        box.wait_drained()
        centre.stop("web")
        box.store(4)
        wait_until(lambda: box.stats().breaker == "open", 30)
        assert {row["attempts"] for row in box.archive.outbox.list(state="pending")} == {0}
        assert not box.stats().dead
        since = box.stats().since
        box.appliance.stop("sync")
        box.start()
        wait_until(lambda: tried(box), 30)
        assert box.stats().since == since
        centre.start("web")
        box.wait_drained()
        wait_until(lambda: box.stats().breaker == "closed")
        assert box.stats().delivered == 6


def tried(box: Box) -> bool:
    """Say whether the process that runs now has met the line, too, and found it down."""
    shown = box.published()
    ours = shown.get("pid") == box.appliance.room_pid("sync")
    return ours and shown["sinks"][SINK]["breaker"] in ("open", "half-open")


def digests(instances: list[StoredInstance]) -> dict[str, str]:
    """SHA-256 of the data set by SOP Instance UID."""
    return {instance.sop_uid: instance.digest for instance in instances}
