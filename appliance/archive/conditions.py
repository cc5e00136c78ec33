"""The WHERE clause of a search: what model.matching asks, as SQL text with bound values only.

Every text that comes from a query is bound; table aliases and column names come from the
attribute table. The meaning is that of model.matching.matches (a test holds them together).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from appliance.archive.moments import (
    ALIASES,
    MOMENTS,
    ZONED,
    Condition,
    all_of,
    moment,
    place,
    plain_range,
    zoned,
)
from appliance.model.attributes import Affinity, Attribute, Level
from appliance.model.matching import SEPARATORS, Match, Query, Zones, is_spaced
from appliance.model.records import Value


def glob_pattern(pattern: str) -> str:
    """Return a DICOM wildcard pattern as a GLOB pattern: "*" and "?" mean the same, "[" is only itself."""
    return pattern.replace("[", "[[]")


def _bindable(attribute: Attribute, text: str) -> Value:
    if attribute.affinity is Affinity.INTEGER:
        return int(text)
    return float(text) if attribute.affinity is Affinity.REAL else text


def _folded_place(attribute: Attribute) -> str:
    return f"{ALIASES[attribute.level]}.{attribute.search_column}"


def _name(match: Match) -> Condition:
    column = _folded_place(match.attribute)
    if match.kind == "exact":
        return Condition(f"instr({column}, ?) > 0", (f"={match.values[0]}=",))
    return Condition(f"{column} GLOB ?", (f"*={glob_pattern(match.values[0])}=*",))


def _words(match: Match) -> Condition:
    """Each word after a separator, or anywhere in a script without spaces."""
    column = _folded_place(match.attribute)
    parts = []
    for word in match.values:
        # A pattern is dear and instr is cheap: most rows never get to the pattern.
        parts.append(Condition(f"instr({column}, ?) > 0", (word,)))
        if is_spaced(word):
            # The minus stands last among the separators, where GLOB takes it for itself.
            parts.append(Condition(f"{column} GLOB ?", (f"*[{SEPARATORS}]{glob_pattern(word)}*",)))
    return all_of(parts)


def _loose(match: Match) -> Condition:
    column, (text,) = _folded_place(match.attribute), match.values
    if match.kind == "exact":
        return Condition(f"{column} = ?", (text,))
    return Condition(f"{column} GLOB ?", (glob_pattern(text),))


def _nested(match: Match) -> Condition:
    """Any of the values that the items of a sequence have; they are joined by backslashes."""
    joined = f"'\\' || {place(match.attribute)} || '\\'"
    if match.kind == "exact":
        return Condition(f"instr({joined}, ?) > 0", (f"\\{match.values[0]}\\",))
    return Condition(f"{joined} GLOB ?", (f"*\\{glob_pattern(match.values[0])}\\*",))


def _exact(match: Match) -> Condition:
    return Condition(f"{place(match.attribute)} = ?", (_bindable(match.attribute, match.values[0]),))


def _wildcard(match: Match) -> Condition:
    return Condition(f"{place(match.attribute)} GLOB ?", (glob_pattern(match.values[0]),))


def _uids(match: Match) -> Condition:
    marks = ", ".join("?" * len(match.values))
    return Condition(f"{place(match.attribute)} IN ({marks})", match.values)


_BY_KIND: Final[Mapping[str, Callable[[Match], Condition]]] = MappingProxyType(
    {"exact": _exact, "wildcard": _wildcard, "range": plain_range, "uids": _uids}
)


def _one(match: Match) -> Condition:
    if match.kind == "words":
        return _words(match)
    if match.attribute.vr == "PN":
        return _name(match)
    if match.attribute.parent:
        return _nested(match)
    return _loose(match) if match.loose else _BY_KIND[match.kind](match)


def _matched(matches: Sequence[Match], zones: Zones | None) -> Iterator[Condition]:
    ranges = {match.attribute.keyword: match for match in map(_ranged(zones), matches) if match.kind == "range"}
    times = {time: date for date, time in MOMENTS.items() if date in ranges and time in ranges}
    for match in map(_ranged(zones), matches):
        keyword = match.attribute.keyword
        if match.kind == "empty" or keyword in times:
            continue
        time = ranges.get(MOMENTS.get(keyword, ""))
        if match.kind == "range" and zones is not None and keyword in ZONED:
            yield zoned(match, time, zones)
        elif match.kind == "range" and time is not None:
            yield moment(match, time)
        else:
            yield _one(match)


def _ranged(zones: Zones | None) -> Callable[[Match], Match]:
    """Return what makes one day a range of moments, which it is only where zones count."""

    def widened(match: Match) -> Match:
        day = zones is not None and match.kind == "exact" and match.attribute.keyword in ZONED
        return Match(match.attribute, "range", match.values * 2) if day else match

    return widened


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
    parts += _matched(query.matches, query.zones)
    if query.modalities_in_study:
        parts.append(_modalities(query.modalities_in_study))
    return all_of(parts)
