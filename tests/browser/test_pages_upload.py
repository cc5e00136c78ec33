"""Uploading files in a browser: progress, duplicates, and plain words for what was not stored."""

from __future__ import annotations

import base64
import zipfile
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Browser, Route

from tests.browser.conftest import Visitor
from tests.builders.instances import ct, part10, series
from tests.builders.reading import ct_slices
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.chromium import Visit, visiting

DROP = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files)
    transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
  document.getElementById('drop').dispatchEvent(
    new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def opened(box: Appliance, visit: Visitor) -> Visit:
    reader = visit(box.url)
    reader.open("/upload")
    return reader


def wait_total(reader: Visit, words: str) -> None:
    reader.page.locator("#total").filter(has_text=words).wait_for()


def test_a_folder_is_stored_and_what_is_none_of_ours_is_told(
    pages_box: Appliance, shelf: WebClient, visit: Visitor, tmp_path: Path
) -> None:
    slices = list(series(5, PatientID="UP-1"))
    for number, one in enumerate(slices):
        (tmp_path / f"slice-{number}.dcm").write_bytes(part10(one))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "torn.dcm").write_bytes(part10(ct())[:-100])
    reader = opened(pages_box, visit)
    reader.page.locator("#folder").set_input_files(tmp_path)
    wait_total(reader, "8 of 8 files: 5 stored, 0 were here already, 3 not stored")
    troubles = reader.page.locator("#troubles").inner_text()
    assert "notes.txt: This is no DICOM file." in troubles
    assert "DICOMDIR is only a list" in troubles
    assert "torn.dcm: The appliance could not make sense of this file." in troubles
    reader.screenshot("upload")
    reader.page.locator("#studies a").click()
    reader.page.wait_for_url(f"**/studies/{slices[0].StudyInstanceUID}")
    reader.check(allowed_errors=["status of 409"])


def test_files_chosen_before_the_page_is_ready_are_stored_too(
    pages_box: Appliance, visit: Visitor, tmp_path: Path
) -> None:
    (tmp_path / "early.dcm").write_bytes(part10(ct(PatientID="UP-EARLY")))
    reader = visit(pages_box.url)
    held: list[Route] = []
    reader.page.route("**/upload/main.js*", lambda route: held.append(route))
    reader.page.goto(f"{pages_box.url}/upload", wait_until="commit")
    reader.page.locator("#files").set_input_files(tmp_path / "early.dcm")
    reader.page.wait_for_function("document.getElementById('files').files.length === 1")
    assert len(held) == 1
    held[0].continue_()
    wait_total(reader, "1 of 1 files: 1 stored, 0 were here already, 0 not stored")
    reader.check()


def test_what_is_dropped_twice_is_a_duplicate_and_another_content_a_conflict(
    pages_box: Appliance, visit: Visitor
) -> None:
    dataset = ct(PatientID="UP-2")
    changed = ct(**{element.keyword: element.value for element in dataset})
    changed.StudyDescription = "Altered"
    reader = opened(pages_box, visit)
    for name, one in (("a.dcm", dataset), ("b.dcm", dataset), ("c.dcm", changed)):
        reader.page.evaluate(DROP, [[name, base64.b64encode(part10(one)).decode()]])
        reader.page.locator('#work[data-idle="true"]').wait_for()
    wait_total(reader, "3 of 3 files: 1 stored, 1 were here already, 1 not stored")
    assert "Another content with the same identity" in reader.page.locator("#troubles").inner_text()
    reader.open(f"/studies/{dataset.StudyInstanceUID}")
    assert "1 contradict each other" in reader.page.inner_text(".badges")
    assert "arrived a second time with different content" in reader.page.inner_text("#notices")
    reader.check()


def test_an_export_opens_from_a_stick_without_the_appliance(shelf: WebClient, browser: Browser, tmp_path: Path) -> None:
    slices = list(ct_slices(3, PatientName="Li^Na=李^娜", PatientID="STICK-1"))
    shelf.keep(*slices)
    answer = shelf.get(f"/studies/{slices[0].StudyInstanceUID}/export")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    with visiting(browser, "file://", accept_downloads=False) as reader:
        reader.open(f"{tmp_path}/INDEX.HTM")
        assert "Not for primary diagnosis" in reader.page.inner_text("body")
        reader.page.wait_for_function(
            "() => document.images.length === 3 && [...document.images].every((one) => one.naturalWidth === 128)"
        )
        reader.screenshot("medium")
        reader.page.locator("li a").first.click()
        reader.page.wait_for_url("**/IM000001.JPG")
        reader.check()


def test_an_upload_can_be_cancelled(pages_box: Appliance, visit: Visitor, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(part10(ct(PatientID="UP-3")))
    reader = opened(pages_box, visit)
    reader.page.route("**/dicom-web/studies", lambda route: None)
    reader.page.locator("#files").set_input_files(sorted(tmp_path.iterdir()))
    reader.page.locator("#cancel").click()
    wait_total(reader, "Cancelled. 0 of 0 files")
    reader.check()
