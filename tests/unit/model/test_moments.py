"""Dates and times: what is one, how it is written, and how precision becomes a range."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.moments import normalise_date, normalise_time, parse_date, parse_time, time_bounds


@pytest.mark.parametrize(("text", "day"), [
    ("20240131", date(2024, 1, 31)), ("2024.01.31", date(2024, 1, 31)), ("20240229 ", date(2024, 2, 29)),
    ("20230229", None), ("2024-01-31", None), ("202401", None), ("00000101", None), ("", None),
    ("2024013١", None),
])  # fmt: skip
def test_a_date_is_one_or_none(text: str, day: date | None) -> None:
    assert parse_date(text) == day
    assert normalise_date(text) == (f"{day:%Y%m%d}" if day else None)


@pytest.mark.parametrize(("text", "moment"), [
    ("10", time(10)), ("1011", time(10, 11)), ("101112", time(10, 11, 12)),
    ("101112.5", time(10, 11, 12, 500000)),
    ("10:11:12", time(10, 11, 12)), ("235960", time(23, 59, 59)), ("240000", None), ("1", None),
    ("101", None),
    ("10.5", None), ("101112.", None), ("", None),
])  # fmt: skip
def test_a_time_is_one_or_none(text: str, moment: time | None) -> None:
    assert parse_time(text) == moment


def test_a_time_is_kept_without_colons_and_with_six_digits_at_most() -> None:
    assert normalise_time("10:11:12") == "101112"
    assert normalise_time("101112.12345678") == "101112.123456"
    assert normalise_time("morning") is None


@st.composite
def written_times(draw: st.DrawFn) -> str:
    whole = f"{draw(st.integers(0, 23)):02}{draw(st.integers(0, 59)):02}{draw(st.integers(0, 59)):02}"
    precision = draw(st.sampled_from([2, 4, 6]))
    fraction = draw(st.text("0123456789", max_size=6)) if precision == 6 else ""
    return whole[:precision] + (f".{fraction}" if fraction else "")


@given(written_times(), written_times())
def test_string_order_against_bounds_is_the_order_of_times(bound: str, value: str) -> None:
    low, high = time_bounds(bound)
    at, start = parse_time(value), parse_time(bound)
    assert at is not None and start is not None
    assert (value >= low) == (at >= start)
    last = parse_time(high)
    assert last is not None
    assert (value <= high) == (at <= last)
