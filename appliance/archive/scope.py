"""Scope: which versions a study, a series or an instance UID means, as SQL that an index serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.archive.database import Connection, Row
from appliance.model.attributes import Level

COLUMNS: Final[Mapping[Level, str]] = MappingProxyType(
    {Level.STUDY: "study_uid", Level.SERIES: "series_uid", Level.INSTANCE: "sop_uid"}
)

# Of a version as `v`.
_CONDITIONS: Final[Mapping[Level, str]] = MappingProxyType({
    Level.STUDY: "v.tenant = :tenant AND v.study_uid = :uid",
    Level.SERIES: "v.tenant = :tenant AND v.study_uid IN (SELECT value FROM json_each(:studies))"
    " AND v.series_uid = :uid",
    Level.INSTANCE: "v.tenant = :tenant AND v.sop_uid = :uid",
})  # fmt: skip

# A series that is gone from the index has no other trace than its versions.
_STUDIES: Final = """
SELECT study_uid FROM series WHERE tenant = :tenant AND series_uid = :uid
UNION SELECT study_uid FROM version WHERE tenant = :tenant AND series_uid = :uid
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The versions of one study, series or instance; `studies` are those that a series lies or lay in."""

    level: Level
    uid: str
    tenant: str
    studies: tuple[str, ...] = ()

    @property
    def condition(self) -> str:
        """SQL that holds for its versions, named `v`."""
        return _CONDITIONS[self.level]

    @property
    def values(self) -> dict[str, str]:
        """What the condition's names stand for."""
        return {"tenant": self.tenant, "uid": self.uid, "studies": json.dumps(self.studies)}

    def holds(self, version: Row) -> bool:
        """Say whether a version row is one of them."""
        return bool(version[COLUMNS[self.level]] == self.uid)


def scope(cx: Connection, tenant: str, level: Level, uid: str) -> Scope:
    """Return the scope of a UID; of a series that may take a look at every version there is."""
    if level is not Level.SERIES:
        return Scope(level, uid, tenant)
    rows = cx.execute(_STUDIES, {"tenant": tenant, "uid": uid}).fetchall()
    return Scope(level, uid, tenant, tuple(row[0] for row in rows))


def find(cx: Connection, tenant: str, uid: str) -> Scope | None:
    """Return the scope of a UID whose level nobody has said; None when this box has never had anything of it."""
    for level in (Level.INSTANCE, Level.STUDY, Level.SERIES):
        found = scope(cx, tenant, level, uid)
        if cx.execute(f"SELECT 1 FROM version v WHERE {found.condition} LIMIT 1", found.values).fetchone() is not None:
            return found
    return None
