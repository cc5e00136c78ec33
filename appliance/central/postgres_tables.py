"""The tables of PostgreSQL: their columns after the cloud's records, and the statements that fill them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from appliance.central.targets import Kind
from appliance.model import cloud_fields
from appliance.model.cloud_fields import Field
from appliance.model.cloud_fields import Kind as FieldKind
from appliance.model.records import Value

REVISION: Final = "revision"

_TYPES: Final[Mapping[FieldKind, str]] = MappingProxyType({
    FieldKind.IDENTIFIER: "varchar({})",
    FieldKind.TEXT: "varchar({})",
    FieldKind.DATE: "date",
    FieldKind.COMPACT_DATE: "varchar(8)",
    FieldKind.TIME: "time",
    FieldKind.MOMENT: "timestamp",
    FieldKind.I32: "integer",
    FieldKind.I64: "bigint",
    FieldKind.U16: "integer",
    FieldKind.U64: "numeric(20)",
    FieldKind.F64: "double precision",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the field of the record it is filled from."""

    name: str
    type: str
    required: bool
    field: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its key. With a revision the highest one of a key stays, else what came first: it cannot change."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def guarded(self) -> bool:
        """Whether rows are replaced by those of a higher revision."""
        return any(column.name == REVISION for column in self.columns)


def _column(field: Field, names: Mapping[str, str]) -> Column:
    name = names.get(field.name, field.name)
    return Column(name, _TYPES[field.kind].format(field.limit), field.default is not None, field.name)


def _table(name: str, key: str, fields: Iterable[Field], **names: str) -> Table:
    return Table(name, tuple(key.split()), tuple(_column(field, names) for field in fields))


STATE: Final = _table("dicom_state_meta", "tenant_id study_uid series_uid", cloud_fields.STATE_FIELDS)
IMAGE: Final = _table("dicom_image_meta", "tenant_id study_uid series_uid sop_uid", cloud_fields.IMAGE_FIELDS)
OBJECT: Final = _table("dicom_object_meta", "tenant_id trace_id", cloud_fields.STORE_FIELDS)
ACCESS: Final = _table("dicom_access_log", "tenant_id log_id", cloud_fields.ACCESS_FIELDS, request_id="log_id")
TRANSCODE: Final = _table("dicom_transcode_log", "tenant_id trace_id frame fault", cloud_fields.TRANSCODE_FIELDS)

TABLES: Final[Mapping[Kind, Table]] = MappingProxyType({
    Kind.STATE: STATE,
    Kind.IMAGE: IMAGE,
    Kind.LOG: OBJECT,
    Kind.STORAGE: OBJECT,
    Kind.ACCESS: ACCESS,
    Kind.TRANSCODE: TRANSCODE,
})  # fmt: skip

# A series is stale once an object of it is new; what is known already (a replay) makes nothing stale.
MARK_STALE: Final = """
INSERT INTO dicom_json_meta AS t
  (tenant_id, study_uid, series_uid, study_uid_hash, series_uid_hash, study_date_origin, flag_time, created_time)
SELECT tenant_id, study_uid, series_uid, min(study_uid_hash), min(series_uid_hash), min(study_date_origin),
  max(flag_time), min(flag_time)
FROM json_to_recordset(%s::json) AS r (tenant_id varchar COLLATE "C", study_uid varchar COLLATE "C",
  series_uid varchar COLLATE "C", study_uid_hash varchar, series_uid_hash varchar, study_date_origin varchar,
  flag_time timestamp)
GROUP BY tenant_id, study_uid, series_uid
ORDER BY tenant_id, study_uid, series_uid
ON CONFLICT (tenant_id, study_uid, series_uid)
DO UPDATE SET json_status = 0, retry_times = 0, flag_time = greatest(t.flag_time, excluded.flag_time)
"""
FRESH: Final = (
    "RETURNING tenant_id, study_uid, series_uid, study_uid_hash, series_uid_hash, "
    "to_char(study_date, 'YYYYMMDD') AS study_date_origin, created_time::text AS flag_time"
)

