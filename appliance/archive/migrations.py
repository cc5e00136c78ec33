"""The schema's history. One process migrates; every room only checks the version (invariant 12).

A new migration appends a function here and edits schema/schema.sql; a test holds the two together.
`COMPATIBLE_FROM` is the oldest code's schema version that may still open the migrated database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.archive.database import Connection, Database, connect, frozen, translated
from appliance.clock import Clock
from appliance.errors import ConfigurationError, SchemaMismatch
from appliance.model.names import fold

# Loaded by whoever migrates, or asks what is pending; a room does neither.
if TYPE_CHECKING:
    from sqlite_utils import Database as UtilsDatabase
    from sqlite_utils.migrations import Migrations

SCHEMA_VERSION = 5
COMPATIBLE_FROM = 5


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What a database file says of itself, and the steps it still lacks."""

    version: int
    compatible_from: int
    tenant: str
    pending: tuple[str, ...]


def migrate(path: Path, *, tenant: str, clock: Clock) -> tuple[str, ...]:
    """Create or upgrade the database at `path`; return the names of the steps applied.

    Each step is one transaction, so a crash leaves either the old schema or the new one.
    Safe to repeat. Raises ConfigurationError when the box already belongs to another tenant.
    """
    from sqlite_utils import Database as UtilsDatabase

    with translated():
        cx = connect(path)
        try:
            database = UtilsDatabase(cx)
            steps = _steps()
            names = tuple(step.name for step in steps.pending(database))
            steps.apply(database)
            _mark(database, tenant, clock.now())
        finally:
            cx.close()
    _check_tenant(state(path), tenant)
    return names


def state(path: Path) -> SchemaState:
    """Read the schema's version, and what is pending. Raises SchemaMismatch when there is no database yet."""
    from sqlite_utils import Database as UtilsDatabase

    with _opened(path) as cx:
        return _found(cx, tuple(step.name for step in _steps().pending(UtilsDatabase(cx))))


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    if not path.is_file():
        raise SchemaMismatch("there is no database yet", hint="run: appliance init")
    with translated():
        cx = connect(path)
        try:
            yield cx
        finally:
            cx.close()


def _found(cx: Connection, pending: tuple[str, ...]) -> SchemaState:
    if not cx.execute("SELECT 1 FROM sqlite_master WHERE name = 'box'").fetchone():
        return SchemaState(0, 0, "", pending)
    row = cx.execute("SELECT schema_version, compatible_from, tenant FROM box").fetchone()
    return SchemaState(row[0], row[1], row[2], pending) if row else SchemaState(0, 0, "", pending)


def frozen_state(path: Path) -> tuple[int, int]:
    """Return version and `compatible_from` of a copy that nobody writes to. Raises ArchiveError."""
    with frozen(path) as cx:
        row = cx.execute("SELECT schema_version, compatible_from FROM box").fetchone()
    return int(row[0]), int(row[1])


def check(database: Database, *, tenant: str) -> None:
    """Refuse a database this code cannot serve, politely. Raises SchemaMismatch, ConfigurationError."""
    with _opened(database.path) as cx:
        found = _found(cx, ())
    if found.version < SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the database has schema {found.version}, this version needs {SCHEMA_VERSION}",
            hint="run: appliance db migrate",
        )
    if found.compatible_from > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the database has schema {found.version}, made by a newer version of the appliance",
            hint="install that version again, or restore the backup made before the upgrade",
        )
    _check_tenant(found, tenant)


def _check_tenant(found: SchemaState, tenant: str) -> None:
    if found.tenant != tenant:
        raise ConfigurationError(
            f"this box belongs to tenant {found.tenant!r}, the configuration says {tenant!r}",
            hint="correct site.tenant, or use another home directory for another tenant",
        )


def _mark(database: UtilsDatabase, tenant: str, now: int) -> None:
    with database.atomic():
        database.execute(
            "INSERT INTO box (id, tenant, revision, schema_version, compatible_from, created_at)"
            " VALUES (1, ?, 0, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET schema_version = max(schema_version, excluded.schema_version),"
            " compatible_from = max(compatible_from, excluded.compatible_from)",
            [tenant, SCHEMA_VERSION, COMPATIBLE_FROM, now],
        )


def _steps() -> Migrations:
    from sqlite_utils.migrations import Migrations

    steps = Migrations("appliance")
    for name, function in STEPS:
        steps(name=name)(function)
    return steps


def _statements(name: str) -> list[str]:
    text = resources.files("appliance.archive").joinpath("schema", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]


def _fold(text: str | None) -> str | None:
    """Fold as the index does; for statements that fill a new column from old rows."""
    return fold(text) if text else None


def _from_file(name: str) -> Callable[[UtilsDatabase], None]:
    def step(database: UtilsDatabase) -> None:
        database.register_function(_fold, name="fold", deterministic=True)
        for statement in _statements(name):
            database.execute(statement)

    return step


STEPS: tuple[tuple[str, Callable[[UtilsDatabase], None]], ...] = (
    ("0001_first", _from_file("0001.sql")),
    ("0002_routes", _from_file("0002.sql")),
    ("0003_filling", _from_file("0003.sql")),
    ("0004_reading", _from_file("0004.sql")),
    ("0005_custody", _from_file("0005.sql")),
)
