"""A long backlog drains, and the process that drains it does not grow with it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tests.archives import SINK
from tests.builders.backlog import add_rows
from tests.integration.sync.boxes import Box
from tests.partners.memory import proportional_bytes
from tests.waiting import wait_until

ROWS = 50_000
MANY_ROWS = 500_000
WARM = 0.2
MIB = 1 << 20
# One row's record is 1 KB: keeping a fifth of each would show above the noise of so short a drain (up to 100).
MOST_GROWTH = 200
SAMPLES = 20


@pytest.fixture(params=["memory", "directory"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A box with one sink."""
    environ = {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: {"kind": request.param}})}
    with Box(tmp_path / "home", environ) as found:
        yield found


def drain(box: Box, rows: int) -> list[tuple[int, int]]:
    """Let the sync room deliver everything; return pairs of rows delivered and bytes of memory then."""
    box.start()
    box.appliance.wait_ready("sync")
    pid = box.appliance.room_pid("sync")
    samples: list[tuple[int, int]] = []
    for part in range(1, SAMPLES + 1):
        wait_until(lambda: box.stats().delivered >= rows * part // SAMPLES, 600, every=0.02)  # noqa: B023
        samples.append((box.stats().delivered, proportional_bytes(pid)))
    return samples


def growth(samples: list[tuple[int, int]], rows: int) -> float:
    """Return bytes of memory per row delivered: the median slope over the drain, its first part left out."""
    warm = [sample for sample in samples if sample[0] > rows * WARM]
    pairs = [(one, other) for one, other in combinations(warm, 2) if other[0] > one[0]]
    return statistics.median((other[1] - one[1]) / (other[0] - one[0]) for one, other in pairs)


def test_fifty_thousand_rows_drain_with_flat_memory(box: Box) -> None:
    add_rows(box.archive, ROWS)
    samples = drain(box, ROWS)
    slope = growth(samples, ROWS)
    print(f"{slope:.1f} bytes per row; {samples[0][1] / MIB:.1f} to {samples[-1][1] / MIB:.1f} MiB")
    assert slope < MOST_GROWTH
    stats = box.stats()
    assert (stats.pending, stats.leased, stats.dead, stats.delivered) == (0, 0, 0, ROWS)


def test_the_door_does_not_wait_for_the_backlog(tmp_path: Path) -> None:
    environ = {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: {"kind": "memory"}})}
    with Box(tmp_path / "home", environ) as box:
        add_rows(box.archive, ROWS // 2)
        box.start()
        wait_until(lambda: box.stats().delivered)
        box.store(20)
        left = box.stats().pending
        assert left > 0, "the backlog was through before the door had stored twenty objects"
        box.wait_drained(seconds=120)
        assert box.archive.numbers.counts().instances == 20


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_half_a_million_rows_drain_with_flat_memory(box: Box) -> None:
    add_rows(box.archive, MANY_ROWS)
    slope = growth(drain(box, MANY_ROWS), MANY_ROWS)
    print(f"{slope:.2f} bytes per row")
    assert slope < MOST_GROWTH / 20
