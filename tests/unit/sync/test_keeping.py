"""Retention's rounds: by the room itself, or by a timer while the room only looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from appliance.archive.retention import Outlook, Retention, Run
from appliance.model.retention import RetentionPolicy
from appliance.sync.keeping import Keeper


@dataclass
class Rounds:
    """A retention that only remembers how it was run."""

    policy: RetentionPolicy = field(default_factory=lambda: RetentionPolicy(max_bytes=1))
    dry: list[bool] = field(default_factory=list)

    def run(self, *, dry: bool = False, rest: Callable[[], bool] = lambda: False) -> Run:
        self.dry.append(dry)
        return Run(wanted_bytes=10, bytes=4)

    def outlook(self, *, rest: Callable[[], bool] = lambda: False) -> Outlook:
        return Outlook(held_bytes=100, evictable_bytes=4)


@pytest.mark.parametrize(("interval", "looks_only"), [(300.0, False), (0.0, True)])
def test_without_an_interval_it_looks_and_lets_nothing_go(interval: float, looks_only: bool) -> None:
    rounds = Rounds()
    keeper = Keeper(cast(Retention, rounds), interval)
    keeper.step()
    assert rounds.dry == [looks_only]
    assert keeper.snapshot() == {"held_bytes": 100, "evictable_bytes": 4, "short_bytes": 6}
