"""Pages that stay true by themselves: rows change in place, and a box that falls silent is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor
from tests.builders.instances import series
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance


@pytest.fixture
def frail_box(tmp_path: Path) -> Iterator[Appliance]:
    """A box of its own, for a test that stops it."""
    with Appliance(tmp_path / "home") as box:
        box.command("init")
        box.start("web")
        box.wait_ready("web")
        yield box


def test_rows_change_in_place_and_keep_the_focus(pages_box: Appliance, shelf: WebClient, visit: Visitor) -> None:
    slices = list(series(3, PatientID="LIVE-1"))
    shelf.keep(slices[0])
    reader = visit(pages_box.url)
    reader.open("/?patient_id=LIVE-1")
    row = reader.page.locator("tbody tr")
    row.locator("td.name a").focus()
    marked = row.element_handle()
    shelf.keep(*slices[1:])
    reader.page.locator("tbody tr td:nth-child(11)").filter(has_text="3").wait_for()
    assert "still receiving, last image" in row.inner_text()
    assert marked is not None
    assert marked.evaluate("(row) => row.isConnected && row.contains(document.activeElement)")
    shelf.keep(*series(1, PatientID="LIVE-1", StudyDate="20250101"))
    reader.page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 2")
    assert marked.evaluate("(row) => row.isConnected && row.contains(document.activeElement)")
    reader.check()


def test_the_first_study_appears_on_an_empty_list(frail_box: Appliance, visit: Visitor) -> None:
    reader = visit(frail_box.url)
    reader.open("/")
    assert "Nothing has arrived yet" in reader.page.inner_text("main")
    with WebClient(frail_box.url) as client:
        client.keep(*series(1, PatientID="FIRST"))
    reader.page.locator("tbody tr").filter(has_text="FIRST").wait_for()
    reader.check()


def test_a_box_that_falls_silent_is_told_until_it_answers(frail_box: Appliance, visit: Visitor) -> None:
    reader = visit(frail_box.url)
    reader.open("/")
    banner = reader.page.locator("#stale")
    assert banner.is_hidden()
    frail_box.stop("web")
    banner.filter(has_text="has not answered since").wait_for()
    frail_box.start("web")
    frail_box.wait_ready("web")
    banner.wait_for(state="hidden")
    reader.check(allowed_errors=["ERR_CONNECTION_REFUSED"])
