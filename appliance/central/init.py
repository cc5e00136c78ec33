"""Setting up the centre: topics, the tables of PostgreSQL, the SQL for Doris. Safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from appliance.central import postgres_schema
from appliance.central.doris_schema import Layout, doris_ddl, routine_load_sql
from appliance.central.postgres_link import PostgresSettings
from appliance.central.steps import Action, Step
from appliance.central.targets import Misdirected

POSTGRES: Final = "postgres"
DORIS: Final = "doris"
DORIS_FILES: Final = ("tables.sql", "tables_upstream.sql", "routine_load.sql")


def prepare_postgres(settings: PostgresSettings, roles: Sequence[str], *, dry_run: bool) -> list[Step]:
    """Bring the tables up to date and give roles their rights, unless it is a dry run; return the steps.

    Raises Unavailable, Misdirected.
    """
    standing = postgres_schema.examine(settings)
    if standing.version > postgres_schema.VERSION:
        raise Misdirected(
            f"the database's tables are of version {standing.version}, this program knows {postgres_schema.VERSION}",
            hint="install the program that made them, or a later one",
        )
    steps = _schema_steps(standing)
    steps += [Step(POSTGRES, role, Action.GRANT, "read and write, no right to delete") for role in roles]
    if not dry_run:
        postgres_schema.migrate(settings)
        postgres_schema.grant(settings, roles)
    return steps


def _schema_steps(standing: postgres_schema.Standing) -> list[Step]:
    due = [step.version for step in postgres_schema.migrations() if step.version > standing.version]
    action = Action.KEEP if not due else Action.EXTEND if standing.version else Action.CREATE
    detail = f"version {postgres_schema.VERSION}"
    return [Step(POSTGRES, "tables", action, detail, "; ".join(standing.warnings))]


def doris_sql(layout: Layout, brokers: Sequence[str], topics: Mapping[str, str]) -> dict[str, str]:
    """Return the SQL for Doris by file name: our tables, those of dicom-server-rs, and the jobs that read topics.

    Raises ConfigurationError for a name that has no place in SQL.
    """
    texts = (doris_ddl(layout, "ours"), doris_ddl(layout, "upstream"), routine_load_sql(layout, brokers, topics))
    return dict(zip(DORIS_FILES, texts, strict=True))


def write_doris(files: Mapping[str, str], folder: Path, *, dry_run: bool) -> list[Step]:
    """Write the files into a directory, unless it is a dry run; return the steps. Raises OSError."""
    steps = []
    for name, text in files.items():
        path = folder / name
        same = path.is_file() and path.read_text(encoding="utf-8") == text
        steps.append(Step(DORIS, str(path), Action.KEEP if same else Action.WRITE))
        if not same and not dry_run:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return steps