RECEIPT_KEY: Final = "site, tenant_id, level, series_uid, sop_uid, digest, transfer_syntax_uid"
RECEIPT_COLUMNS: Final = (
    'site varchar(64) COLLATE "C", tenant_id varchar(64) COLLATE "C", level varchar(24) COLLATE "C", '
    'study_uid varchar(64), series_uid varchar(64) COLLATE "C", sop_uid varchar(64) COLLATE "C", '
    'digest varchar(64) COLLATE "C", transfer_syntax_uid varchar(64) COLLATE "C", revision bigint, at bigint'
)
CHECK_RECEIPTS: Final = f"SELECT count(*) FROM json_to_recordset(%s::json) AS r ({RECEIPT_COLUMNS})"
INSERT_RECEIPTS: Final = f"""
INSERT INTO edge_receipt AS t
  (seq, site, tenant_id, level, study_uid, series_uid, sop_uid, digest, transfer_syntax_uid, revision, at)
SELECT nextval('edge_receipt_seq'), r.* FROM (
  SELECT DISTINCT ON ({RECEIPT_KEY})
    site, tenant_id, level, study_uid, series_uid, sop_uid, digest, transfer_syntax_uid, revision, at
  FROM json_to_recordset(%s::json) AS r ({RECEIPT_COLUMNS})
  ORDER BY {RECEIPT_KEY}, revision DESC
) AS r
ON CONFLICT ({RECEIPT_KEY})
DO UPDATE SET seq = excluded.seq, revision = excluded.revision, at = excluded.at
WHERE excluded.revision > t.revision
"""
READ_RECEIPTS: Final = """
SELECT seq, site, tenant_id, level, study_uid, series_uid, sop_uid, digest, transfer_syntax_uid, revision, at
FROM edge_receipt WHERE seq > %s ORDER BY seq LIMIT %s
"""


def upsert(table: Table) -> str:
    """Return the statement that takes rows as one JSON array, which `document` makes of records.

    Each key is touched once, in an order that all loaders share: they wait for each other, never in a circle.
    """
    names = [_quoted(column.name) for column in table.columns]
    key = ", ".join(table.key)
    latest = f", {REVISION} DESC, n DESC" if table.guarded else ", n"
    return (
        f"INSERT INTO {table.name} AS t ({', '.join(names)}) "
        f"SELECT DISTINCT ON ({key}) {', '.join(names)} "
        f"FROM json_to_recordset(%s::json) AS r ({_definitions(table.columns, table.key)}, n integer) "
        f"ORDER BY {key}{latest} ON CONFLICT ({key}) {_resolution(table)}"
    )


def check(columns: Sequence[Column]) -> str:
    """Return the statement that fails as an upsert does if a value does not fit its column; it writes nothing."""
    return f"SELECT count(*) FROM json_to_recordset(%s::json) AS r ({_definitions(columns)})"


def document(table: Table, row: Mapping[str, Value], number: int) -> dict[str, Value]:
    """Return a record as the table's columns, with its number in the batch."""
    values = {column.name: row.get(column.field) for column in table.columns}
    if table.guarded and values[REVISION] is None:
        values[REVISION] = 0
    return {**values, "n": number}


def key_of(table: Table, row: Mapping[str, Value]) -> tuple[Any, ...]:
    """Return a record's key, which sorts as the statements do (collation C is the order of code points)."""
    fields = {column.name: column.field for column in table.columns}
    return tuple(row[fields[name]] for name in table.key)


def lacking(table: Table, row: Mapping[str, Value]) -> str:
    """Return the first column that needs a value and has none in the record; "" if there is none."""
    needed = (column for column in table.columns if column.required and column.name != REVISION)
    return next((column.name for column in needed if row.get(column.field) is None), "")


def _definitions(columns: Sequence[Column], sorted_by: Sequence[str] = ()) -> str:
    return ", ".join(
        f"{_quoted(column.name)} {column.type}"
        + (' COLLATE "C"' if column.name in sorted_by and column.type.startswith("varchar") else "")
        for column in columns
    )


def _resolution(table: Table) -> str:
    if not table.guarded:
        return "DO NOTHING"
    others = [_quoted(column.name) for column in table.columns if column.name not in table.key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f"DO UPDATE SET {changes} WHERE excluded.{REVISION} >= t.{REVISION}"


def _quoted(name: str) -> str:
    return f'"{name}"'
