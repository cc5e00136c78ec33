"""Restarts: quick at first, slower after repeated failure, never for a wrong configuration."""

from __future__ import annotations

from appliance.cli.restart import LONGEST_DELAY, PATIENCE, STEADY_SECONDS, History, ending, hopeless


def test_the_delay_doubles_up_to_its_cap() -> None:
    history, delays = History(), []
    for _ in range(9):
        history = history.ended(lasted=1.0)
        delays.append(history.delay)
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == LONGEST_DELAY


def test_a_steady_run_wipes_the_slate() -> None:
    history = History(failures=7).ended(lasted=STEADY_SECONDS)
    assert history.delay == 0.5


def test_only_configuration_and_usage_are_hopeless() -> None:
    assert [code for code in range(-15, 128) if hopeless(code)] == [2, 78]


def test_not_now_is_hopeless_only_when_it_is_said_again_and_again() -> None:
    assert not hopeless(75, failures=PATIENCE - 1)
    assert hopeless(75, failures=PATIENCE)
    assert not hopeless(70, failures=1000)


def test_an_ending_is_told_in_words() -> None:
    assert ending(-9) == "signal 9"
    assert ending(70) == "exit code 70"
