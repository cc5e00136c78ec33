"""Who waits for which fetch, in which order they go, and what happens while the centre is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from appliance.web.fetching import CONNECTIONS, PAUSE_SECONDS, Away, Fetches, TooMany, in_order
from tests.clocks import FakeClock
from tests.waiting import wait_until

STUDY = "1.2.3"


@dataclass
class Centre:
    """Gives what it is asked for, one after the other once it is let."""

    asked: list[int] = field(default_factory=list)
    let: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    fault: Exception | None = None

    def fetch(self, version_id: int, _study_uid: str) -> None:
        """Note the wish and wait."""
        self.asked.append(version_id)
        assert self.let.acquire(timeout=10)
        if self.fault is not None:
            raise self.fault

    def give(self, count: int) -> None:
        """Answer so many."""
        self.let.release(count)


@pytest.fixture
def centre() -> Centre:
    return Centre()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fetches(centre: Centre, clock: FakeClock) -> Iterator[Fetches]:
    made = Fetches(centre.fetch, clock.monotonic, most_waiting=3)
    made.start()
    yield made
    centre.give(1000)
    made.stop()


def test_several_who_want_the_same_wait_for_one_fetch(fetches: Fetches, centre: Centre) -> None:
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(fetches.wait_for, 7, STUDY) for _ in range(3)]
        wait_until(lambda: centre.asked == [7])
        centre.give(3)
        for one in waiting:
            one.result(10)
    assert centre.asked == [7]


def test_what_is_waited_for_goes_before_what_is_fetched_ahead(fetches: Fetches, centre: Centre) -> None:
    fetches.ahead(STUDY, range(1, 8))
    wait_until(lambda: len(centre.asked) == CONNECTIONS)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetches.wait_for, 6, STUDY)
        wait_until(lambda: fetches._waiting == 1)
        centre.give(1)
        wait_until(lambda: len(centre.asked) == CONNECTIONS + 1)
        assert centre.asked[-1] == 6
        centre.give(10)
        waiting.result(10)
    wait_until(lambda: sorted(centre.asked) == list(range(1, 8)))


def test_the_newest_wish_is_fetched_ahead_first(fetches: Fetches, centre: Centre) -> None:
    fetches.ahead(STUDY, (1, 2, 3))
    wait_until(lambda: len(centre.asked) == CONNECTIONS)
    fetches.ahead("4.5.6", (4, 5))
    centre.give(10)
    wait_until(lambda: len(centre.asked) == 5)
    assert set(centre.asked[2:4]) == {4, 5}


def test_no_more_wait_than_may(fetches: Fetches, centre: Centre) -> None:
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(fetches.wait_for, number, STUDY) for number in range(3)]
        wait_until(lambda: fetches._waiting == 3)
        with pytest.raises(TooMany):
            fetches.wait_for(9, STUDY)
        centre.give(3)
        for one in waiting:
            one.result(10)


def test_while_the_centre_is_away_nobody_is_kept_waiting(fetches: Fetches, centre: Centre, clock: FakeClock) -> None:
    fetches.ahead(STUDY, range(10, 20))
    wait_until(lambda: len(centre.asked) == CONNECTIONS)
    centre.fault = Away("not there")
    centre.give(2)
    wait_until(lambda: fetches._away is not None and not fetches._queue)
    with pytest.raises(Away, match="not there"):
        fetches.wait_for(10, STUDY)
    fetches.ahead(STUDY, range(30, 40))
    assert len(centre.asked) == CONNECTIONS
    clock.advance(PAUSE_SECONDS + 1)
    centre.fault = None
    centre.give(1)
    fetches.wait_for(10, STUDY)


def test_a_defect_is_told_and_the_thread_goes_on(fetches: Fetches, centre: Centre) -> None:
    centre.fault = ZeroDivisionError()
    centre.give(5)
    for number in range(1, CONNECTIONS + 2):
        with pytest.raises(ZeroDivisionError):
            fetches.wait_for(number, STUDY)


def test_who_still_waits_at_the_end_is_told(centre: Centre) -> None:
    fetches = Fetches(centre.fetch)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetches.wait_for, 1, STUDY)
        wait_until(lambda: fetches._waiting == 1)
        fetches.stop()
        with pytest.raises(Away, match="stopping"):
            waiting.result(10)
        with pytest.raises(Away, match="stopping"):
            fetches.wait_for(2, STUDY)


def test_reading_order_goes_on_behind_what_was_opened() -> None:
    assert in_order([1, 2, 3, 4], 3) == [4, 1, 2]
    assert in_order([1, 2], 9) == [1, 2]
