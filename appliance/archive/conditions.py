"""The WHERE clause of a search: what model.matching asks, as SQL text with bound values only.

Every text that comes from a query is bound; table aliases and column names come from the
attribute table. The meaning is that of model.matching.matches (a test holds them together).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.model.attributes import Affinity, Attribute, Level
from appliance.model.matching import Match, Query
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

# Sorts after every digit: the open upper end of a time.
END_OF_TIME: Final = "~"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL that is true or false for a row, and the values for its question marks."""

    sql: str
    values: tuple[Value, ...] = ()


def place(attribute: Attribute) -> str:
    """Return `alias.column` of an attribute that the index stores."""
    return f"{ALIASES[attribute.level]}.{attribute.column}"


def glob_pattern(pattern: str) -> str:
    """Return a DICOM wildcard pattern as a GLOB pattern: "*" and "?" mean the same, "[" is only itself."""
    return pattern.replace("[", "[[]")


def _bindable(attribute: Attribute, text: str) -> Value:
    if attribute.affinity is Affinity.INTEGER:
        return int(text)
    return float(text) if attribute.affinity is Affinity.REAL else text


def _name(match: Match) -> Condition:
    column = f"{ALIASES[match.attribute.level]}.{match.attribute.search_column}"
    if match.kind == "exact":
        return Condition(f"instr({column}, ?) > 0", (f"={match.values[0]}=",))
    return Condition(f"{column} GLOB ?", (f"*={glob_pattern(match.values[0])}=*",))


def _exact(match: Match) -> Condition:
    return Condition(f"{place(match.attribute)} = ?", (_bindable(match.attribute, match.values[0]),))


def _wildcard(match: Match) -> Condition:
    return Condition(f"{place(match.attribute)} GLOB ?", (glob_pattern(match.values[0]),))


def _range(match: Match) -> Condition:
    low, high = match.values
    column = place(match.attribute)
    parts = [Condition(f"{column} >= ?", (low,))] if low else [Condition(f"{column} <> ''")]
    if high:
        parts.append(Condition(f"{column} <= ?", (high,)))
    return _all(parts)


def _uids(match: Match) -> Condition:
    marks = ", ".join("?" * len(match.values))
    return Condition(f"{place(match.attribute)} IN ({marks})", match.values)


_BY_KIND: Final[Mapping[str, Callable[[Match], Condition]]] = MappingProxyType(
    {"exact": _exact, "wildcard": _wildcard, "range": _range, "uids": _uids}
)


def _all(parts: Sequence[Condition]) -> Condition:
    values = tuple(value for part in parts for value in part.values)
    return Condition(" AND ".join(part.sql for part in parts), values)


def _moment(date: Match, time: Match) -> Condition:
    """One range of moments; the plain date range stands beside it so that the date's index serves."""
    pair = f"({place(date.attribute)}, {place(time.attribute)})"
    (first_date, last_date), (first_time, last_time) = date.values, time.values
    parts = [_range(date)]
    if first_date:
        parts.append(Condition(f"{pair} >= (?, ?)", (first_date, first_time)))
    if last_date:
        parts.append(Condition(f"{pair} <= (?, ?)", (last_date, last_time or END_OF_TIME)))
    return _all(parts)


def _matched(matches: Sequence[Match]) -> Iterator[Condition]:
    ranges = {match.attribute.keyword: match for match in matches if match.kind == "range"}
    times = {time: date for date, time in MOMENTS.items() if date in ranges and time in ranges}
    for match in matches:
        if match.kind == "empty" or match.attribute.keyword in times:
            continue
        time = ranges.get(MOMENTS.get(match.attribute.keyword, ""))
        if time is not None and match.kind == "range":
            yield _moment(match, time)
        else:
            yield _name(match) if match.folded else _BY_KIND[match.kind](match)


def _modalities(modalities: Sequence[str]) -> Condition:
    wanted = " OR ".join(["instr('\\' || s.modalities || '\\', ?) > 0"] * len(modalities))
    return Condition(f"({wanted})", tuple(f"\\{modality}\\" for modality in modalities))


def conditions(query: Query, tenant: str, first: Level) -> Condition:
    """Return everything a row must satisfy; the tenant is bound at `first`, where the search starts.

    The joins carry the tenant to the other levels.
    """
    alias = ALIASES[query.level]
    parts = [Condition(f"{ALIASES[first]}.tenant = ?", (tenant,))]
    if query.study_uid is not None:
        parts.append(Condition(f"{alias}.study_uid = ?", (query.study_uid,)))
    if query.series_uid is not None:
        parts.append(Condition(f"{alias}.series_uid = ?", (query.series_uid,)))
    parts += _matched(query.matches)
    if query.modalities_in_study:
        parts.append(_modalities(query.modalities_in_study))
    return _all(parts)
