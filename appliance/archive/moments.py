"""Ranges of dates and times as SQL: plain ones, ranges of moments, and moments between time zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from appliance.model.attributes import Attribute, Level, by_keyword
from appliance.model.matching import Match, Zones
from appliance.model.records import Value

ALIASES: Final[Mapping[Level, str]] = MappingProxyType({Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"})

# A date and the time that belongs to it: ranges of both are one range of moments (PS3.4 C.2.2.2.5).
MOMENTS: Final[Mapping[str, str]] = MappingProxyType({
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "ContentDate": "ContentTime",
    "PatientBirthDate": "PatientBirthTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
})  # fmt: skip

# Nobody is born in another time zone than the calendar says.
ZONED: Final = frozenset(MOMENTS) - {"PatientBirthDate"}

# Sorts after every digit: the open upper end of a time.
END_OF_TIME: Final = "~"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL that is true or false for a row, and the values for its question marks."""

    sql: str
    values: tuple[Value, ...] = ()


def all_of(parts: Sequence[Condition]) -> Condition:
    """Return the condition that all of `parts` hold."""
    values = tuple(value for part in parts for value in part.values)
    return Condition(" AND ".join(part.sql for part in parts), values)


def place(attribute: Attribute) -> str:
    """Return `alias.column` of an attribute that the index stores."""
    return f"{ALIASES[attribute.level]}.{attribute.column}"


def _between(expression: str, low: str, high: str) -> Condition:
    parts = [Condition(f"{expression} >= ?", (low,))] if low else [Condition(f"{expression} <> ''")]
    if high:
        parts.append(Condition(f"{expression} <= ?", (high,)))
    return all_of(parts)


def plain_range(match: Match) -> Condition:
    """Return a range of one column, an open end where a bound is empty."""
    return _between(place(match.attribute), *match.values)


def moment(date: Match, time: Match) -> Condition:
    """One range of moments; the plain date range stands beside it so that the date's index serves."""
    pair = f"({place(date.attribute)}, {place(time.attribute)})"
    (first_date, last_date), (first_time, last_time) = date.values, time.values
    parts = [plain_range(date)]
    if first_date:
        parts.append(Condition(f"{pair} >= (?, ?)", (first_date, first_time)))
    if last_date:
        parts.append(Condition(f"{pair} <= (?, ?)", (last_date, last_time or END_OF_TIME)))
    return all_of(parts)


# Minutes east of UTC of a row, the bound value where the row names no zone of its own.
_OFFSET: Final = (
    "CASE WHEN s.timezone_offset GLOB '[+-][0-9][0-9][0-9][0-9]'"
    " THEN (substr(s.timezone_offset, 1, 1) || '1') *"
    " (substr(s.timezone_offset, 2, 2) * 60 + substr(s.timezone_offset, 4, 2)) ELSE ? END"
)


def _shifted(date: str, time: str) -> str:
    """Return SQL for date and time, one text, in the zone asked for; NULL for a row without a time.

    Offsets are whole minutes: seconds and their fraction stay as they are written. Bind the offset asked
    for, then the one assumed.
    """
    iso = f"substr({date}, 1, 4) || '-' || substr({date}, 5, 2) || '-' || substr({date}, 7, 2)"
    clock = f"substr({time} || '00', 1, 2) || ':' || substr({time} || '0000', 3, 2)"
    return f"strftime('%Y%m%d%H%M', {iso} || ' ' || {clock}, (? - {_OFFSET}) || ' minutes') || substr({time}, 5)"


def zoned(date: Match, time: Match | None, zones: Zones) -> Condition:
    """One range of moments, each row's in its own zone; a row without a time is matched by its date alone.

    The date range, a day wider at both ends, stands beside it so that the date's index serves.
    """
    first, last = date.values
    low_time, high_time = time.values if time is not None else ("", "")
    clock = by_keyword(MOMENTS[date.attribute.keyword])
    assert clock is not None
    day, column = place(date.attribute), place(clock)
    dates = _between(day, first, last)
    moments = _between(_shifted(day, column), first and first + low_time, last and last + (high_time or END_OF_TIME))
    bound: list[Value] = []
    for value in moments.values:
        bound += (zones.asked, zones.assumed, value)
    if not first:
        bound[:0] = (zones.asked, zones.assumed)
    chosen = f"CASE WHEN {column} <> '' THEN {moments.sql} ELSE {dates.sql} END"
    wide = _between(day, _day(first, -1), _day(last, 1))
    return all_of([wide, Condition(chosen, (*bound, *dates.values))])


def _day(date: str, days: int) -> str:
    if not date:
        return ""
    try:
        return f"{datetime.strptime(date, '%Y%m%d') + timedelta(days=days):%Y%m%d}"
    except (ValueError, OverflowError):
        return date
