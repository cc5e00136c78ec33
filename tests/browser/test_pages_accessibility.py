"""axe-core finds nothing serious on any page, in either language and colour scheme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from tests.browser.conftest import Visitor
from tests.builders.instances import ct, part10
from tests.builders.papers import content, structured_report
from tests.builders.reading import CHINESE_NAME, ct_slices
from tests.integration.web.client import WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.partners.fallback import Fallback

SERIOUS = ("serious", "critical")


# Two frames: what a style sheet says is painted by then.
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"


def breaches(page: Page) -> list[str]:
    """What axe finds, with its own words for why; twice, for on a busy machine a page may still be painted once."""
    return _breaches(page) and _breaches(page)


def _breaches(page: Page) -> list[str]:
    page.evaluate(PAINTED)
    found: Sequence[dict] = Axe().run(page).response["violations"]
    told = [(one["id"], one["nodes"][0]) for one in found if one["impact"] in SERIOUS]
    return [f"{rule}: {node['html']}: {node.get('failureSummary', '')}" for rule, node in told]


@pytest.fixture(scope="module")
def study_uid(pages_box: Appliance) -> str:
    """A study with pictures, a report and an earlier study."""
    now = list(ct_slices(3, PatientName=CHINESE_NAME, PatientID="AXE-1"))
    report = structured_report([content("TEXT", "Finding", TextValue="Nothing")], PatientID="AXE-1",
                               StudyInstanceUID=now[0].StudyInstanceUID)  # fmt: skip
    with WebClient(pages_box.url) as client:
        client.keep(*now, report, *ct_slices(2, PatientName=CHINESE_NAME, PatientID="AXE-1", StudyDate="20200101"))
    return str(now[0].StudyInstanceUID)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_every_page_is_accessible(
    pages_box: Appliance, study_uid: str, visit: Visitor, locale: str, scheme: str
) -> None:
    reader = Fallback(visit(pages_box.url, locale=locale))
    page = reader.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/", "/?date_from=never", "/?name=nobody", f"/studies/{study_uid}", "/studies/1.2.3", "/upload"):
        reader.visit.open(path)
        page.wait_for_load_state("networkidle")
        assert breaches(page) == [], path
    reader.open(study_uid)
    reader.wait_shown("/frames/1/rendered")
    assert breaches(page) == []
    page.keyboard.press("b")
    page.keyboard.press("?")
    assert breaches(page) == []
    page.locator("[data-stack]").filter(has_text="SR").click()
    page.locator(".document iframe").wait_for()
    assert breaches(page) == []
    reader.visit.check(allowed_errors=["status of 404"])


@pytest.fixture
def troubled(pages_box: Appliance, study_uid: str) -> Iterator[str]:
    """The same study while the line is down, one image contradicts another, and one cannot be decoded."""
    archive = Archive.open(ArchiveSettings(home=pages_box.home), "test")
    try:
        first = ct(PatientID="AXE-1", StudyInstanceUID=study_uid)
        other = ct(**{element.keyword: element.value for element in first})
        other.StudyDescription = "Altered"
        with WebClient(pages_box.url) as client:
            client.keep(first)
            client.stow(stow_body(part10(other)))
        (stored,) = archive.reading.instances(study_uid, sop_uid=first.SOPInstanceUID)
        archive.transcodes.note(stored.version_id, 1, "refused", "no decoder can read these pixel data")
        archive.outbox.breaker("outbound", "open", "no route")
        yield study_uid
        archive.outbox.breaker("outbound", "closed", "")
    finally:
        archive.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_what_is_said_in_trouble_is_accessible(
    pages_box: Appliance, troubled: str, visit: Visitor, locale: str, scheme: str
) -> None:
    reader = Fallback(visit(pages_box.url, locale=locale))
    page = reader.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/", f"/studies/{troubled}", f"/viewer/{troubled}"):
        reader.visit.open(path)
        page.locator(".notice.outage").wait_for()
        page.locator(".notice.conflict").first.wait_for()
        page.wait_for_load_state("networkidle")
        assert breaches(page) == [], path
    assert page.locator(".notice.undrawable a").is_visible()
    reader.visit.check()
