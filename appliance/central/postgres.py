"""Records into PostgreSQL: one transaction per batch, never an older revision over a newer one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from appliance.central.postgres_faults import translate
from appliance.central.postgres_link import PostgresLink, PostgresSettings
from appliance.central.postgres_rows import Numbered, Writer, faulty, numbered
from appliance.central.postgres_schema import VERSION
from appliance.central.postgres_tables import (
    FRESH,
    MARK_STALE,
    OBJECT,
    TABLES,
    Table,
    check,
    document,
    key_of,
    lacking,
    upsert,
)
from appliance.central.targets import Batch, RowFault

MISSING: Final = "PostgreSQL 23502 NotNullViolation: a value is missing (column {} of {})"


class PostgresTarget:
    """The database of states, and of the other records where no Doris is used.

    A batch is durable and visible all at once, when `load` returns. The objects that are new mark their
    series as stale in dicom_json_meta, in the same transaction.
    """

    name = "postgres"

    def __init__(self, settings: PostgresSettings) -> None:
        """Take how the database is reached; nothing is opened yet."""
        self._link = PostgresLink(settings, VERSION, translate)

    def load(self, batch: Batch) -> Mapping[int, RowFault]:
        """Store the rows (see targets.Target).

        Raises Unavailable, Misdirected, and a plain DeliveryError where some row must be at fault and none is named.
        """
        table = TABLES[batch.kind]
        rows, faults = _sorted(table, batch)
        if not rows:
            return faults
        with self._link.transaction() as connection:
            fresh, refused = writer(table).write(connection, rows)
            faults |= refused
            if fresh:
                connection.execute(MARK_STALE, (_stale(fresh),))
        return faults

    def close(self) -> None:
        """Let go of the connection. Safe to repeat."""
        self._link.close()


def writer(table: Table) -> Writer:
    """Return what writes rows into a table."""
    statement = f"{upsert(table)} {FRESH}" if table is OBJECT else upsert(table)

    def column_of(connection: psycopg.Connection[Any], row: Numbered) -> str:
        return _column_of(connection, table, row)

    return Writer(table.name, statement, check(table.columns), f"{table.name}_pkey", column_of)


def _sorted(table: Table, batch: Batch) -> tuple[list[Numbered], dict[int, RowFault]]:
    faults: dict[int, RowFault] = {}
    keyed = []
    for number, row in enumerate(batch.rows):
        if column := lacking(table, row):
            faults[number] = RowFault(MISSING.format(column, table.name))
        else:
            keyed.append((key_of(table, row), numbered(number, document(table, row, number))))
    keyed.sort(key=lambda pair: pair[0])
    return [row for _, row in keyed], faults


def _stale(fresh: list[Any]) -> str:
    names = ("tenant_id", "study_uid", "series_uid", "study_uid_hash", "series_uid_hash", "study_date_origin")
    return json.dumps([dict(zip((*names, "flag_time"), row, strict=True)) for row in fresh])


def _column_of(connection: psycopg.Connection[Any], table: Table, row: Numbered) -> str:
    """Ask the database for each value alone: it names no column when a value does not fit."""
    values = json.loads(row.text)
    for column in table.columns:
        alone = numbered(row.number, {column.name: values[column.name]})
        if faulty(connection, check([column]), alone):
            return column.name
    return ""
