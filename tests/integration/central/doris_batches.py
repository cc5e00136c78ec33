"""Rows, batches and targets for the tests of the Doris target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.central.doris import DorisTarget
from appliance.central.doris_load import DorisOptions
from appliance.central.doris_schema import Form, doris_ddl
from appliance.central.tables import FIELDS, TABLES
from appliance.central.targets import Batch, Kind
from appliance.model.cloud_fields import Kind as Written
from appliance.model.records import Value
from tests.partners.doris.double import Doris

DATABASE = "edge"
PASSWORD = "a:secret/word"
# A patient to look for where none belongs.
NAME = "Müllerová^Žofie"

VALUES: dict[Written, Value] = {
    Written.IDENTIFIER: "1.2.3",
    Written.TEXT: "text",
    Written.DATE: "2024-01-31",
    Written.COMPACT_DATE: "20240131",
    Written.TIME: "10:11:12.500000",
    Written.MOMENT: "2024-01-31T10:11:12.500000",
    Written.I32: -(2**31),
    Written.I64: 2**63 - 1,
    Written.U16: 2**16 - 1,
    Written.U64: 2**64 - 1,
    Written.F64: 0.1,
}


@dataclass(frozen=True)
class Layout:
    """One installation."""

    database: str = DATABASE
    buckets: int = 4
    replication: int = 1


def ddl(form: Form = "ours") -> str:
    """The shipped SQL."""
    return doris_ddl(Layout(), form)


def row(kind: Kind = Kind.IMAGE, **values: Value) -> Mapping[str, Value]:
    """A row with a value in every field."""
    found = {field.name: VALUES[field.kind] for field in FIELDS[kind]}
    if kind is Kind.STATE:
        found |= {"patient_sex": "F", "patient_name": NAME}
    return found | values


def image(number: int, revision: int = 1, **values: Value) -> Mapping[str, Value]:
    """The row of one image."""
    return row(Kind.IMAGE, **{"sop_uid": f"1.2.{number}", "revision": revision, "patient_id": "PAT7", **values})


def batch(rows: Sequence[Mapping[str, Value]], kind: Kind = Kind.IMAGE, first: int = 0) -> Batch:
    """The rows as one batch of a topic."""
    return Batch(f"{kind}.topic", 3, first, first + len(rows) - 1, kind, rows, TABLES[kind])


def options(doris: Doris, folder: Path, **changes: object) -> DorisOptions:
    """How to reach a double; waits are short."""
    password = folder / "password"
    if not password.exists():
        password.write_text(f"{PASSWORD}\n")
    usual: dict[str, object] = {
        "url": doris.url, "database": DATABASE, "user": "loader", "password_file": password, "label_wait": 2.0,
        "connect_timeout": 2.0, "load_timeout": 5.0, "cluster": "test",
    }  # fmt: skip
    return DorisOptions(**{**usual, **changes})  # type: ignore[arg-type]


def target(doris: Doris, folder: Path, **changes: object) -> DorisTarget:
    """A target for a double."""
    return DorisTarget(options(doris, folder, **changes))
