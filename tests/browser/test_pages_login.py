"""The pages where a login is asked for: a technician's way in a real browser, and pages that anybody can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.test_pages_accessibility import breaches
from tests.builders.instances import part10
from tests.builders.reading import ct_slices
from tests.partners.appliance import Appliance
from tests.partners.chromium import Visit
from tests.partners.fallback import Fallback

PASSWORD = "a good long sentence"
# A viewer may not store, and the browser tells of every refusal.
REFUSED = ["status of 40[13]"]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box that wants a login and has a technician, tom, and a viewer, ann."""
    folder = tmp_path_factory.mktemp("pages-login")
    written = folder / "password"
    written.write_text(f"{PASSWORD}\n")
    with Appliance(folder / "home", {"APPLIANCE__WEB__LOGIN": "required"}) as started:
        started.command("init")
        for name, role in (("tom", "technician"), ("ann", "viewer")):
            started.command("user", "add", name, "--role", role, "--password-file", str(written))
        started.start("web")
        started.wait_ready("web")
        yield started


def enter(page: Page, name: str) -> None:
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")


def stored(looked: Visit, folder: Path, patient_id: str) -> str:
    """Store a study by the upload page; return its UID."""
    slices = list(ct_slices(3, PatientID=patient_id))
    for number, one in enumerate(slices):
        (folder / f"{number}.dcm").write_bytes(part10(one))
    looked.page.locator("#files").set_input_files(sorted(folder.glob("*.dcm")))
    looked.page.locator("#total").filter(has_text="3 of 3 files: 3 stored").wait_for()
    return str(slices[0].StudyInstanceUID)


def test_a_technician_lands_where_they_wanted_stores_reads_and_leaves(
    box: Appliance, visit: Visitor, tmp_path: Path
) -> None:
    looked = visit(box.url)
    page = looked.page
    looked.open("/upload")
    expect(page).to_have_url(re.compile("/login"))
    enter(page, "tom")
    expect(page).to_have_url(f"{box.url}/upload")
    study = stored(looked, tmp_path, "TOM-1")
    page.locator("#studies a").click()
    page.wait_for_url(f"**/studies/{study}")
    with page.expect_download() as download:
        page.get_by_text("Export for a disc or stick").click()
    assert download.value.suggested_filename == f"{study}-disc.zip"
    reader = Fallback(looked)
    reader.open(study)
    reader.wait_label("Image 1 of 3")
    reader.wait_shown("/frames/1/rendered")
    assert 124 <= reader.grey()[0] <= 131
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{box.url}/login")
    looked.open(f"/viewer/{study}")
    expect(page).to_have_url(re.compile("/login"))
    enter(page, "tom")
    expect(page).to_have_url(f"{box.url}/viewer/{study}")
    reader.wait_shown("/frames/1/rendered")
    looked.check()


def test_whoever_is_logged_out_elsewhere_is_told_while_reading(box: Appliance, visit: Visitor, tmp_path: Path) -> None:
    looked = visit(box.url)
    page = looked.page
    looked.open("/upload")
    enter(page, "tom")
    expect(page).to_have_url(f"{box.url}/upload")
    study = stored(looked, tmp_path, "TOM-2")
    reader = Fallback(looked)
    reader.open(study)
    reader.wait_shown("/frames/1/rendered")
    page.context.clear_cookies()
    page.locator("#stale").filter(has_text="You are logged out").wait_for()
    looked.check(allowed_errors=REFUSED)


def test_a_viewer_is_offered_no_upload(box: Appliance, visit: Visitor) -> None:
    looked = visit(box.url)
    looked.open("/")
    enter(looked.page, "ann")
    expect(looked.page).to_have_url(f"{box.url}/")
    expect(looked.page.get_by_text("Upload files")).to_have_count(0)
    looked.open("/upload")
    expect(looked.page.locator("h1")).to_have_text("Not for this account")
    looked.check(allowed_errors=REFUSED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_way_in_is_accessible(box: Appliance, visit: Visitor, locale: str, scheme: str) -> None:
    looked = visit(box.url, locale=locale)
    page = looked.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/login", "/login?next=/upload", "/setup"):
        looked.open(path)
        assert breaches(page) == [], path
    looked.open("/login")
    page.fill("#name", "nobody")
    page.fill("#password", "a wrong long sentence")
    page.keyboard.press("Enter")
    page.get_by_role("alert").first.wait_for()
    assert breaches(page) == []
    enter(page, "ann")
    expect(page).to_have_url(f"{box.url}/")
    for path in ("/", "/account", "/upload"):
        looked.open(path)
        assert breaches(page) == [], path
    looked.check(allowed_errors=REFUSED)
