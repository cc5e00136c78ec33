"""A sync process that dies while it fills a queue: the next one goes on, and nothing is left out or comes twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.failpoints import NAMES, VARIABLE
from tests.archives import SINK
from tests.integration.sync.boxes import Box

PLACES = [name for name in NAMES if name.startswith("filling.")]
SIGKILL = -9
LATE = "late"
INSTANCES = 700  # 1401 events, gone through 500 at a time


def test_the_places_that_matter_are_named() -> None:
    assert len(PLACES) == 2


@pytest.mark.parametrize("place", PLACES)
def test_killed_in_the_middle_of_a_filling_everything_arrives_once(tmp_path: Path, place: str) -> None:
    sinks = json.dumps({SINK: {"kind": "memory"}, LATE: {"kind": "memory"}})
    with Box(tmp_path / "home", {"APPLIANCE__SYNC__SINKS": sinks}) as box:
        box.store(INSTANCES)
        for hit in (2, 1):
            box.start({VARIABLE: f"{place}=kill@{hit}"})
            assert box.appliance.wait_ended("sync") == SIGKILL
            assert box.stats(LATE).delivered == 0, "nothing is sent before the queue is complete"
            box.store(1)
        box.start()
        box.wait_drained(LATE, seconds=60)
        box.wait_drained()
        ours, late = (box.archive.outbox.list(sink, limit=10_000) for sink in (SINK, LATE))
        assert [row["event_id"] for row in late] == [row["event_id"] for row in ours]
        assert {(row["state"], row["attempts"]) for row in late} == {("delivered", 1)}
        assert len({row["sop_uid"] for row in late}) == INSTANCES + 2 + 1
        assert box.appliance.stop("sync") == 0
