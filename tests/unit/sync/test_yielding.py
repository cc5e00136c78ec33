"""A worker makes way for the doors only while something arrives, and by what it has used itself."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from appliance.sync.yielding import LONGEST_REST_SECONDS, Yielding


@dataclass
class Machine:
    """The number of the newest event, and the processor seconds a worker has used."""

    newest: int = 7
    spent: float = 1.0

    def yielding(self, share: float) -> Yielding:
        """A yielding that looks at this machine."""
        return Yielding(lambda: self.newest, share, lambda: self.spent)

    def work(self, yielding: Yielding, seconds: float, arrivals: int) -> float:
        """Do a piece of work while something arrives; return the rest after it."""
        yielding.begin()
        self.spent += seconds
        self.newest += arrivals
        return yielding.rest()


def test_nothing_arrives_and_nothing_is_waited_for() -> None:
    machine = Machine()
    yielding = machine.yielding(0.1)
    assert [machine.work(yielding, 0.05, arrivals=0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_while_something_arrives_the_share_is_kept() -> None:
    machine = Machine()
    yielding = machine.yielding(0.1)
    machine.work(yielding, 0.05, arrivals=1)
    assert machine.work(yielding, 0.05, arrivals=1) == pytest.approx(0.45)  # 50 ms of 500 are a tenth
    assert machine.work(yielding, 0.05, arrivals=0) == 0.0


def test_waiting_for_a_network_is_no_work() -> None:
    machine = Machine()
    yielding = machine.yielding(0.1)
    machine.work(yielding, 0.0, arrivals=1)
    assert machine.work(yielding, 0.0, arrivals=1) == 0.0


def test_no_rest_is_longer_than_the_longest() -> None:
    machine = Machine()
    yielding = machine.yielding(0.05)
    machine.work(yielding, 1.0, arrivals=1)
    assert machine.work(yielding, 60.0, arrivals=1) == LONGEST_REST_SECONDS
