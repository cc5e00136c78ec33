"""The sentences about sinks that are not being served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.archive.outbox_desk import SinkStats
from appliance.web.notices import CONFLICTS, HELD, MEANINGS, TEXTS, notices

SERVED = SinkStats(
    pending=1, leased=0, delivered=2, dead=0, buried=0, oldest_seconds=1.0, breaker="closed", reason="", active=True,
    required=True, held="",
)  # fmt: skip


def test_nothing_is_said_of_sinks_that_are_served() -> None:
    assert notices({"a": SERVED}) == []


@pytest.mark.parametrize("state", ["open", "half-open", "paused"])
def test_a_breaker_is_told_with_its_reason_since_when_and_what_it_means(state: str) -> None:
    stats = replace(SERVED, breaker=state, reason="no route", since=3_600_000_000, leased=1)
    (notice,) = notices({"centre": stats}, zone="Asia/Shanghai")
    assert (notice.text, notice.meaning) == (TEXTS[state], MEANINGS[state])
    since = "1970-01-01 09:00:00"
    assert notice.values == {"sink": "centre", "reason": "no route", "since": since, "waiting": 2}


def test_an_operators_pause_stands_above_the_breaker() -> None:
    (notice,) = notices({"centre": replace(SERVED, breaker="open", reason="no route", held="moving house")})
    assert (notice.text, notice.values["reason"]) == (HELD, "moving house")


def test_a_sink_that_is_not_active_is_left_out() -> None:
    assert notices({"old": replace(SERVED, breaker="paused", reason="gone", active=False)}) == []


def test_open_conflicts_are_told_after_the_lines() -> None:
    first, second = notices({"centre": replace(SERVED, breaker="open")}, conflicts=3)
    assert first.kind == "outage"
    assert (second.text, second.values, second.kind) == (CONFLICTS, {"count": 3}, "conflict")
