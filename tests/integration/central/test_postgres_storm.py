"""Loaders that go on while PostgreSQL is killed and restarted again and again."""

from __future__ import annotations

import random
import threading

import pytest

from appliance.central.postgres import PostgresTarget
from appliance.central.receipts_writer import PostgresReceipts, PostgresReceiptSource
from appliance.central.targets import Kind, Unavailable
from appliance.model.records import Value
from tests.integration.central.postgres_database import Database, batch, receipt, state
from tests.waiting import wait_until

SERIES, BATCHES, ROWS, LOADERS, TROUBLES = 300, 60, 100, 3, 12
BAD: dict[str, Value] = {"study_id": "x" * 17}


class Loading(threading.Thread):
    """One loader: each batch until it is stored, then its receipts."""

    def __init__(self, database: Database, seed: int) -> None:
        super().__init__(daemon=True)
        chance = random.Random(seed)
        self._database = database
        self.said = [
            [(chance.randrange(SERIES), chance.randrange(1, 1000)) for _ in range(ROWS)] for _ in range(BATCHES)
        ]
        self.bad = [chance.randrange(ROWS) for _ in range(BATCHES)]
        self.missed = 0
        self.wrong: list[object] = []
        self.done = 0

    def run(self) -> None:
        target, book = PostgresTarget(self._database.settings), PostgresReceipts(self._database.settings)
        for said, bad in zip(self.said, self.bad, strict=True):
            rows = [state(n, revision, **(BAD if at == bad else {})) for at, (n, revision) in enumerate(said)]
            good = [receipt(n, revision) for at, (n, revision) in enumerate(said) if at != bad]
            while not self._loaded(target, book, rows, good, bad):
                self.missed += 1
            self.done += 1
        target.close()
        book.close()

    def _loaded(
        self, target: PostgresTarget, book: PostgresReceipts, rows: list[dict[str, Value]], good: list, bad: int
    ) -> bool:
        try:
            faults = target.load(batch(Kind.STATE, rows))
            if set(faults) != {bad}:
                self.wrong.append(faults)
            book.write(good)
        except Unavailable:
            return False
        return True


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_server_suffers_the_tables_end_at_what_was_said(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    loaders = [Loading(database, seed * 100 + n) for n in range(LOADERS)]
    for loader in loaders:
        loader.start()
    total = LOADERS * BATCHES
    for trouble in range(TROUBLES):
        due = total * (trouble + 1) // (TROUBLES + 2)
        wait_until(lambda due=due: sum(loader.done for loader in loaders) >= due, 60)  # type: ignore[misc]
        if chance.random() < 0.7:
            database.server.kill()
            database.server.restart()
        else:
            database.server.restart()
    for loader in loaders:
        loader.join(90)
        assert loader.done == BATCHES and not loader.wrong
    assert sum(loader.missed for loader in loaders)
    highest: dict[str, int] = {}
    for loader in loaders:
        for said, bad in zip(loader.said, loader.bad, strict=True):
            for at, (n, revision) in enumerate(said):
                if at != bad:
                    highest[f"1.2.{n}"] = max(revision, highest.get(f"1.2.{n}", 0))
    found = database.rows("SELECT series_uid, revision, series_description FROM dicom_state_meta")
    assert {row[0]: row[1] for row in found} == highest
    assert all(row[2] == f"revision {row[1]}" for row in found)
    source = PostgresReceiptSource(database.settings)
    assert {row.series_uid: row.revision for _, row in source.after(0, 10_000)} == highest
    source.close()
