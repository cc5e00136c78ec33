"""Rejected callers are counted at once and written when somebody can wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.errors import Busy
from appliance.scp.rejections import MAX_DISTINCT, Rejections


@dataclass
class Book:
    """A list of rejected callers; `busy` makes it fail."""

    rows: dict[tuple[str, str, str], int] = field(default_factory=dict)
    busy: bool = False

    def reject(self, ae_title: str, address: str, reason: str, *, count: int = 1) -> None:
        if self.busy:
            raise Busy("busy")
        key = (ae_title, address, reason)
        self.rows[key] = self.rows.get(key, 0) + count


def test_equal_rejections_are_written_once_with_their_count() -> None:
    book = Book()
    rejections = Rejections(book)
    for _ in range(3):
        rejections.reject("CT1", "10.0.0.1", "unknown")
    assert book.rows == {}
    rejections.flush()
    rejections.flush()
    assert book.rows == {("CT1", "10.0.0.1", "unknown"): 3}


def test_what_cannot_be_written_now_is_written_later() -> None:
    book = Book(busy=True)
    rejections = Rejections(book)
    rejections.reject("CT1", "10.0.0.1", "unknown")
    rejections.flush()
    book.busy = False
    rejections.reject("CT1", "10.0.0.1", "unknown")
    rejections.flush()
    assert book.rows == {("CT1", "10.0.0.1", "unknown"): 2}


def test_a_scan_with_random_titles_is_bounded() -> None:
    book = Book()
    rejections = Rejections(book)
    for number in range(10 * MAX_DISTINCT):
        rejections.reject(f"AE{number}", "10.0.0.1", "unknown")
    rejections.flush()
    assert len(book.rows) == MAX_DISTINCT + 1
    assert sum(book.rows.values()) == 10 * MAX_DISTINCT
