"""The index rows of one object: versions, instances, series and studies. All inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from appliance.archive.database import Connection, Row
from appliance.model.attributes import Level, columns, folded_attributes
from appliance.model.cloud_stand_ins import cloud_patient_id, cloud_study_date
from appliance.model.names import fold, name_search
from appliance.model.records import Header, Origin, Value


@dataclass(frozen=True, slots=True)
class Blob:
    """A data set's place: `path` below the archive root, where it starts, how long it is (bytes)."""

    path: str
    offset: int
    length: int

    @property
    def file_size(self) -> int:
        """Bytes in the file, group 2 included."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Content:
    """One content of one SOP instance: header, identity and whereabouts."""

    header: Header
    transfer_syntax_uid: str
    digest: str
    trace_id: str
    blob: Blob
    origin: Origin


def next_revision(cx: Connection, now: int) -> int:
    """Return the box's next revision: always larger, and past any lost with an older backup.

    It follows the clock in microseconds, so that a database restored from yesterday does not
    hand out numbers again that the centre has already seen.
    """
    row = cx.execute("UPDATE box SET revision = max(revision + 1, ?) RETURNING revision", (now,)).fetchall()
    return int(row[0][0])


def find_version(cx: Connection, tenant: str, sop_uid: str, digest: str, syntax: str) -> Row | None:
    """Return the version row with exactly this content, if the box has ever accepted it."""
    found: Row | None = cx.execute(
        "SELECT * FROM version WHERE tenant = ? AND sop_uid = ? AND digest = ? AND transfer_syntax_uid = ?",
        (tenant, sop_uid, digest, syntax),
    ).fetchone()
    return found


def current_version(cx: Connection, tenant: str, sop_uid: str) -> Row | None:
    """Return the current version row of a SOP instance, if there is one."""
    found: Row | None = cx.execute(
        "SELECT * FROM version WHERE tenant = ? AND sop_uid = ? AND standing = 'current'", (tenant, sop_uid)
    ).fetchone()
    return found


def deleted_version(cx: Connection, tenant: str, sop_uid: str) -> Row | None:
    """Return the version of a SOP instance that was deleted last, if one was."""
    found: Row | None = cx.execute(
        "SELECT * FROM version INDEXED BY version_deleted WHERE tenant = ? AND sop_uid = ? AND deleted_at IS NOT NULL"
        " ORDER BY deleted_at DESC, id DESC LIMIT 1",
        (tenant, sop_uid),
    ).fetchone()
    return found


def insert_version(cx: Connection, tenant: str, content: Content, standing: str, now: int) -> int:
    """Add one content; return its version id."""
    header, blob, origin = content.header, content.blob, content.origin
    rows = cx.execute(
        "INSERT INTO version (tenant, study_uid, series_uid, sop_uid, sop_class_uid, transfer_syntax_uid,"
        " digest, trace_id, standing, blob_kind, blob_path, blob_offset, blob_length, blob_generation,"
        " file_size, door, source_ae, source_address, assumed_charset, received_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'file', ?, ?, ?, 1, ?, ?, ?, ?, ?, ?) RETURNING id",
        (tenant, header.study_uid, header.series_uid, header.sop_uid, header.sop_class_uid,
         content.transfer_syntax_uid, content.digest, content.trace_id, standing,
         blob.path, blob.offset, blob.length, blob.file_size,
         origin.door.value, origin.ae_title, origin.address, origin.assumed_charset, now),
    ).fetchall()  # fmt: skip
    return int(rows[0][0])


def move_blob(cx: Connection, version_id: int, blob: Blob) -> None:
    """Point a version at a new file of the same content, after the old one was evicted or lost."""
    cx.execute(
        "UPDATE version SET blob_kind = 'file', blob_path = ?, blob_offset = ?, blob_length = ?,"
        " file_size = ?, evicted_at = NULL, blob_generation = blob_generation + 1 WHERE id = ?",
        (blob.path, blob.offset, blob.length, blob.file_size, version_id),
    )


def make_current(
    cx: Connection, tenant: str, version_id: int, header: Header, now: int, timezone: str, syntax: str
) -> tuple[int, tuple[str, str] | None]:
    """Make a version the one that searches and viewers see; return the revision of the change.

    The second value is the (study, series) that the instance has left, if it has left one.

    The version row must already stand as 'current', alone. Study, series and instance rows and
    their counts follow; a study or series that a corrected object has left empty disappears.
    """
    revision = next_revision(cx, now)
    old = cx.execute(
        "SELECT study_uid, series_uid FROM instance WHERE tenant = ? AND sop_uid = ?",
        (tenant, header.sop_uid),
    ).fetchone()
    series = (tenant, header.study_uid, header.series_uid)
    known = cx.execute(
        "SELECT modality FROM series WHERE tenant = ? AND study_uid = ? AND series_uid = ?", series
    ).fetchone()
    _upsert(cx, Level.STUDY, _study_row(tenant, header, now, revision, timezone))
    _upsert(cx, Level.SERIES, _series_row(tenant, header, now, revision))
    _upsert(cx, Level.INSTANCE, _instance_row(tenant, header, now, version_id, syntax))
    if old is None and known is not None and header.series.get("modality") in (known[0], None):
        _count_one_more(cx, series)
    else:
        recount(cx, *series)
    if old is None or (old[0], old[1]) == series[1:]:
        return revision, None
    recount(cx, tenant, old[0], old[1])
    cx.execute(
        "UPDATE series SET revision = ?, updated_at = ? WHERE tenant = ? AND study_uid = ? AND series_uid = ?",
        (revision, now, tenant, old[0], old[1]),
    )
    return revision, (old[0], old[1])


def _count_one_more(cx: Connection, series: tuple[str, str, str]) -> None:
    """Keep the counts in constant time where a series only grows, which is nearly always."""
    cx.execute(
        "UPDATE series SET instance_count = instance_count + 1 WHERE tenant = ? AND study_uid = ? AND series_uid = ?",
        series,
    )
    cx.execute("UPDATE study SET instance_count = instance_count + 1 WHERE tenant = ? AND study_uid = ?", series[:2])


def recount(cx: Connection, tenant: str, study_uid: str, series_uid: str) -> None:
    """Set the counts of one series and its study from their rows; remove what has become empty."""
    series = (tenant, study_uid, series_uid)
    study = (tenant, study_uid)
    cx.execute(
        "UPDATE series SET instance_count = (SELECT count(*) FROM instance i WHERE i.tenant = series.tenant"
        " AND i.study_uid = series.study_uid AND i.series_uid = series.series_uid)"
        " WHERE tenant = ? AND study_uid = ? AND series_uid = ?",
        series,
    )
    cx.execute(
        "DELETE FROM series WHERE tenant = ? AND study_uid = ? AND series_uid = ? AND instance_count = 0",
        series,
    )
    cx.execute(
        "UPDATE study SET series_count = s.n, instance_count = s.i, modalities = s.m FROM"
        " (SELECT count(*) AS n, coalesce(sum(instance_count), 0) AS i,"
        "  coalesce((SELECT group_concat(modality, '\\') FROM (SELECT DISTINCT modality FROM series"
        "   WHERE tenant = ?1 AND study_uid = ?2 AND modality <> '' ORDER BY modality)), '') AS m"
        "  FROM series WHERE tenant = ?1 AND study_uid = ?2) AS s"
        " WHERE study.tenant = ?1 AND study.study_uid = ?2",
        study,
    )
    cx.execute("DELETE FROM study WHERE tenant = ? AND study_uid = ? AND series_count = 0", study)


KEYS: Mapping[Level, tuple[str, ...]] = {
    Level.STUDY: ("tenant", "study_uid"),
    Level.SERIES: ("tenant", "study_uid", "series_uid"),
    Level.INSTANCE: ("tenant", "sop_uid"),
}
FIXED = frozenset({"received_at", "cloud_patient_id", "cloud_study_date", "modalities", "series_count"})
COUNTS = frozenset({"instance_count"})


def _study_row(tenant: str, header: Header, now: int, revision: int, timezone: str) -> dict[str, Value]:
    row: dict[str, Value] = {"tenant": tenant, "study_uid": header.study_uid}
    row |= {name: header.study.get(name) for name in columns(Level.STUDY)}
    row |= _folded(Level.STUDY, header.study)
    values = {**header.instance, **header.series, **header.study}
    row["cloud_patient_id"] = cloud_patient_id(row["patient_id"], header.study_uid)
    row["cloud_study_date"] = cloud_study_date(values, now, timezone)
    row |= {"modalities": "", "series_count": 0, "instance_count": 0}
    return row | {"received_at": now, "updated_at": now, "revision": revision}


def _series_row(tenant: str, header: Header, now: int, revision: int) -> dict[str, Value]:
    row: dict[str, Value] = {"tenant": tenant, "study_uid": header.study_uid, "series_uid": header.series_uid}
    row |= {name: header.series.get(name) for name in columns(Level.SERIES)}
    row |= _folded(Level.SERIES, header.series)
    return row | {"instance_count": 0, "received_at": now, "updated_at": now, "revision": revision}


def _instance_row(tenant: str, header: Header, now: int, version_id: int, syntax: str) -> dict[str, Value]:
    row: dict[str, Value] = {"tenant": tenant, "study_uid": header.study_uid, "series_uid": header.series_uid}
    row |= {"sop_uid": header.sop_uid, "sop_class_uid": header.sop_class_uid}
    row |= {"version_id": version_id, "transfer_syntax_uid": syntax}
    row |= {name: header.instance.get(name) for name in columns(Level.INSTANCE)}
    return row | {"received_at": now, "updated_at": now}


def _folded(level: Level, values: Mapping[str, Value]) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for attribute in folded_attributes(level):
        value = values.get(attribute.column)
        folded = name_search if attribute.vr == "PN" else fold
        row[attribute.search_column] = folded(str(value)) if value else None
    return row


def _upsert(cx: Connection, level: Level, row: Mapping[str, Value]) -> None:
    cx.execute(_upsert_sql(level, tuple(row)), tuple(row.values()))


@cache
def _upsert_sql(level: Level, names: tuple[str, ...]) -> str:
    """An instance's row is replaced; a study's or series' known value is never erased by an absent one."""
    keys = KEYS[level]
    changes = []
    for name in names:
        if name in keys or name in FIXED or name in COUNTS:
            continue
        own = name in columns(level) or name in {attribute.search_column for attribute in folded_attributes(level)}
        kept = level is not Level.INSTANCE and own
        changes.append(f"{name} = coalesce(excluded.{name}, {name})" if kept else f"{name} = excluded.{name}")
    marks = ", ".join("?" * len(names))
    return (
        f"INSERT INTO {level.value} ({', '.join(names)}) VALUES ({marks})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changes)}"
    )
