"""How much of its rate the door keeps while everything it stores is forwarded at the same time."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archives import SINK
from tests.benchmarks import senders
from tests.benchmarks.senders import Load
from tests.builders.backlog import add_rows
from tests.integration.sync.boxes import Box
from tests.waiting import wait_until

PAIRS = 5
KEPT = 0.85
BACKLOG = 50_000
CT = Load("CT 526 KB, 1 association", 600, 512 * 512 * 2, 1)
SMALL = Load("14 KB, 1 association", 1600, 80 * 80 * 2, 1)
DISCARDING = {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: {"kind": "memory"}})}


def seconds(home: Path, send: Callable[[int], float], *, forwarding: bool, backlog: int = 0) -> float:
    """Send once to a fresh box; with `forwarding` its sync room delivers to a sink that discards everything."""
    with Box(home, DISCARDING) as box:
        add_rows(box.archive, backlog)
        rooms = ("scp", "sync") if forwarding else ("scp",)
        for room in rooms:
            box.appliance.start(room)
        box.appliance.wait_ready(*rooms)
        if backlog and forwarding:
            wait_until(lambda: box.stats().delivered)
        taken = send(box.appliance.scp_port)
        if forwarding:
            assert backlog == 0 or box.stats().pending, "the backlog was through too soon to disturb anything"
            box.wait_drained(seconds=120)
        return taken


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backlog", [0, BACKLOG])
@pytest.mark.parametrize("load", [CT, SMALL], ids=lambda load: load.name)
def test_the_door_keeps_most_of_its_rate(tmp_path: Path, load: Load, backlog: int) -> None:
    alone, forwarding = [], []
    for pair in range(PAIRS):
        alone.append(seconds(tmp_path / f"alone-{pair}", senders.raw(load), forwarding=False, backlog=backlog))
        forwarding.append(seconds(tmp_path / f"both-{pair}", senders.raw(load), forwarding=True, backlog=backlog))
    # Each pair ran side by side in time, so that a machine that drifts spoils no pair.
    ratio = statistics.median(one / other for one, other in zip(alone, forwarding, strict=True))
    rates = [load.count / statistics.median(taken) for taken in (alone, forwarding)]
    print(f"{load.name}, backlog {backlog}: {rates[0]:.0f}/s alone, {rates[1]:.0f}/s forwarding, ratio {ratio:.2f}")
    assert ratio >= KEPT
