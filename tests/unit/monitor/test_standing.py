"""The state of a box: since when, and how often it was said."""

from __future__ import annotations

from appliance.monitor.standing import Standing, State, moment

NOW = 1_700_000_000_000_000


def test_a_report_has_exactly_the_fields_of_the_contract() -> None:
    report = Standing("b1", "1.0", NOW).report()
    assert report == {
        "state": "starting", "since": "2023-11-14T22:13:20Z", "boot_id": "b1", "version": "1.0", "seq": 1,
    }  # fmt: skip


def test_every_report_has_the_next_number_and_since_stays_until_the_state_changes() -> None:
    standing = Standing("b1", "1.0", NOW)
    assert standing.move(State.READY, NOW + 5_000_000)
    assert not standing.move(State.READY, NOW + 9_000_000)
    first, second = standing.report(), standing.report()
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["since"] == second["since"] == "2023-11-14T22:13:25Z"


def test_the_will_is_of_this_run_and_does_not_know_when() -> None:
    standing = Standing("b1", "1.0", NOW)
    standing.report()
    assert standing.will() == {"state": "lost", "since": None, "boot_id": "b1", "version": "1.0", "seq": 1}
    assert standing.report()["seq"] == 2, "a will that is written is no report"


def test_no_moment_stays_none() -> None:
    assert moment(None) is None
