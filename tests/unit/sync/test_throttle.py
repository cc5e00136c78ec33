"""One sink under a timetable, by a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appliance.sync.rates import Timetable, Window
from appliance.sync.throttle import UNLIMITED, Throttle
from tests.clocks import FakeClock

DAYS = frozenset(range(7))
MONDAY_NOON = round(datetime(2024, 1, 29, 12, tzinfo=UTC).timestamp() * 1_000_000)


def test_without_a_timetable_everything_may_go() -> None:
    assert Throttle(Timetable(), FakeClock()).allowance() == (UNLIMITED, 0.0)


def test_a_limit_of_0_waits_but_looks_again_within_a_minute() -> None:
    clock = FakeClock(MONDAY_NOON)
    throttle = Throttle(Timetable((Window(DAYS, 8, 13, 0),)), clock)
    assert throttle.allowance() == (0, 60.0)
    clock.advance(3590)
    assert throttle.allowance() == (0, 10.0)
    clock.advance(10)
    assert throttle.allowance() == (UNLIMITED, 0.0)


def test_what_was_sent_is_waited_for() -> None:
    clock = FakeClock(MONDAY_NOON)
    throttle = Throttle(Timetable((Window(DAYS, 0, 24, 1000),)), clock)
    assert throttle.allowance() == (1000, 0.0)
    throttle.charge(21_000)
    assert throttle.allowance() == (0, 20.5)
    clock.advance(20.5)
    assert throttle.allowance() == (500, 0.0)


def test_debts_of_an_earlier_limit_are_forgotten() -> None:
    clock = FakeClock(MONDAY_NOON)
    throttle = Throttle(Timetable((Window(DAYS, 0, 13, 10), Window(DAYS, 14, 24, 1000))), clock)
    throttle.allowance()
    throttle.charge(10**9)
    clock.advance(3600)
    assert throttle.allowance() == (UNLIMITED, 0.0)
    throttle.charge(10**9)
    clock.advance(3600)
    assert throttle.allowance() == (1000, 0.0)


def test_a_wall_clock_set_back_sends_no_more_than_the_limit() -> None:
    clock = FakeClock(MONDAY_NOON)
    throttle = Throttle(Timetable((Window(DAYS, 0, 24, 1000),)), clock)
    throttle.allowance()
    throttle.charge(5000)
    clock.step(-7200)
    assert throttle.allowance()[0] == 0
    clock.advance(4.5)
    assert throttle.allowance() == (500, 0.0)


def test_a_transfer_is_held_up_block_by_block_and_counted_once() -> None:
    clock = FakeClock(MONDAY_NOON)
    throttle = Throttle(Timetable((Window(DAYS, 0, 24, 1000),)), clock, clock.advance)
    begun = clock.monotonic()
    throttle.allowance()
    for _ in range(40):
        throttle.pace(250)
    assert clock.monotonic() - begun == pytest.approx(9)  # a burst, then 1000 a second
    throttle.charge(10_000)
    assert throttle.allowance()[1] == pytest.approx(0.5)


def test_no_block_is_held_up_for_longer_than_the_other_side_may_bear() -> None:
    clock = FakeClock(MONDAY_NOON)
    waits: list[float] = []
    throttle = Throttle(Timetable((Window(DAYS, 0, 24, 1),)), clock, waits.append)
    throttle.allowance()
    for _ in range(3):
        throttle.pace(32_768)
    assert waits == [1.0, 1.0, 1.0]
    assert throttle.allowance() == (0, 60.0)


def test_without_a_limit_nothing_is_held_up() -> None:
    waits: list[float] = []
    throttle = Throttle(Timetable(), FakeClock(), waits.append)
    throttle.allowance()
    throttle.pace(1 << 30)
    assert not waits
