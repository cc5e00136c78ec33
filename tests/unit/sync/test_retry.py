"""The breaker's state machine and the waiting times, for every course of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sync.retry import (
    Breaker,
    RetryPolicy,
    State,
    due,
    full_jitter,
    misconfigured,
    reached,
    rows_allowed,
    unreachable,
)

POLICY = RetryPolicy()
BATCH = 200


def _fail(breaker: Breaker, times: int, now: float = 0.0, delay: float = 1.0) -> Breaker:
    for _ in range(times):
        breaker = unreachable(due(breaker, now), now, POLICY, reason="gone", delay=delay)
    return breaker


def test_waiting_times_double_up_to_the_cap() -> None:
    longest = [full_jitter(n, POLICY, 1.0) for n in range(1, 9)]
    assert longest == [1, 2, 4, 8, 16, 32, 60, 60]


@given(failures=st.integers(0, 10_000), random=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_anything_between_nothing_and_the_cap(failures: int, random: float) -> None:
    assert 0 <= full_jitter(failures, POLICY, random) <= POLICY.cap


def test_opens_at_the_fifth_connectivity_failure_in_a_row() -> None:
    assert _fail(Breaker(), 4).state is State.CLOSED
    assert _fail(Breaker(), 5).state is State.OPEN


def test_a_success_in_between_starts_the_count_again() -> None:
    assert reached() == Breaker()
    assert _fail(reached(), 4).state is State.CLOSED


def test_nothing_is_claimed_while_it_waits_then_one_row_is_a_probe() -> None:
    breaker = _fail(Breaker(), 5, now=100.0, delay=30.0)
    assert rows_allowed(breaker, 129.9, BATCH) == 0
    assert due(breaker, 129.9) is breaker
    assert due(breaker, 130.0).state is State.HALF_OPEN
    assert rows_allowed(due(breaker, 130.0), 130.0, BATCH) == 1


def test_a_failed_probe_opens_it_again() -> None:
    half_open = due(_fail(Breaker(), 5, now=0.0), 1.0)
    assert unreachable(half_open, 1.0, POLICY, reason="gone", delay=2.0).state is State.OPEN


def test_a_wait_before_the_threshold_holds_too() -> None:
    breaker = _fail(Breaker(), 1, now=10.0, delay=2.0)
    assert rows_allowed(breaker, 11.0, BATCH) == 0
    assert rows_allowed(breaker, 12.0, BATCH) == BATCH


@pytest.mark.parametrize("state", State)
def test_misconfiguration_pauses_in_every_state_and_is_looked_at_again(state: State) -> None:
    paused = misconfigured(Breaker(state, 2), 5.0, reason="no permission", delay=3.0)
    assert (paused.state, paused.reason) == (State.PAUSED, "no permission")
    assert rows_allowed(paused, 7.9, BATCH) == 0
    assert rows_allowed(due(paused, 8.0), 8.0, BATCH) == 1


EVENTS = st.lists(
    st.tuples(st.sampled_from(["reached", "unreachable", "misconfigured", "nothing"]), st.floats(0, 120)),
    max_size=60,
)


@given(EVENTS)
def test_whatever_happens_it_is_tried_again_and_a_success_restores_it(
    events: list[tuple[str, float]],
) -> None:
    breaker, now = Breaker(), 0.0
    for event, seconds in events:
        now += seconds
        breaker = due(breaker, now)
        if rows_allowed(breaker, now, BATCH) == 0:
            assert breaker.state is not State.HALF_OPEN
            continue
        delay = full_jitter(breaker.failures + 1, POLICY, 0.999)
        if event == "reached":
            breaker = reached()
        elif event == "unreachable":
            breaker = unreachable(breaker, now, POLICY, reason="gone", delay=delay)
        elif event == "misconfigured":
            breaker = misconfigured(breaker, now, reason="wrong", delay=delay)
        assert breaker.not_before <= now + POLICY.cap
        assert (breaker.state is State.CLOSED) <= (breaker.failures < POLICY.threshold)
        assert (breaker.failures == 0) == (breaker == Breaker())
    later = breaker.not_before + POLICY.cap
    assert rows_allowed(due(breaker, later), later, BATCH) in (1, BATCH)
