"""Dates and times as DICOM writes them (PS3.5 DA, TM): validity, order, ISO 8601 form."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Final

_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})|([0-9]{4})\.([0-9]{2})\.([0-9]{2})")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")


def parse_date(text: str) -> date | None:
    """Return the day of a DA value ("20240131", or the retired "2024.01.31"), or None if it is none."""
    found = _DATE.fullmatch(text.strip(" \0"))
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups() if part is not None)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def parse_time(text: str) -> time | None:
    """Return the time of a TM value of any precision, or None if it is none; a leap second becomes :59."""
    found = _TIME.fullmatch(text.strip(" \0"))
    if found is None:
        return None
    hour, minute, second, fraction = found.groups(default="0")
    return time(int(hour), int(minute), min(int(second), 59), int(fraction.ljust(6, "0")))


def normalise_date(text: str) -> str | None:
    """Return a DA value as "YYYYMMDD", or None if it is no date."""
    day = parse_date(text)
    return None if day is None else f"{day.year:04d}{day:%m%d}"


def normalise_time(text: str) -> str | None:
    """Return a TM value without colons and with at most six digits of fraction, or None if it is no time."""
    bare = text.strip(" \0").replace(":", "")
    bare = bare[:13] if bare[13:].isdecimal() else bare
    return bare if _TIME.fullmatch(bare) else None


def date_bounds(text: str) -> tuple[str, str]:
    """Return (low, high), the same "YYYYMMDD" twice, of a DA value; raises ValueError if it is none."""
    written = normalise_date(text)
    if written is None:
        raise ValueError("not a date")
    return written, written


def time_bounds(text: str) -> tuple[str, str]:
    """Return (low, high) such that low <= t <= high, as strings, for every TM value t within `text`.

    "10" gives ("10", "105960.999999"). Trailing zeros are cut from the low end, because "10" and
    "100000" are the same time and the shorter sorts first. Raises ValueError if it is no time.
    """
    stripped = text.strip(" \0").replace(":", "")
    if _TIME.fullmatch(stripped) is None:
        raise ValueError("not a time")
    whole, _, fraction = stripped.partition(".")
    high = f"{whole}{'105960'[len(whole) :]}.{fraction.ljust(6, '9')}"
    low = f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
    if "." not in low:
        while low.endswith("00") and len(low) > 2:
            low = low[:-2]
    return low, high
