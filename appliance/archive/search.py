"""Searches of the index: one query of model.matching in, rows out, of one tenant only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, cast

from appliance.archive.conditions import conditions
from appliance.archive.database import Database
from appliance.archive.moments import ALIASES, place
from appliance.model.attributes import ATTRIBUTES, NESTED, Attribute, Level
from appliance.model.matching import Query
from appliance.model.records import Value

Found = dict[str, Value]

_LEVELS: Final = (Level.STUDY, Level.SERIES, Level.INSTANCE)

_SERIES_HERE: Final = "e.tenant = s.tenant AND e.study_uid = s.study_uid"
_INSTANCE_HERE: Final = "i.tenant = e.tenant AND i.study_uid = e.study_uid AND i.series_uid = e.series_uid"

# CROSS JOIN fixes the order of the loops in SQLite, which has no statistics to choose one itself:
# from the study down when a study is asked for by its attributes, from the row up when by its UIDs.
_DOWN: Final[Mapping[Level, str]] = MappingProxyType({
    Level.STUDY: "study s",
    Level.SERIES: f"study s CROSS JOIN series e ON {_SERIES_HERE}",
    Level.INSTANCE: f"study s CROSS JOIN series e ON {_SERIES_HERE}"
    f" CROSS JOIN instance i ON {_INSTANCE_HERE}",
})  # fmt: skip
_UP: Final[Mapping[Level, str]] = MappingProxyType({
    Level.STUDY: "study s",
    Level.SERIES: f"series e CROSS JOIN study s ON {_SERIES_HERE}",
    Level.INSTANCE: f"instance i CROSS JOIN series e ON {_INSTANCE_HERE}"
    f" CROSS JOIN study s ON {_SERIES_HERE}",
})  # fmt: skip

# Single values of these are looked up.
_INDEXED: Final = ("PatientID", "AccessionNumber")

# Newest study first, absent dates last; then in reading order. The UIDs make the order total.
_ORDER: Final[Mapping[Level, str]] = MappingProxyType({
    Level.STUDY: "s.study_date DESC, s.study_time DESC, s.study_uid",
    Level.SERIES: "s.study_date DESC, s.study_time DESC, s.study_uid, e.series_number, e.series_uid",
    Level.INSTANCE: "s.study_date DESC, s.study_time DESC, s.study_uid, e.series_number, e.series_uid,"
    " i.instance_number, i.sop_uid",
})  # fmt: skip

# Within one study or series the order above it is settled: a shorter one lets the index serve it.
_ORDER_WITHIN: Final[Mapping[tuple[Level, str], str]] = MappingProxyType({
    (Level.SERIES, "study"): "e.series_number, e.series_uid",
    (Level.INSTANCE, "study"): "e.series_number, e.series_uid, i.instance_number, i.sop_uid",
    (Level.INSTANCE, "series"): "i.instance_number, i.sop_uid",
})  # fmt: skip

# Of several instances the slowest counts (PS3.4 C.4.1.1.3): one that is lost makes the whole unavailable, one whose
# bytes are at the centre makes it nearline.
_NOT_HELD: Final = "FROM version v WHERE v.tenant = s.tenant AND v.study_uid = s.study_uid AND v.blob_path IS NULL"
_AVAILABILITY: Final[Mapping[Level, str]] = MappingProxyType({
    level: f"CASE WHEN EXISTS (SELECT 1 {_NOT_HELD} AND v.standing = 'current' AND v.evicted_at IS NULL{own})"
    f" THEN 'UNAVAILABLE' WHEN EXISTS (SELECT 1 {_NOT_HELD} AND v.standing = 'current'{own})"
    " THEN 'NEARLINE' ELSE 'ONLINE' END"
    for level, own in (
        (Level.STUDY, ""),
        (Level.SERIES, " AND v.series_uid = e.series_uid"),
        (Level.INSTANCE, " AND v.sop_uid = i.sop_uid"),
    )
})  # fmt: skip

CHANGED: Final = """
SELECT study_uid, revision, series_count, instance_count, updated_at FROM study
WHERE tenant = ? AND revision > ? ORDER BY revision LIMIT ?
"""


def reaches(level: Level) -> tuple[Level, ...]:
    """Return the levels whose attributes a row of `level` has: its own and those above it."""
    return _LEVELS[: _LEVELS.index(level) + 1]


@cache
def reachable(level: Level) -> tuple[Attribute, ...]:
    """Return the stored attributes that a search at `level` can match and answer."""
    levels = reaches(level)
    return tuple(attribute for attribute in (*ATTRIBUTES, *NESTED) if attribute.level in levels and attribute.column)


def _order(query: Query) -> str:
    within = "series" if query.series_uid and query.study_uid else "study" if query.study_uid else ""
    return _ORDER_WITHIN.get((query.level, within), _ORDER[query.level])


def _columns(query: Query, attributes: Iterable[Attribute]) -> str:
    alias = ALIASES[query.level]
    chosen = {attribute.keyword: place(attribute) for attribute in attributes}
    named = [f'{column} AS "{keyword}"' for keyword, column in chosen.items()]
    available = f"{_AVAILABILITY[query.level]} AS InstanceAvailability"
    return ", ".join([*named, available, f"{alias}.received_at AS received_at", f"{alias}.updated_at AS updated_at"])


def _by_uid(query: Query) -> bool:
    own = any(match.kind == "uids" and match.attribute.level is query.level for match in query.matches)
    return own or query.study_uid is not None


def _must_look_at_every_study(query: Query) -> bool:
    """Say whether no index narrows a search for studies, so that the table is best read from end to end.

    Walking the index of dates instead, for its order, would jump to every row: ten times dearer.
    """
    if query.level is not Level.STUDY or _by_uid(query):
        return False
    kinds = {match.attribute.keyword: match.kind for match in query.matches if match.kind != "empty"}
    loose = any(match.loose for match in query.matches)
    if any(kinds.get(keyword) == "exact" for keyword in _INDEXED) and not loose:
        return False
    return bool(query.modalities_in_study or set(kinds) - {"StudyDate", "StudyTime"})


def statement(query: Query, tenant: str, columns: str, order: str = "") -> tuple[str, tuple[Value, ...]]:
    """Return the SELECT of one query and its bound values, without LIMIT."""
    upward = _by_uid(query)
    where = conditions(query, tenant, query.level if upward else Level.STUDY)
    tables = (_UP if upward else _DOWN)[query.level]
    if _must_look_at_every_study(query):
        tables += " NOT INDEXED"
    ordered = f" ORDER BY {order}" if order else ""
    return f"SELECT {columns} FROM {tables} WHERE {where.sql}{ordered}", where.values


class Search:
    """Reads of one tenant's index. Safe to share between threads."""

    def __init__(self, database: Database, tenant: str) -> None:
        """Search `database`; no row of another tenant than `tenant` is ever returned."""
        self._database = database
        self._tenant = tenant

    def find(self, query: Query, attributes: Iterable[Attribute] | None = None) -> list[Found]:
        """Return at most `query.limit` rows after `query.offset`, in a stable order.

        A row maps DICOM keywords to values (None: absent), of `attributes` or of all that the
        level has, plus InstanceAvailability, and `received_at` and `updated_at` (microseconds) of its own
        level. Raises ValueError for an attribute below the query's level.
        """
        self._check(query)
        chosen = reachable(query.level) if attributes is None else attributes
        sql, values = statement(query, self._tenant, _columns(query, chosen), _order(query))
        with self._database.read() as cx:
            rows = cx.execute(f"{sql} LIMIT ? OFFSET ?", (*values, query.limit, query.offset)).fetchall()
        return [dict(row) for row in rows]

    def count(self, query: Query) -> int:
        """Return how many rows `query` has without its limit and offset."""
        self._check(query)
        sql, values = statement(query, self._tenant, "count(*)")
        with self._database.read() as cx:
            return cast(int, cx.execute(sql, values).fetchone()[0])

    def changes(self, after: int, limit: int) -> list[Found]:
        """Return studies changed since revision `after`, the oldest change first, without patient data."""
        with self._database.read() as cx:
            rows = cx.execute(CHANGED, (self._tenant, after, limit)).fetchall()
        return [dict(row) for row in rows]

    def revision(self) -> int:
        """Return the box's current revision: the `after` of somebody who has seen everything."""
        with self._database.read() as cx:
            return cast(int, cx.execute("SELECT revision FROM box").fetchone()[0])

    def _check(self, query: Query) -> None:
        levels = reaches(query.level)
        for match in query.matches:
            if match.attribute.level not in levels or not match.attribute.column:
                raise ValueError(f"{match.attribute.keyword} cannot be matched at {query.level} level.")
