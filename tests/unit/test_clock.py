"""The clocks."""

from __future__ import annotations

import time

from appliance.clock import Clock, SystemClock
from tests.clocks import START, FakeClock


def test_the_system_clock_counts_microseconds_of_utc() -> None:
    assert abs(SystemClock().now() / 1_000_000 - time.time()) < 60


def test_the_monotonic_clock_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_a_fake_clock_moves_only_when_told() -> None:
    fake = FakeClock()
    clock: Clock = fake
    before = clock.monotonic()
    fake.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (START + 1_500_000, before + 1.5)
    fake.step(-3600)
    assert clock.now() == START + 1_500_000 - 3_600_000_000
    assert clock.monotonic() == before + 1.5
