"""A row on which a database fails for ever blocks nobody; a database that is ill costs nobody a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.central.admission import Cause
from appliance.central.batches import POISON
from appliance.central.doubts import MOST_TO_BLAME
from appliance.central.standing import State
from appliance.central.targets import Batch, Misdirected, Unavailable
from tests.unit.central.test_loader import IMAGES, STATES, Stage

Fault = Callable[[], Exception]
# What a database says of a row: that it is ill, that it is set up wrongly, or nothing anybody knows.
FAULTS: list[Fault] = [
    lambda: Unavailable("internal error", doubtful=True),
    lambda: Misdirected("has a table of other columns", doubtful=True),
    lambda: ZeroDivisionError("QUAGGA"),
]


def _poison(fault: Fault, ill: Callable[[], bool] = lambda: False) -> Callable[[Batch], None]:
    def before(batch: Batch) -> None:
        if ill() or any(row["patient_age"] == "poison" for row in batch.rows):
            raise fault()

    return before


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_row_that_always_fails_while_others_pass_ends_in_the_dead_letters(
    tmp_path: Path, fault: Fault, place: int
) -> None:
    stage = Stage(tmp_path, attempts=4, rows=8)
    stage.states._before = _poison(fault)
    for number in range(8):
        stage.good((STATES, 0), patient_age="poison" if number == place else "ok")
    stage.run(4000)
    assert [(x.rejection.cause, x.rejection.reason) for x in stage.graves.letters] == [(Cause.UNKNOWN, POISON)]
    assert len(stage.states.tables["state_table"]) == 7
    assert stage.state("states-db") is State.WORKING


@pytest.mark.parametrize("fault", FAULTS)
def test_what_comes_behind_a_bad_first_row_shows_that_the_table_takes_rows(tmp_path: Path, fault: Fault) -> None:
    stage = Stage(tmp_path, attempts=3)
    stage.states._before = _poison(fault)
    stage.good((STATES, 0), patient_age="poison")
    for _ in range(60):
        stage.loader.step(0.5)
    assert not stage.letters and not stage.broker.committed
    stage.good((STATES, 0))
    stage.run(4000)
    assert (len(stage.graves.letters), len(stage.states.tables["state_table"])) == (1, 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_while_the_database_takes_nothing_no_row_is_given_up(tmp_path: Path, fault: Fault) -> None:
    stage = Stage(tmp_path, attempts=2)
    ill = False
    stage.states._before = _poison(fault, lambda: ill)
    stage.good((STATES, 0))
    stage.run()
    ill = True
    for _ in range(12):
        stage.good((STATES, 0))
    for _ in range(600):
        stage.loader.step(0.5)
    assert not stage.letters
    assert stage.numbers.state is not State.WORKING
    ill = False
    stage.run(4000)
    assert (len(stage.letters), len(stage.states.tables["state_table"])) == (0, 13)


def test_where_too_many_fail_it_is_the_database_whatever_it_takes_besides(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=2, rows=100, most=100)
    mended = False
    stage.states._before = lambda batch: None if mended else _poison(FAULTS[0])(batch)
    stage.good((STATES, 0))
    stage.run()
    for _ in range(MOST_TO_BLAME + 20):
        stage.good((STATES, 0), patient_age="poison")
    for _ in range(2000):
        stage.loader.step(0.5)
    assert stage.state("states-db") is State.WAITING
    assert not stage.letters
    mended = True
    stage.run(4000)
    assert len(stage.letters) <= MOST_TO_BLAME
    assert len(stage.letters) + len(stage.states.tables["state_table"]) == MOST_TO_BLAME + 21


def test_other_partitions_go_on_beside_a_row_in_doubt(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=10)
    stage.states._before = _poison(FAULTS[0])
    stage.good((STATES, 0), patient_age="poison")
    for _ in range(10):
        stage.good((STATES, 1))
        stage.good((IMAGES, 0))
    stage.run(4000)
    assert (len(stage.letters), len(stage.states.tables["state_table"])) == (1, 10)
