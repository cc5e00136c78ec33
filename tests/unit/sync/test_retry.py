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
    nothing_pending,
    reached,
    rows_allowed,
    unreachable,
)

POLICY = RetryPolicy()
BATCH = 200


def _fail(breaker: Breaker, times: int, now: float = 0.0, delay: float = 1.0) -> Breaker:
    for _ in range(times):
        breaker = unreachable(due(breaker, now), now, POLICY, reason="gone", delay=delay, tried=BATCH)
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
    again = reached(_fail(Breaker(), 4), BATCH)
    assert (again.state, again.failures) == (State.CLOSED, 0)
    assert _fail(again, 4).state is State.CLOSED


def test_nothing_is_claimed_while_it_waits_then_one_row_is_a_probe() -> None:
    breaker = _fail(Breaker(), 5, now=100.0, delay=30.0)
    assert rows_allowed(breaker, 129.9, BATCH) == 0
    assert due(breaker, 129.9) is breaker
    assert due(breaker, 130.0).state is State.HALF_OPEN
    assert rows_allowed(due(breaker, 130.0), 130.0, BATCH) == 1


def test_a_failed_probe_opens_it_again() -> None:
    half_open = due(_fail(Breaker(), 5, now=0.0), 1.0)
    assert unreachable(half_open, 1.0, POLICY, reason="gone", delay=2.0, tried=1).state is State.OPEN


def test_a_wait_before_the_threshold_holds_too() -> None:
    breaker = _fail(Breaker(), 1, now=10.0, delay=2.0)
    assert rows_allowed(breaker, 11.0, BATCH) == 0
    assert rows_allowed(breaker, 12.0, BATCH) == BATCH // 2


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
        rows = rows_allowed(breaker, now, BATCH)
        if rows == 0:
            assert breaker.state is not State.HALF_OPEN
            continue
        delay = full_jitter(breaker.failures + 1, POLICY, 0.999)
        if event == "reached":
            breaker = reached(breaker, BATCH)
        elif event == "unreachable":
            breaker = unreachable(breaker, now, POLICY, reason="gone", delay=delay, tried=rows)
        elif event == "misconfigured":
            breaker = misconfigured(breaker, now, reason="wrong", delay=delay)
        assert breaker.not_before <= now + POLICY.cap
        assert (breaker.state is State.CLOSED) <= (breaker.failures < POLICY.threshold)
        assert breaker.failures or breaker == Breaker(rows=breaker.rows)
    later = breaker.not_before + POLICY.cap
    assert rows_allowed(due(breaker, later), later, BATCH) >= 1
    for _ in range(9):
        breaker = reached(due(breaker, later), BATCH)
    assert breaker == Breaker()


def test_failures_halve_what_is_tried_together_and_successes_double_it() -> None:
    breaker = Breaker()
    tried = []
    for _ in range(4):
        tried.append(rows_allowed(breaker, 0.0, BATCH))
        breaker = unreachable(breaker, 0.0, POLICY, reason="gone", delay=0.0, tried=tried[-1])
    assert tried == [200, 100, 50, 25]
    for _ in range(5):
        tried.append(rows_allowed(breaker, 0.0, BATCH))
        breaker = reached(breaker, BATCH)
    assert tried[4:] == [12, 24, 48, 96, 192]
    assert breaker == Breaker()


def test_after_a_probe_the_batches_grow_from_two() -> None:
    breaker = reached(due(_fail(Breaker(), 5), 9.0), BATCH)
    assert rows_allowed(breaker, 9.0, BATCH) == 2


@pytest.mark.parametrize("state", State)
def test_with_nothing_pending_it_closes_when_its_wait_is_over(state: State) -> None:
    breaker = Breaker(state, 3, 10.0, "gone", 1)
    assert nothing_pending(breaker, 9.9) is breaker
    assert nothing_pending(breaker, 10.0) == Breaker()
