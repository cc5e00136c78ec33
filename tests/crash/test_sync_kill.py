"""Invariant 4 for the way out: a sync process that dies at any line loses no record and tears none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.failpoints import NAMES, VARIABLE
from tests.archives import SINK
from tests.integration.sync.boxes import Box
from tests.waiting import wait_until

PLACES = [name for name in NAMES if name.startswith(("sync.", "directory.", "outbox."))]
SIGKILL = -9
SMALL_BATCHES = {"APPLIANCE__SYNC__BATCH_ROWS": "5"}
RANDOM_KILLS = 12
INSTANCES = 300


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose batches are small, so that every place is passed many times."""
    with Box(tmp_path / "home", SMALL_BATCHES) as found:
        yield found


def test_the_places_that_matter_are_named() -> None:
    assert len(PLACES) >= 11


@pytest.mark.parametrize("hit", [1, 4])
@pytest.mark.parametrize("place", PLACES)
def test_invariant_3_killed_at_a_durable_step_everything_arrives_at_least_once(box: Box, place: str, hit: int) -> None:
    box.store(10)
    box.start({VARIABLE: f"{place}=kill@{hit}"})
    assert box.appliance.wait_ended("sync") == SIGKILL
    assert box.stats().pending + box.stats().leased > 0
    box.start()
    box.wait_drained()
    assert box.stats().dead == 0
    box.outbound.assert_complete(box.archive)
    assert box.appliance.stop("sync") == 0


def test_invariant_4_killed_at_random_while_draining_and_receiving_everything_arrives(box: Box) -> None:
    chance = random.Random(20261122)
    box.store(INSTANCES // 2, StudyDescription="before")
    for _ in range(RANDOM_KILLS):
        before = box.stats().delivered
        box.start()
        goal = before + chance.randrange(1, 60)
        wait_until(lambda goal=goal: box.stats().delivered >= goal or not box.stats().pending, 30)  # type: ignore[misc]
        box.store(INSTANCES // 2 // RANDOM_KILLS)
        box.appliance.kill("sync")
    box.start()
    box.wait_drained(seconds=60)
    stats = box.stats()
    assert (stats.pending, stats.leased, stats.dead) == (0, 0, 0)
    assert {row["state"] for row in box.archive.outbox.list(sink=SINK, limit=10_000)} == {"delivered"}
    box.outbound.assert_complete(box.archive)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith("directory.")])
def test_a_disk_error_at_a_durable_step_only_delays(box: Box, place: str, error: str) -> None:
    box.store(6)
    box.start({VARIABLE: f"{place}={error}@2"})
    box.wait_drained()
    assert {row["attempts"] for row in box.archive.outbox.list(sink=SINK, limit=1000)} == {1}
    box.outbound.assert_complete(box.archive)


def test_a_stop_while_draining_finishes_the_batch_and_leaves_no_lease(box: Box) -> None:
    box.store(100)
    box.start()
    wait_until(lambda: box.stats().delivered > 10)
    assert box.appliance.stop("sync") == 0
    assert box.stats().leased == 0
    assert box.stats().pending > 0
    box.start()
    box.wait_drained()
    box.outbound.assert_complete(box.archive)
