"""Days of the week and hours of the day, as a person writes them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_OF_DAY = 24

_HOURS = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")


def weekdays(text: str) -> frozenset[int]:
    """Return the days of "mon-fri", "sat,sun" or "fri-mon" as numbers, Monday being 0. Raises ValueError."""
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError('days are written like "mon-fri" or "sat,sun"')
        start, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % len(DAYS)
        found.update((start + step) % len(DAYS) for step in range(length + 1))
    return frozenset(found)


def span(text: str) -> tuple[int, int]:
    """Return first and last hour of "07-19"; the end is not included, and "22-06" runs past midnight.

    Raises ValueError.
    """
    match = _HOURS.fullmatch(text.replace(" ", ""))
    start, end = (int(hour) for hour in match.groups()) if match else (HOURS_OF_DAY, 0)
    if start >= HOURS_OF_DAY or end > HOURS_OF_DAY or start == end:
        raise ValueError('hours are written like "07-19", "22-06" or "00-24"')
    return start, end


def _days(text: str) -> str:
    weekdays(text)
    return text


def _hours(text: str) -> str:
    span(text)
    return text


Days = Annotated[str, AfterValidator(_days)]
Hours = Annotated[str, AfterValidator(_hours)]
