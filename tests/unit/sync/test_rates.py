"""Limits by weekday and hour, and the bucket that keeps to them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sync.rates import Bucket, Timetable, Window

VIENNA = ZoneInfo("Europe/Vienna")
WORKDAYS, EVERY_DAY = frozenset(range(5)), frozenset(range(7))
OFFICE = Window(WORKDAYS, 7, 19, 1000)
FRIDAY_NIGHT = Window(frozenset({4}), 22, 6, 7)
CLOSED = Window(frozenset({6}), 0, 24, 0)
WEEK = Timetable((OFFICE, FRIDAY_NIGHT, CLOSED), VIENNA)


def at(text: str, zone: ZoneInfo = VIENNA) -> int:
    """A moment there, in microseconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("moment", "limit"),
    [
        ("2024-01-29T06:59:59", None),  # a Monday
        ("2024-01-29T07:00:00", 1000),
        ("2024-01-29T18:59:59", 1000),
        ("2024-01-29T19:00:00", None),
        ("2024-02-02T22:00:00", 7),  # a Friday
        ("2024-02-03T05:59:59", 7),
        ("2024-02-03T06:00:00", None),
        ("2024-02-03T22:00:00", None),
        ("2024-02-04T12:00:00", 0),  # a Sunday
        ("2024-07-01T07:00:00", 1000),  # in summer time
    ],
)
def test_the_hours_are_those_of_the_configured_zone(moment: str, limit: int | None) -> None:
    assert WEEK.limit(at(moment)) == limit


def test_the_first_window_that_holds_counts() -> None:
    table = Timetable((OFFICE, Window(EVERY_DAY, 0, 24, 5)), VIENNA)
    assert [table.limit(at(f"2024-01-29T{hour}:00:00")) for hour in ("08", "20")] == [1000, 5]


def test_without_windows_there_is_no_limit() -> None:
    assert Timetable().limit(at("2024-01-29T08:00:00")) is None


@pytest.mark.parametrize(("zone", "seconds"), [("Europe/Vienna", 600), ("Asia/Kolkata", 2400)])
def test_a_limit_changes_on_the_full_hour_of_the_zone(zone: str, seconds: float) -> None:
    moment = at("2024-01-29T18:50:00")
    assert Timetable((), ZoneInfo(zone)).change(moment) == seconds


def test_a_bucket_never_holds_more_than_a_burst() -> None:
    assert Bucket(0, 0).filled(100, 3600).level == 100


def test_a_debt_is_waited_for() -> None:
    bucket = Bucket(100, 0).charged(1100)
    assert bucket.level == -1000
    assert bucket.wait(100) == pytest.approx(10.5)
    assert bucket.filled(100, 10.5).wait(100) == 0


@given(
    limit=st.integers(1, 10**9),
    sizes=st.lists(st.integers(1, 10**10), min_size=1, max_size=50),
)
def test_the_average_stays_below_the_limit(limit: int, sizes: list[int]) -> None:
    bucket, now, sent = Bucket(limit, 0.0), 0.0, 0
    for size in sizes:
        assert bucket.wait(limit) == 0
        assert sent <= limit * (now + 1) * 1.000001  # what went before this one
        bucket = bucket.charged(size)
        sent += size
        now += bucket.wait(limit)
        bucket = bucket.filled(limit, now)
