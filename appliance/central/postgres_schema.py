"""The schema in PostgreSQL: numbered files, applied in order and once; it only ever goes forward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import sql

from appliance.central.postgres_link import PostgresLink, PostgresSettings
from appliance.central.targets import Misdirected

VERSION: Final = 1
# Any number that nothing else in the database uses: two who migrate at once wait for each other.
MIGRATING: Final = 0x45444745_0001
LEDGER: Final = """
CREATE TABLE IF NOT EXISTS edge_schema (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
"""
READ: Final = ("edge_schema", "edge_receipt")
WRITTEN: Final = (
    "dicom_state_meta",
    "dicom_image_meta",
    "dicom_object_meta",
    "dicom_json_meta",
    "dicom_access_log",
    "dicom_transcode_log",
    "edge_receipt",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found: the version before, and what the server's settings mean for what is promised."""

    version: int
    warnings: tuple[str, ...]


def migrations() -> tuple[Migration, ...]:
    """Return all steps in their order."""
    folder = files("appliance.central").joinpath("schema", "postgres")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(Migration(int(name.removesuffix(".sql")), folder.joinpath(name).read_text("utf-8")) for name in names)


def examine(settings: PostgresSettings) -> Standing:
    """Look at the database and change nothing. Raises Unavailable, Misdirected."""
    with _linked(settings) as connection:
        return Standing(_version(connection), tuple(_warnings(connection)))


def migrate(settings: PostgresSettings) -> list[int]:
    """Bring the schema up to VERSION, all of it or nothing; return the versions applied. Safe to repeat.

    Raises Misdirected where the database is of a later version, or the user may not create tables.
    """
    with _linked(settings) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
        found = _version(connection)
        if found > VERSION:
            raise Misdirected(
                f"the database's tables are of version {found}, this program knows {VERSION}",
                hint="install the program that made them, or a later one",
            )
        due = [step for step in migrations() if step.version > found]
        if due:
            connection.execute(LEDGER)
        for step in due:
            connection.execute(step.text.encode())
            connection.execute("INSERT INTO edge_schema (version) VALUES (%s)", (step.version,))
        return [step.version for step in due]


def grants(role: str) -> list[str]:
    """Return the statements that give a role what receiver and loader need, and nothing else."""
    return [statement.as_string() for statement in _grants(role)]


def grant(settings: PostgresSettings, roles: Sequence[str]) -> None:
    """Give roles what receiver and loader need. Safe to repeat. Raises Unavailable, Misdirected."""
    with _linked(settings) as connection:
        for role in roles:
            for statement in _grants(role):
                connection.execute(statement)


def _grants(role: str) -> Iterator[sql.Composed]:
    to = sql.Identifier(role)
    read, written = (sql.SQL(", ").join(map(sql.Identifier, tables)) for tables in (READ, WRITTEN))
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(read, to)
    yield sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(written, to)
    yield sql.SQL("GRANT USAGE ON SEQUENCE edge_receipt_seq TO {}").format(to)


class _linked:
    """A transaction of a connection of its own, that is closed at the end."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._link = PostgresLink(settings, None)
        self._transaction = self._link.transaction()

    def __enter__(self) -> psycopg.Connection[Any]:
        return self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            self._transaction.__exit__(*error)
        finally:
            self._link.close()


def _version(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT to_regclass('edge_schema') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM edge_schema").fetchone()
    return 0 if row is None else int(row[0])


def _warnings(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for name, wanted, why in (
        ("server_encoding", "UTF8", "names in other scripts will be refused"),
        ("fsync", "on", "what is confirmed may be lost with the power"),
        ("full_page_writes", "on", "what is confirmed may be lost with the power"),
    ):
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        if row is not None and row[0] != wanted:
            yield f"{name} is {row[0]}, not {wanted}: {why}"
