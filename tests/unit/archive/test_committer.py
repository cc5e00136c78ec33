"""Group commit: shared transactions, separate failures."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from appliance.archive.committer import Committer
from appliance.archive.database import Connection, Database
from appliance.errors import ArchiveError


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "index.db")
    with database.write() as cx:
        cx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT")
    return database


def numbers(database: Database) -> list[int]:
    with database.read() as cx:
        return [row[0] for row in cx.execute("SELECT n FROM t ORDER BY n").fetchall()]


def test_what_is_returned_is_committed(database: Database) -> None:
    committer = Committer(database)
    assert committer.run(lambda cx: cx.execute("INSERT INTO t VALUES (1) RETURNING n").fetchall()[0][0]) == 1
    assert numbers(database) == [1]


def test_it_says_since_when_a_commit_is_under_way(database: Database) -> None:
    committer, seen = Committer(database), list[float | None]()
    before = time.monotonic()
    committer.run(lambda cx: seen.append(committer.began()))
    with pytest.raises(ArchiveError):
        committer.run(_refuse)
    assert seen[0] is not None and before <= seen[0] <= time.monotonic()
    assert committer.began() is None


def _refuse(cx: Connection) -> None:
    raise ArchiveError("no")


def test_many_threads_share_transactions_and_a_failing_job_spoils_none_of_them(database: Database) -> None:
    committer = Committer(database)
    outcomes: dict[int, str] = {}
    gate = threading.Barrier(40)

    def insert(number: int) -> None:
        def job(cx: Connection) -> None:
            cx.execute("INSERT INTO t VALUES (?)", (number,))
            if number % 10 == 0:
                raise KeyError(number)

        gate.wait()
        try:
            committer.run(job)
            outcomes[number] = "done"
        except KeyError:
            outcomes[number] = "failed"

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {number for number, outcome in outcomes.items() if outcome == "failed"} == {0, 10, 20, 30}
    assert numbers(database) == [number for number in range(40) if number % 10]


def test_a_closed_committer_refuses(database: Database) -> None:
    committer = Committer(database)
    committer.close()
    with pytest.raises(ArchiveError):
        committer.run(lambda cx: None)


def test_threads_that_come_and_go_leave_no_connections_behind(database: Database) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        thread = threading.Thread(target=numbers, args=(database,))
        thread.start()
        thread.join(10)
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 10
