"""The outbox is rebuilt around its rows: each delivery stays as it was in every state, and no id is used twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database as UtilsDatabase
from sqlite_utils.migrations import Migrations

from appliance.archive import database, migrations
from appliance.archive.database import Connection
from tests.clocks import FakeClock

STATES = ("pending", "leased", "delivered", "dead", "buried")
KINDS = ("state", "image", "object")
SINKS = ("centre", "second")
REBUILDING = "CREATE TABLE event_wider"
ROWS = 600
LAST_EVENT = 5_000
MANY = 200_000
MOST_SECONDS = 120.0

ADD_SINK = """
INSERT INTO sink (name, active, breaker, reason, since, delivered, registered_at) VALUES (?, 1, 'closed', '', 0, 0, 0)
"""
ADD_EVENT = """
INSERT INTO event (id, tenant, kind, study_uid, series_uid, sop_uid, version_id, message_key, payload, revision,
  trace_id, traceparent, created_at)
VALUES (?1, 'default', ?2, '1.2', '1.2.' || (?1 / 100), ?3, NULL, 'key' || ?1, ?4, ?1, 't', '', ?1)
"""
ADD_DELIVERY = """
INSERT INTO delivery (sink, event_id, series_key, state, attempts, not_before, lease_token, lease_until, reason,
  created_at, updated_at, rank, proof_due)
VALUES (?1, ?2, '1.2/3', ?3, ?2 % 7, ?2 % 3, ?4, ?5, ?6, 1, 2, ?2 % 11, ?7)
"""
ADD_ACCESS = """
INSERT INTO event (tenant, kind, study_uid, series_uid, message_key, revision, trace_id, traceparent, created_at)
VALUES ('default', 'access', '', 'r', 'r', 0, 'r', '', 0) RETURNING id
"""


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Connection]:
    """A database as it was before the outbox took accesses, opened as every room opens it."""
    cx = database.connect(tmp_path / "index.db")
    steps = Migrations("appliance")
    for name, step in migrations.STEPS:
        if any(REBUILDING in statement for statement in migrations._statements(f"{name.partition('_')[0]}.sql")):
            break
        steps(name=name)(step)
    steps.apply(UtilsDatabase(cx))
    for sink in SINKS:
        cx.execute(ADD_SINK, (sink,))
    yield cx
    cx.close()


def fill(cx: Connection, rows: int) -> None:
    """Add events of every kind, and for each sink a delivery; every state is there."""
    numbers = range(1, rows + 1)
    cx.execute("BEGIN")
    cx.executemany(ADD_EVENT, (_event(number) for number in numbers))
    for shift, sink in enumerate(SINKS):
        cx.executemany(ADD_DELIVERY, (_delivery(sink, number, STATES[(number + shift) % 5]) for number in numbers))
    cx.execute("COMMIT")


def _event(number: int) -> tuple[Any, ...]:
    kind = KINDS[number % 3]
    return number, kind, None if kind == "state" else f"1.3.{number}", None if kind == "object" else "{}"


def _delivery(sink: str, number: int, state: str) -> tuple[Any, ...]:
    leased = ("token", number) if state == "leased" else (None, None)
    return (sink, number, state, *leased, "refused" if state == "dead" else None, number if number % 4 == 0 else None)


def rows(cx: Connection, table: str, order: str) -> list[dict[str, Any]]:
    return [dict(row) for row in cx.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()]


def migrated(old: Connection, path: Path) -> Connection:
    """Bring the database up to date, and look at it through a fresh connection."""
    old.close()
    assert migrations.migrate(path, tenant="default", clock=FakeClock())
    cx = database.connect(path)
    assert cx.execute("PRAGMA foreign_key_check").fetchall() == []
    assert cx.execute("PRAGMA integrity_check").fetchall()[0][0] == "ok"
    return cx


def test_every_row_stays_as_it_was_in_every_state(old: Connection, tmp_path: Path) -> None:
    fill(old, ROWS)
    before = rows(old, "event", "id"), rows(old, "delivery", "sink, event_id")
    assert {(row["sink"], row["state"]) for row in before[1]} == {(sink, state) for sink in SINKS for state in STATES}
    cx = migrated(old, tmp_path / "index.db")
    assert (rows(cx, "event", "id"), rows(cx, "delivery", "sink, event_id")) == before
    with pytest.raises(Exception, match="FOREIGN KEY"):
        cx.execute("INSERT INTO delivery SELECT sink, 999999, series_key, state, attempts, not_before, lease_token,"
                   " lease_until, reason, created_at, updated_at, rank, proof_due FROM delivery LIMIT 1")  # fmt: skip
    with pytest.raises(Exception, match="FOREIGN KEY"):
        cx.execute("DELETE FROM event WHERE id = 1")
    cx.close()


@pytest.mark.parametrize("left", [0, 7])
def test_the_id_of_an_event_that_is_gone_is_not_used_again(old: Connection, tmp_path: Path, left: int) -> None:
    fill(old, LAST_EVENT)
    old.execute("DELETE FROM delivery WHERE event_id > ?", (left,))
    old.execute("DELETE FROM event WHERE id > ?", (left,))
    cx = migrated(old, tmp_path / "index.db")
    assert cx.execute(ADD_ACCESS).fetchall()[0][0] == LAST_EVENT + 1
    cx.close()


def test_a_box_that_never_sent_anything_begins_with_the_first_event(old: Connection, tmp_path: Path) -> None:
    cx = migrated(old, tmp_path / "index.db")
    assert cx.execute(ADD_ACCESS).fetchall()[0][0] == 1
    cx.close()


@pytest.mark.full
def test_a_long_backlog_is_carried_over_in_seconds(old: Connection, tmp_path: Path) -> None:
    fill(old, MANY)
    started = time.monotonic()
    cx = migrated(old, tmp_path / "index.db")
    took = time.monotonic() - started
    print(f"{MANY} events and {2 * MANY} deliveries: {took:.1f} s")
    assert cx.execute("SELECT count(*) FROM delivery").fetchall()[0][0] == 2 * MANY
    assert took < MOST_SECONDS
    cx.close()
