"""The loader's receipts are taken over by cursor: of known sites, under their own tenant, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.archive.room import Archive
from appliance.central.receipt_import import SOURCE, ReceiptImport
from appliance.central.registry import Registry, Site
from appliance.central.targets import ReceiptRow, Unavailable
from appliance.model.receipts import METADATA_CONFIRMED
from tests.archives import new_archive
from tests.waiting import wait_until


class Book:
    """What PostgreSQL holds; away while `away`."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ReceiptRow]] = []
        self.away = False
        self.asked = 0
        self.closed = False

    def after(self, seq: int, limit: int) -> list[tuple[int, ReceiptRow]]:
        """Return the next rows, or be away."""
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return [row for row in self.rows if row[0] > seq][:limit]

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A receiver's archive."""
    found = new_archive(tmp_path / "home")
    yield found
    found.close()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """clinic-7 of north."""
    found = Registry(tmp_path / "sites")
    found.write(Site("clinic-7", "north"))
    return found


def row(seq: int, site: str = "clinic-7", tenant: str = "north") -> tuple[int, ReceiptRow]:
    return seq, ReceiptRow(site, tenant, "1.1", f"1.1.{seq}", "", "", "", seq, 5)


def test_known_sites_get_theirs_and_the_cursor_passes_the_rest(archive: Archive, registry: Registry) -> None:
    book = Book()
    book.rows = [row(1), row(2, "clinic-8"), row(3, tenant="south"), row(5), row(9, "../x")]
    assert not ReceiptImport(book, archive.receipts, registry, 1).step()
    found = archive.receipts.page("clinic-7", "north", 0, 100)
    assert [(one.level, one.revision) for one in found] == [(METADATA_CONFIRMED, 1), (METADATA_CONFIRMED, 5)]
    assert archive.receipts.page("clinic-7", "south", 0, 100) == []
    assert archive.receipts.page("clinic-8", "north", 0, 100) == []
    assert archive.receipts.cursor(SOURCE) == 9


def test_a_disabled_site_finds_its_receipts_when_it_is_let_in_again(archive: Archive, registry: Registry) -> None:
    registry.write(Site("clinic-7", "north", enabled=False))
    book = Book()
    book.rows = [row(1)]
    ReceiptImport(book, archive.receipts, registry, 1).step()
    assert len(archive.receipts.page("clinic-7", "north", 0, 100)) == 1


def test_a_site_whose_file_is_broken_loses_no_receipt(archive: Archive, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "sites" / "clinic-7.json").write_text("{")
    book = Book()
    book.rows = [row(1)]
    ReceiptImport(book, archive.receipts, registry, 1).step()
    assert len(archive.receipts.page("clinic-7", "north", 0, 100)) == 1


def test_while_the_registry_is_away_nothing_is_passed_by(archive: Archive, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "sites").rename(tmp_path / "away")
    book = Book()
    book.rows = [row(1)]
    importing = ReceiptImport(book, archive.receipts, registry, 1)
    assert not importing.step() and archive.receipts.cursor(SOURCE) == 0
    (tmp_path / "away").rename(tmp_path / "sites")
    importing.step()
    assert len(archive.receipts.page("clinic-7", "north", 0, 100)) == 1


def test_it_goes_on_page_by_page_where_it_was(archive: Archive, registry: Registry) -> None:
    book = Book()
    book.rows = [row(number) for number in range(1, 701)]
    importing = ReceiptImport(book, archive.receipts, registry, 1)
    assert importing.step() and archive.receipts.cursor(SOURCE) == 500
    again = ReceiptImport(book, archive.receipts, registry, 1)
    assert not again.step() and archive.receipts.cursor(SOURCE) == 700
    assert archive.receipts.count() == 700


def test_it_waits_while_postgresql_is_away_and_ends_when_told(archive: Archive, registry: Registry) -> None:
    book = Book()
    book.rows, book.away = [row(1)], True
    importing = ReceiptImport(book, archive.receipts, registry, 0.01)
    importing.start()
    try:
        wait_until(lambda: book.asked >= 2 and importing.up is False)
        book.away = False
        wait_until(lambda: archive.receipts.cursor(SOURCE) == 1 and importing.up is True)
    finally:
        importing.stop()
    assert book.closed


def test_a_database_from_an_older_copy_is_read_from_the_beginning(archive: Archive, registry: Registry) -> None:
    book = Book()
    book.rows = [row(number) for number in range(1, 8)]
    importing = ReceiptImport(book, archive.receipts, registry, 1)
    importing.step()
    importing.check()
    assert archive.receipts.cursor(SOURCE) == 7
    book.rows = [row(2), row(3)]
    importing.check()
    importing.step()
    assert archive.receipts.cursor(SOURCE) == 3
    assert {one.revision for one in archive.receipts.page("clinic-7", "north", 7, 100)} == {2, 3}
