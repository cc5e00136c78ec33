"""Databases of the loader's tests: tables in memory, or in a file that outlives a process, guarded by revision."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from appliance.central.targets import Batch, Kind, ReceiptRow, RowFault
from appliance.model.records import Value

KEYS: Mapping[Kind, tuple[str, ...]] = {
    Kind.STATE: ("tenant_id", "study_uid", "series_uid"),
    Kind.IMAGE: ("tenant_id", "study_uid", "series_uid", "sop_uid"),
    Kind.LOG: ("trace_id",),
    Kind.STORAGE: ("trace_id",),
    Kind.ACCESS: ("request_id",),
    Kind.TRANSCODE: ("trace_id", "frame"),
}
REFUSED = RowFault("the table does not take this row")

Row = Mapping[str, Value]


def key_of(kind: Kind, row: Row) -> tuple[Value, ...]:
    """What a row is unique by."""
    return tuple(row[name] for name in KEYS[kind])


def revision_of(row: Row) -> int:
    """How new a row is among those of its key."""
    found = row.get("revision", 0)
    return found if isinstance(found, int) else 0


class MemoryTarget:
    """Tables in memory. `refuses` says which rows it will never take; `before` may raise, before anything is done."""

    def __init__(
        self,
        name: str = "memory",
        refuses: Callable[[Row], bool] = lambda _row: False,
        before: Callable[[Batch], None] = lambda _batch: None,
    ) -> None:
        """Begin empty."""
        self.name = name
        self.tables: dict[str, dict[tuple[Value, ...], Row]] = {}
        self.loads: Counter[str] = Counter()
        self.closed = 0
        self._refuses = refuses
        self._before = before

    def load(self, batch: Batch) -> Mapping[int, RowFault]:
        """See targets.Target."""
        assert batch.rows
        assert batch.first_offset <= batch.last_offset
        self._before(batch)
        self.loads[batch.topic] += len(batch.rows)
        table = self.tables.setdefault(batch.table, {})
        faults = {}
        for index, row in enumerate(batch.rows):
            if self._refuses(row):
                faults[index] = REFUSED
                continue
            key = key_of(batch.kind, row)
            if key not in table or revision_of(row) >= revision_of(table[key]):
                table[key] = row
        return faults

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class FileTarget:
    """Tables in one SQLite file, durable when `load` returns; every load is counted there, too."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path

    def load(self, batch: Batch) -> Mapping[int, RowFault]:
        """See targets.Target."""
        with closing(self._open()) as connection, connection:
            for row in batch.rows:
                key = json.dumps(key_of(batch.kind, row))
                connection.execute(
                    "INSERT INTO row VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET loads = loads + 1, "
                    "revision = max(revision, excluded.revision), "
                    "value = CASE WHEN excluded.revision >= revision THEN excluded.value ELSE value END",
                    (batch.table, key, revision_of(row), json.dumps(dict(row))),
                )
        return {}

    def rows(self) -> dict[tuple[str, ...], tuple[int, int]]:
        """Return (revision, how often it was loaded) by the key."""
        with closing(self._open()) as connection:
            found = connection.execute("SELECT key, revision, loads FROM row").fetchall()
        return {tuple(json.loads(key)): (revision, loads) for key, revision, loads in found}

    def close(self) -> None:
        """Nothing stays open."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS row (tab TEXT, key TEXT, revision INT, value TEXT, loads INT, "
            "PRIMARY KEY (tab, key))"
        )
        return connection


class MemoryReceipts:
    """Receipts in memory; a repeat counts once."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        """Begin empty."""
        self.rows: dict[tuple[Any, ...], ReceiptRow] = {}
        self._before = before

    def write(self, rows: Sequence[ReceiptRow]) -> None:
        """See targets.ReceiptBook."""
        self._before()
        for row in rows:
            self.rows[row.site, row.tenant, row.series_uid, row.sop_uid, row.digest] = row

    def close(self) -> None:
        """Nothing is open."""
