"""Rows into a table by one statement, and round those that the database will never take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from appliance.central.postgres_faults import Blame, blame, describe
from appliance.central.targets import RowFault

UNIQUE: Final = "23505"

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row as one JSON object, and its place in the batch."""

    number: int
    text: str


def numbered(number: int, value: Mapping[str, Any]) -> Numbered:
    """Write a row; control and wide characters are escaped, so that any text is valid on the line."""
    return Numbered(number, json.dumps(value, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Writer:
    """A statement that takes a JSON array of rows, and one that looks whether their values fit and writes nothing.

    `own_key` names the constraint whose violation means that the row is there already. `column_of`
    finds the column that a single row's value does not fit, "" where there is none.
    """

    table: str
    statement: str
    check: str
    own_key: str = ""
    column_of: Callable[[Connection, Numbered], str] = lambda connection, row: ""

    def write(self, connection: Connection, rows: Sequence[Numbered]) -> tuple[list[Any], dict[int, RowFault]]:
        """Write the rows within the caller's transaction; return what the statement returned, and the rows at fault.

        `rows` are in the order of their keys. All are tried at once. Where that fails, the faulty ones
        are looked for by halving, and the others written by one more statement: no part is kept on the
        way, for each would hold locks until the end. Raises psycopg.Error for errors that are no row's fault.
        """
        faults: dict[int, RowFault] = {}
        for search in (self.check, self.statement):
            tried = _attempt(connection, self.statement, rows, keep=True)
            if not isinstance(tried, psycopg.Error):
                return tried, faults
            found = _sift(connection, search, rows)
            faults |= {
                row.number: self._fault(connection, row, error) for row, error in found if not self._known(error)
            }
            bad = {row.number for row, _ in found}
            rows = [row for row in rows if row.number not in bad]
        return _returned(connection.execute(self.statement.encode(), (array(rows),))), faults

    def _fault(self, connection: Connection, row: Numbered, error: psycopg.Error) -> RowFault:
        return RowFault(describe(error, self.table, self.column_of(connection, row)))

    def _known(self, error: psycopg.Error) -> bool:
        return error.sqlstate == UNIQUE and error.diag.constraint_name == self.own_key


def array(part: Sequence[Numbered]) -> str:
    """Return the rows as one JSON array."""
    return f"[{','.join(row.text for row in part)}]"


def faulty(connection: Connection, statement: str, row: Numbered) -> bool:
    """Say whether the statement fails by this row's fault; nothing stays written."""
    return isinstance(_attempt(connection, statement, [row], keep=False), psycopg.Error)


def _sift(connection: Connection, statement: str, rows: Sequence[Numbered]) -> list[tuple[Numbered, psycopg.Error]]:
    """Return the rows that the statement fails with, each with its error; nothing stays written."""
    found = []
    parts = [rows]
    while parts:
        part = parts.pop()
        tried = _attempt(connection, statement, part, keep=False) if part else []
        if not isinstance(tried, psycopg.Error):
            continue
        if len(part) == 1:
            found.append((part[0], tried))
        else:
            middle = len(part) // 2
            parts += [part[middle:], part[:middle]]
    return found


def _attempt(
    connection: Connection, statement: str, part: Sequence[Numbered], *, keep: bool
) -> list[Any] | psycopg.Error:
    """Run the statement; return its rows, or the error that is a row's fault. Undone unless it is to be kept."""
    connection.execute("SAVEPOINT part")
    tried: list[Any] | psycopg.Error
    try:
        tried = _returned(connection.execute(statement.encode(), (array(part),)))
    except psycopg.Error as error:
        if blame(error) is not Blame.ROW:
            raise
        tried = error
    if not keep or isinstance(tried, psycopg.Error):
        connection.execute("ROLLBACK TO SAVEPOINT part")
    connection.execute("RELEASE SAVEPOINT part")
    return tried


def _returned(cursor: psycopg.Cursor[Any]) -> list[Any]:
    return cursor.fetchall() if cursor.description else []
