"""OHIF where a login is asked for: in, read, measure and save, be logged out in the middle, leave."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.builders.instances import part10
from tests.builders.reading import ct_slices
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.test_login import PASSWORD, REQUIRED, add, bearer
from tests.partners import ohif
from tests.partners.appliance import Appliance
from tests.partners.ohif import CANVAS, Reader
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A box with OHIF that wants a login and has a viewer, ann."""
    if reason := ohif.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("ohif-login")
    (folder / "password").write_text(f"{PASSWORD}\n")
    with Appliance(folder / "home", REQUIRED | {"APPLIANCE__WEB__OHIF": str(ohif.folder())}) as started:
        started.command("init")
        add(started, "ann", "viewer")
        started.start("web")
        started.wait_ready("web")
        yield started


@pytest.fixture(scope="module")
def sender(box: Appliance) -> dict[str, str]:
    """What proves a modality."""
    return bearer(box, "modality", "technician")


def kept(box: Appliance, sender: dict[str, str], count: int = 24) -> str:
    slices = list(ct_slices(count))
    with WebClient(box.url) as client:
        assert client.stow(stow_body(*map(part10, slices)), **sender).status_code == 200
    return str(slices[0].StudyInstanceUID)


def enter(page: Page) -> None:
    page.fill("#name", "ann")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")


def entered(box: Appliance, visit: Visitor, path: str) -> Reader:
    reader = Reader(visit(box.url))
    reader.visit.open(path)
    expect(reader.page).to_have_url(re.compile("/login"))
    enter(reader.page)
    return reader


def test_from_the_login_by_the_study_list_into_ohif_and_out(
    box: Appliance, sender: dict[str, str], visit: Visitor
) -> None:
    study = kept(box, sender)
    reader = entered(box, visit, "/")
    reader.page.locator(f'a[href*="/ohif/viewer?StudyInstanceUIDs={study}"]').first.click()
    assert 124 <= reader.wait_for_image(levels=200).centre[0] <= 128
    reader.visit.open("/")
    reader.page.get_by_role("button", name="Log out").click()
    expect(reader.page).to_have_url(f"{box.url}/login")
    reader.open(study)
    expect(reader.page).to_have_url(re.compile("/login"))
    assert reader.page.locator(CANVAS).count() == 0
    # The browser may bring back OHIF itself, which is nobody's secret, but nothing of a patient.
    reader.page.go_back()
    expect(reader.page).to_have_url(re.compile("/login|/ohif/notfoundstudy"))
    assert "PAT-1" not in reader.page.inner_text("body")
    assert reader.page.locator(CANVAS).count() == 0
    reader.visit.check(allowed_errors=["status of 401", "nauthori[sz]ed|request failed"])


def test_a_link_into_ohif_is_kept_over_the_login(box: Appliance, sender: dict[str, str], visit: Visitor) -> None:
    study = kept(box, sender, 3)
    reader = entered(box, visit, f"/ohif/viewer?StudyInstanceUIDs={study}")
    reader.wait_for_image(levels=200)
    reader.visit.check()


def test_a_session_that_ends_while_ohif_is_open_gives_out_nothing_more(
    box: Appliance, sender: dict[str, str], visit: Visitor
) -> None:
    study = kept(box, sender, 3)
    reader = entered(box, visit, f"/ohif/viewer?StudyInstanceUIDs={study}")
    reader.wait_for_image(levels=200)
    box.command("user", "reset", "ann", "--password-file", str(box.home.parent / "password"))
    refused = "async () => (await fetch('/dicom-web/studies', { cache: 'no-store' })).status === 401"
    # `wait_for_function` does not wait for what an asynchronous function promises.
    wait_until(lambda: bool(reader.page.evaluate(refused)), every=0.2)
    reader.page.reload()
    expect(reader.page).to_have_url(re.compile("/login"))
    enter(reader.page)
    reader.wait_for_image(levels=200)
    reader.visit.check(allowed_errors=["status of 401"])


def test_a_viewer_saves_a_measurement_from_ohif(box: Appliance, sender: dict[str, str], visit: Visitor) -> None:
    study = kept(box, sender, 3)
    reader = entered(box, visit, f"/ohif/viewer?StudyInstanceUIDs={study}")
    reader.wait_for_image(levels=200)
    reader.control("MeasurementTools-split-button-primary").click()
    reader.drag(reader.middle(), across=150, down=0)
    reader.page.get_by_text(re.compile("track measurements", re.IGNORECASE)).first.wait_for()
    reader.page.get_by_role("button", name="Yes").click()
    reader.control("trackedMeasurements-btn").click()
    reader.page.get_by_text("Create SR").first.click()
    reader.visit.screenshot("ohif-save")
    with reader.page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        reader.page.get_by_role("button", name="Save").click()
    assert answer.value.status == 200, answer.value.text()
    with WebClient(box.url) as client:
        found = client.ask("GET", f"/dicom-web/studies/{study}/series?Modality=SR", headers=sender)
        assert len(found.json()) == 1
