"""Rows and labels: every commit is a line of one file, synced before anybody is told of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.partners.doris.ddl import Table

LABEL_SECONDS = 12 * 3600.0
RUNNING, COMMITTED, FINISHED = "RUNNING", "COMMITTED", "FINISHED"

Row = dict[str, Any]


@dataclass
class Transaction:
    """One load. It lives on when its client is gone."""

    number: int
    database: str
    label: str
    table: str
    state: str = RUNNING
    at: float = 0.0
    rows: list[Row] = field(default_factory=list)


class Storage:
    """The tables of one cluster. Safe to use from many threads."""

    def __init__(self, folder: Path, tables: Sequence[Table], clock: Callable[[], float]) -> None:
        """Read what was committed before: all of it is visible, and no transaction runs any more."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tables = {(table.database, table.name): table for table in tables}
        self.lock = threading.RLock()
        self._clock = clock
        self._path = folder / "commits.jsonl"
        self._rows: dict[tuple[str, str], dict[Any, Row]] = {place: {} for place in self.tables}
        self._labels: dict[tuple[str, str], Transaction] = {}
        self._next = 1
        self._recover()

    def begin(self, database: str, label: str, table: str) -> Transaction | None:
        """Begin a transaction; None when its label is taken."""
        with self.lock:
            if self.holder(database, label) is not None:
                return None
            found = Transaction(self._next, database, label, table)
            self._next += 1
            self._labels[database, label] = found
            return found

    def holder(self, database: str, label: str) -> Transaction | None:
        """The transaction that holds a label now; a finished one lets go of it after LABEL_SECONDS."""
        with self.lock:
            found = self._labels.get((database, label))
            if found is not None and found.state == FINISHED and self._clock() - found.at > LABEL_SECONDS:
                del self._labels[database, label]
                return None
            return found

    def abort(self, transaction: Transaction) -> None:
        """Undo; the label is free again."""
        with self.lock:
            self._labels.pop((transaction.database, transaction.label), None)

    def commit(self, transaction: Transaction, rows: Sequence[Row], *, visible: bool = True) -> None:
        """Keep the rows for good. Without `visible`, publish() shows them later."""
        with self.lock:
            transaction.rows, transaction.state, transaction.at = list(rows), COMMITTED, self._clock()
            facts = {
                name: getattr(transaction, name) for name in ("number", "database", "label", "table", "at", "rows")
            }
            with self._path.open("ab") as file:
                file.write(json.dumps(facts, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if visible:
                self.publish(transaction)

    def publish(self, transaction: Transaction) -> None:
        """Show committed rows."""
        with self.lock:
            place = transaction.database, transaction.table
            merge(self.tables[place], self._rows[place], transaction.rows)
            transaction.state, transaction.rows = FINISHED, []

    def rows(self, database: str, table: str) -> list[Row]:
        """The rows that a query would give now."""
        with self.lock:
            return [dict(row) for row in self._rows[database, table].values()]

    def truncate(self) -> None:
        """Empty every table and forget every label."""
        with self.lock:
            self._path.unlink(missing_ok=True)
            self._labels.clear()
            for rows in self._rows.values():
                rows.clear()

    def _recover(self) -> None:
        lines = self._path.read_bytes().split(b"\n") if self._path.exists() else [b""]
        if lines[-1]:
            # Torn by a kill in the middle of the write: nobody was told of it.
            self._path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
        for line in lines[:-1]:
            transaction = Transaction(**json.loads(line), state=COMMITTED)
            self._labels[transaction.database, transaction.label] = transaction
            self._next = transaction.number + 1
            self.publish(transaction)


def merge(table: Table, kept: dict[Any, Row], rows: Sequence[Row]) -> None:
    """Let a load's rows into a table by its key model.

    Within one load Doris promises no order among rows of one key (and one sequence value): the first wins
    here, because a naive writer expects the last.
    """
    if table.model == "DUPLICATE":
        for row in rows:
            kept[len(kept)] = row
        return
    newest: dict[Any, Row] = {}
    for row in rows:
        key = tuple(row[name] for name in table.keys)
        if key not in newest or _sequence(table, row) > _sequence(table, newest[key]):
            newest[key] = row
    for key, row in newest.items():
        if key not in kept or _sequence(table, row) >= _sequence(table, kept[key]):
            kept[key] = row


def _sequence(table: Table, row: Mapping[str, Any]) -> tuple[bool, Any]:
    value = row[table.sequence] if table.sequence else 0
    return (value is not None, value if value is not None else 0)
