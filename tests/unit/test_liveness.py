"""The watchdog's judge: every part keeps its word, or is named."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from appliance.liveness import Attentive, Liveness
from tests.clocks import FakeClock


class Wished:
    """A wish to stop that is answered at once; notes how it was asked."""

    def __init__(self, clock: FakeClock, lasts: float = 0.0) -> None:
        self._clock = clock
        self._lasts = lasts

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.advance(self._lasts if timeout is None else timeout)
        return timeout is None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def liveness(clock: FakeClock) -> Liveness:
    return Liveness(clock.monotonic)


def test_a_part_that_beats_in_time_is_well(liveness: Liveness, clock: FakeClock) -> None:
    part = liveness.part("lobby", 10)
    for _ in range(5):
        clock.advance(9)
        part.beat()
        assert liveness.stuck() == ()
    assert liveness.snapshot() == {"parts": {"lobby": 0.0}}


def test_a_part_that_is_silent_is_named_and_the_others_do_not_hide_it(liveness: Liveness, clock: FakeClock) -> None:
    liveness.part("lobby", 10)
    other = liveness.part("loop", 10)
    clock.advance(12)
    other.beat()
    assert liveness.stuck() == ("lobby",)
    assert liveness.snapshot() == {"parts": {"lobby": 2.0, "loop": 0.0}}


def test_it_is_logged_once_and_once_more_when_it_goes_on(liveness: Liveness, clock: FakeClock) -> None:
    part = liveness.part("sink cloud", 10)
    with capture_logs() as lines:
        clock.advance(11)
        for _ in range(3):
            liveness.stuck()
        part.beat()
        liveness.stuck()
        liveness.stuck()
    assert [(line["log_level"], line["part"]) for line in lines] == [("error", "sink cloud"), ("warning", "sink cloud")]


def test_a_part_that_rests_or_has_ended_owes_nothing(liveness: Liveness, clock: FakeClock) -> None:
    pausing, ended = liveness.part("pausing", 10), liveness.part("ended", 10)
    pausing.pause(100)
    ended.end()
    clock.advance(105)
    assert liveness.stuck() == ()
    clock.advance(6)
    assert liveness.stuck() == ("pausing",)


def test_work_that_takes_too_long_is_named(liveness: Liveness, clock: FakeClock) -> None:
    began: list[float | None] = [None]
    liveness.watch("commits", 60, lambda: began[0])
    clock.advance(1000)
    assert liveness.stuck() == ()
    began[0] = clock.monotonic()
    clock.advance(61)
    assert liveness.stuck() == ("commits",)
    began[0] = None
    assert liveness.stuck() == ()


def test_who_asks_whether_it_is_to_stop_is_alive(liveness: Liveness, clock: FakeClock) -> None:
    wish = Attentive(Wished(clock), liveness.part("sink cloud", 10))
    for _ in range(3):
        clock.advance(9)
        assert not wish.is_set()
        assert liveness.stuck() == ()
    wish.wait(500)
    assert liveness.stuck() == ()
    clock.advance(11)
    assert liveness.stuck() == ("sink cloud",)


def test_a_wait_without_end_is_no_fault(liveness: Liveness, clock: FakeClock) -> None:
    seen: list[tuple[str, ...]] = []
    part = liveness.part("poller", 10)

    class Waiting(Wished):
        def wait(self, timeout: float | None = None) -> bool:
            clock.advance(10_000)
            seen.append(liveness.stuck())
            return True

    assert Attentive(Waiting(clock), part).wait()
    assert seen == [()] and liveness.stuck() == ()


def test_parts_may_be_added_from_other_threads(liveness: Liveness) -> None:
    threads = [threading.Thread(target=liveness.part, args=(f"part {n}", 10)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(liveness.snapshot()["parts"]) == 20


def test_the_watchdog_is_fed_only_while_every_part_goes_on(liveness: Liveness, clock: FakeClock) -> None:
    fed: list[float] = []
    part = liveness.part("lobby", 10)
    for _ in range(3):
        liveness.feed(lambda: fed.append(clock.monotonic()))
        clock.advance(8)
    assert len(fed) == 2
    part.beat()
    liveness.feed(lambda: fed.append(clock.monotonic()))
    assert len(fed) == 3
