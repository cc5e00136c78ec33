"""Rows and a database for the tests that write into PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.central.postgres_link import PostgresSettings
from appliance.central.tables import FIELDS
from appliance.central.targets import Batch, Kind, ReceiptRow
from appliance.model.cloud_fields import Kind as Written
from appliance.model.records import Value
from tests.partners.postgres import ADMINISTRATOR, Postgres

# A patient to look for where none belongs.
NAME = "Müllerová^Žofie"
TENANT = "clinic"
VALUES: dict[Written, Value] = {
    Written.IDENTIFIER: "1.2.3",
    Written.TEXT: "ž",
    Written.DATE: "2024-01-31",
    Written.COMPACT_DATE: "20240131",
    Written.TIME: "10:11:12.5",
    Written.MOMENT: "2024-01-31T10:11:12.500000",
    Written.I32: -(2**31),
    Written.I64: 2**63 - 1,
    Written.U16: 2**16 - 1,
    Written.U64: 2**64 - 1,
    Written.F64: 0.1,
}


@dataclass(frozen=True)
class Database:
    """One database of a running server, with the appliance's tables in it."""

    server: Postgres
    name: str
    settings: PostgresSettings

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self.server.rows(self.name, query)

    def execute(self, *statements: str) -> None:
        """Do something as the administrator."""
        with self.server.connect(self.name) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def as_role(self, role: str, folder: Path) -> PostgresSettings:
        """Settings by which another role logs in, with its own name as the password."""
        file = folder / f"{role}.password"
        file.write_text(role)
        return replace(self.settings, user=role, password_file=file)


def settings_of(server: Postgres, database: str) -> PostgresSettings:
    """How the administrator reaches a database; impatient."""
    return PostgresSettings(
        "127.0.0.1", server.port, database, ADMINISTRATOR, server.password_file,
        tls="prefer", connect_timeout=2, statement_timeout=5.0, lock_timeout=3.0,
    )  # fmt: skip


def record(kind: Kind, **values: Value) -> dict[str, Value]:
    """A record with a value in every field."""
    return {field.name: VALUES[field.kind] for field in FIELDS[kind]} | {"tenant_id": TENANT, **_digest(kind), **values}


def _digest(kind: Kind) -> dict[str, Value]:
    return {"digest": "ab" * 32} if kind is Kind.IMAGE else {}


def state(series: int, revision: int, **values: Value) -> dict[str, Value]:
    """The state record of one series; its description says its revision."""
    named: dict[str, Value] = {"patient_name": NAME, "patient_sex": "F", "series_description": f"revision {revision}"}
    return record(Kind.STATE, study_uid="1.2", series_uid=f"1.2.{series}", revision=revision, **(named | values))


def image(number: int, revision: int = 1, **values: Value) -> dict[str, Value]:
    """The record of one image."""
    return record(Kind.IMAGE, sop_uid=f"1.2.3.{number}", revision=revision, **values)


def stored(number: int, series: int = 1, **values: Value) -> dict[str, Value]:
    """The record of one object at the receiver."""
    trace = f"00000000-0000-5000-8000-{number:012}"
    return record(Kind.STORAGE, trace_id=trace, sop_uid=f"1.2.3.{number}", series_uid=f"1.2.{series}", **values)


def batch(kind: Kind, rows: Sequence[Mapping[str, Value]], first: int = 0) -> Batch:
    """A batch of one partition."""
    return Batch(f"{kind}_queue", 0, first, first + len(rows) - 1, kind, rows, "")


def receipt(series: int, revision: int = 1, *, sop: str = "", site: str = "clinic-7") -> ReceiptRow:
    """A receipt for a series' state, or for one image of it."""
    digest, syntax = ("ab" * 32, "1.2.840.10008.1.2.1") if sop else ("", "")
    return ReceiptRow(site, TENANT, "1.2", f"1.2.{series}", sop, digest, syntax, revision, 1_700_000_000_000_000)
