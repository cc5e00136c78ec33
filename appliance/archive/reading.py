"""Reading: which series are here, and where the bytes of current instances lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.archive.database import Database, Row

SELECTED = """
SELECT v.id, i.study_uid, i.series_uid, i.sop_uid, i.sop_class_uid, v.transfer_syntax_uid, v.digest,
  v.blob_path, v.blob_offset, v.blob_length, v.file_size, v.assumed_charset, v.evicted_at
FROM instance i JOIN version v ON v.id = i.version_id
WHERE i.tenant = :tenant AND i.study_uid = :study_uid
  AND (:series_uid = '' OR i.series_uid = :series_uid) AND (:sop_uid = '' OR i.sop_uid = :sop_uid)
ORDER BY i.series_uid, i.instance_number, i.sop_uid
"""

ABSENT = """
SELECT count(*) FILTER (WHERE evicted_at IS NOT NULL), count(*) FILTER (WHERE evicted_at IS NULL)
FROM version WHERE tenant = ? AND study_uid = ? AND standing = 'current' AND blob_path IS NULL
"""

SERIES = """
SELECT study_uid, series_uid, revision, updated_at, instance_count FROM series
WHERE tenant = :tenant AND study_uid = :study_uid AND (:series_uid = '' OR series_uid = :series_uid)
ORDER BY series_uid
"""


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """One series as it stands: `revision` grows with every change, `updated_at` is microseconds."""

    tenant: str
    study_uid: str
    series_uid: str
    revision: int
    updated_at: int
    instances: int


@dataclass(frozen=True, slots=True)
class Absent:
    """How many current instances of a study have no bytes on this box: at the centre, or lost."""

    evicted: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One current instance. The whole file is bytes [0, file_size) of `path`, the data set starts at `offset`.

    `held` is false when only the index row is here and the bytes are not. They are then at the centre where
    `evicted`, and lost otherwise.
    """

    version_id: int
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    digest: str
    path: Path
    offset: int
    length: int
    file_size: int
    assumed_charset: str
    held: bool
    evicted: bool = False


class Reading:
    """Finds stored instances of one tenant."""

    def __init__(self, database: Database, tenant: str, root: Path) -> None:
        """Take the database, the tenant and the archive root."""
        self._database = database
        self._tenant = tenant
        self._root = root

    def instances(self, study_uid: str, series_uid: str = "", sop_uid: str = "") -> list[StoredInstance]:
        """Return the current instances, by series and instance number; an empty list if there are none."""
        values = {
            "tenant": self._tenant,
            "study_uid": study_uid,
            "series_uid": series_uid,
            "sop_uid": sop_uid,
        }
        with self._database.read() as cx:
            rows = cx.execute(SELECTED, values).fetchall()
        return [self._instance(row) for row in rows]

    def series(self, study_uid: str, series_uid: str = "") -> list[StoredSeries]:
        """Return the series of a study, or one of them, in the order of `instances`."""
        values = {"tenant": self._tenant, "study_uid": study_uid, "series_uid": series_uid}
        with self._database.read() as cx:
            rows = cx.execute(SERIES, values).fetchall()
        return [StoredSeries(self._tenant, *row) for row in rows]

    def absent(self, study_uid: str) -> Absent:
        """Return how many instances of a study are not held here."""
        with self._database.read() as cx:
            return Absent(*cx.execute(ABSENT, (self._tenant, study_uid)).fetchone())

    def _instance(self, row: Row) -> StoredInstance:
        return StoredInstance(
            version_id=row["id"],
            study_uid=row["study_uid"],
            series_uid=row["series_uid"],
            sop_uid=row["sop_uid"],
            sop_class_uid=row["sop_class_uid"],
            transfer_syntax_uid=row["transfer_syntax_uid"],
            digest=row["digest"],
            path=self._root / (row["blob_path"] or ""),
            offset=row["blob_offset"],
            length=row["blob_length"],
            file_size=row["file_size"],
            assumed_charset=row["assumed_charset"] or "",
            held=row["blob_path"] is not None,
            evicted=row["blob_path"] is None and row["evicted_at"] is not None,
        )
