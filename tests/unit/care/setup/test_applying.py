"""Applying steps: in order, only what is due, and on where the box can do without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.care.setup.plan import applied
from appliance.care.setup.step import Action, Step, is_due
from appliance.errors import ConfigurationError


def failing() -> str:
    """Fail as a program does that is not there."""
    raise ConfigurationError("nginx refuses its configuration")


def step(action: Action, apply: Callable[[], str], *, is_vital: bool = True) -> Step:
    """A step about nothing."""
    return Step("part", "name", action, apply=apply, is_vital=is_vital)


def test_what_is_kept_or_left_is_not_touched() -> None:
    steps = [step(Action.KEEP, failing), step(Action.LEAVE, failing)]
    assert not is_due(steps)
    assert applied(steps).failures == ()


def test_a_vital_step_that_fails_ends_it() -> None:
    done: list[str] = []

    def later() -> str:
        done.append("later")
        return ""

    with pytest.raises(ConfigurationError):
        applied([step(Action.MAKE, failing), step(Action.MAKE, later)])
    assert done == []


def test_one_that_is_not_vital_is_told_and_the_rest_goes_on() -> None:
    found = applied([step(Action.RUN, failing, is_vital=False), step(Action.MAKE, lambda: "CODE")])
    assert [error.message for error in found.failures] == ["nginx refuses its configuration"]
    assert found.once == ("CODE",)
