"""Views are noted for retention: seldom, never in a request's way, and not lost to a busy database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Request

from appliance.archive.uses import Uses
from appliance.errors import Busy
from appliance.web.views import THROTTLE_SECONDS, Views
from tests.clocks import FakeClock


class Book:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[dict[str, int]] = []
        self.busy = False

    def view(self, studies: dict[str, int]) -> None:
        """Write."""
        if self.busy:
            raise Busy("not now")
        self.written.append(dict(studies))


def request(blueprint: str, study: str = "1.2", **more: Any) -> Request:
    return cast(Request, SimpleNamespace(blueprint=blueprint, view_args={"study_uid": study}, args=more))


def test_a_study_is_written_once_an_hour() -> None:
    book, clock = Book(), FakeClock()
    views = Views(cast(Uses, book), clock, clock.monotonic)
    for _ in range(100):
        views.note(request("frames"), 200)
    views.write()
    views.write()
    assert book.written == [{"1.2": clock.now()}]
    clock.advance(THROTTLE_SECONDS + 1)
    views.note(request("metadata"), 304)
    views.write()
    assert len(book.written) == 2


@pytest.mark.parametrize(("blueprint", "status"), [("qido", 200), ("pages", 200), ("frames", 404), ("stow", 200)])
def test_what_shows_no_study_is_no_view(blueprint: str, status: int) -> None:
    book, clock = Book(), FakeClock()
    views = Views(cast(Uses, book), clock, clock.monotonic)
    views.note(request(blueprint), status)
    views.write()
    assert book.written == []


def test_a_busy_database_loses_none() -> None:
    book, clock = Book(), FakeClock()
    views = Views(cast(Uses, book), clock, clock.monotonic)
    book.busy = True
    with pytest.raises(Busy):
        views.keep("1.2")
    book.busy = False
    views.note(request("wado_uri", study="", studyUID="3.4"), 200)
    views.write()
    assert set(book.written[0]) == {"1.2", "3.4"}
