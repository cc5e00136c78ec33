"""A destination's standing: waits that grow and are drawn, wishes that count, changes that are told once."""

from __future__ import annotations

import pytest

from appliance.central.standing import Backoff, Standing, State
from appliance.central.targets import Misdirected, Unavailable

BACKOFF = Backoff(1, 60)


@pytest.mark.parametrize(("failures", "most"), [(1, 1), (2, 2), (6, 32), (7, 60), (10_000, 60)])
def test_the_wait_is_drawn_below_a_bound_that_doubles_up_to_the_cap(failures: int, most: float) -> None:
    assert BACKOFF.delay(failures, 0.0) == 0
    assert BACKOFF.delay(failures, 1.0) == most


def test_a_change_is_told_once_and_the_way_back_too() -> None:
    standing = Standing()
    assert standing.failed(Unavailable("gone"), 10.0, BACKOFF, 0.5)
    assert not standing.failed(Unavailable("gone"), 11.0, BACKOFF, 0.5)
    assert (standing.state, standing.due(11.9), standing.due(12.0)) == (State.WAITING, False, True)
    assert standing.failed(Misdirected("no table"), 12.0, BACKOFF, 0.5)
    assert standing.state is State.PAUSED
    assert standing.worked()
    assert not standing.worked()
    assert (standing.state, standing.failures, standing.due(0.0)) == (State.WORKING, 0, True)


def test_a_wish_of_the_database_is_kept_to() -> None:
    standing = Standing()
    standing.failed(Unavailable("busy", retry_after=120), 0.0, BACKOFF, 0.5)
    assert not standing.due(119)
