"""Receipts in a real PostgreSQL: whoever reads on by their numbers misses none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.central.receipts_writer import PostgresReceipts, PostgresReceiptSource
from appliance.central.targets import Unavailable
from tests.integration.central.postgres_database import Database, receipt
from tests.waiting import wait_until


@pytest.fixture
def book(database: Database) -> Iterator[PostgresReceipts]:
    """The book of the test's own database."""
    found = PostgresReceipts(database.settings)
    yield found
    found.close()


@pytest.fixture
def source(database: Database) -> Iterator[PostgresReceiptSource]:
    """Whoever reads them."""
    found = PostgresReceiptSource(database.settings)
    yield found
    found.close()


def test_receipts_are_read_as_they_were_written(book: PostgresReceipts, source: PostgresReceiptSource) -> None:
    rows = [receipt(1, 5), receipt(1, 5, sop="1.2.1.1"), receipt(2, 6, site="clinic-8")]
    book.write(rows)
    found = source.after(0, 10)
    assert {row for _, row in found} == set(rows)
    numbers = [seq for seq, _ in found]
    assert numbers == sorted(set(numbers))
    assert source.after(numbers[0], 1) == found[1:2]
    assert not source.after(numbers[-1], 10)


def test_a_replay_changes_nothing_and_a_newer_revision_is_told_again(
    book: PostgresReceipts, source: PostgresReceiptSource
) -> None:
    book.write([receipt(1, 5), receipt(2, 5), receipt(1, 4)])
    before = source.after(0, 10)
    assert [row.revision for _, row in before] == [5, 5]
    book.write([receipt(1, 5), receipt(2, 3)])
    assert source.after(0, 10) == before
    book.write([receipt(1, 9)])
    (told,) = source.after(before[-1][0], 10)
    assert told[1] == receipt(1, 9) and len(source.after(0, 10)) == 2


def test_a_receipt_that_cannot_be_kept_stops_no_other(book: PostgresReceipts, source: PostgresReceiptSource) -> None:
    book.write([receipt(1), replace(receipt(2), digest="x" * 65), receipt(3)])
    assert [row.series_uid for _, row in source.after(0, 10)] == ["1.2.1", "1.2.3"]


def test_a_reader_between_many_writers_misses_nothing(database: Database) -> None:
    writers, each = 4, 30
    seen: list[int] = []
    done = threading.Event()

    def write(number: int) -> None:
        book = PostgresReceipts(database.settings)
        for at in range(each):
            book.write([receipt(number * 1000 + at * 2), receipt(number * 1000 + at * 2 + 1)])
        book.close()

    def read() -> None:
        source, after = PostgresReceiptSource(database.settings), 0
        while True:
            last = done.is_set()
            page = source.after(after, 7)
            seen.extend(seq for seq, _ in page)
            after = page[-1][0] if page else after
            if last and not page:
                break
        source.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    reader = threading.Thread(target=read)
    for thread in (*threads, reader):
        thread.start()
    for thread in threads:
        thread.join(60)
    done.set()
    reader.join(60)
    kept = [row[0] for row in database.rows("SELECT seq FROM edge_receipt ORDER BY seq")]
    assert len(kept) == writers * each * 2
    assert seen == kept


def test_a_writer_waits_for_the_one_before_it(
    database: Database, book: PostgresReceipts, source: PostgresReceiptSource
) -> None:
    """The case that a plain sequence loses: the lower number is committed last."""
    slow = PostgresReceipts(database.settings)
    with database.server.connect(database.name) as other:
        other.execute("BEGIN")
        # The slow one holds the order and cannot commit: a trigger waits for the lock of `other`.
        database.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON edge_receipt DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW WHEN (new.series_uid = '1.2.1') EXECUTE FUNCTION dawdle()",
        )
        other.execute("SELECT pg_advisory_xact_lock(77)")
        first = threading.Thread(target=slow.write, args=([receipt(1)],))
        first.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: database.rows(waits)[0][0] == 1)
        second = threading.Thread(target=book.write, args=([receipt(2)],))
        second.start()
        wait_until(lambda: database.rows(waits)[0][0] == 2)
        assert not source.after(0, 10)
    first.join(20)
    second.join(20)
    assert [row.series_uid for _, row in source.after(0, 10)] == ["1.2.1", "1.2.2"]
    slow.close()


def test_nobody_to_write_to_is_waited_for(database: Database) -> None:
    nowhere = PostgresReceipts(replace(database.settings, port=1))
    with pytest.raises(Unavailable):
        nowhere.write([receipt(1)])
    nowhere.write([])
    nowhere.close()
