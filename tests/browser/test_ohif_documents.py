"""What is no picture: OHIF shows reports, PDF and electrocardiograms; what would break it opens elsewhere."""

from __future__ import annotations

from tests.browser.conftest import OpenStudy, Visitor
from tests.browser.test_ohif_syntaxes import keep, keep_specimen
from tests.builders import papers
from tests.builders.instances import part10
from tests.builders.reading import ct_slices, page_pdf
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.ohif import Reader


def test_a_structured_report_is_shown_as_text(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_specimen(store, "reportsi.dcm"))
    reader.wait_for_text("Recording Observer's Name:")
    reader.visit.screenshot("ohif-report")


def test_an_electrocardiogram_is_drawn(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_specimen(store, "waveform_ecg.dcm"))
    reader.wait_for_image(levels=32)
    reader.visit.screenshot("ohif-ecg")


def test_a_pdf_comes_from_the_appliance_as_pdf(store: WebClient, open_study: OpenStudy) -> None:
    letter = papers.pdf(page_pdf("A referral letter"), PatientID="PDF-1")
    keep(store, part10(letter))
    reader = open_study(letter.StudyInstanceUID)
    shown = reader.page.locator('object[type="application/pdf"]')
    shown.wait_for(state="attached")
    address = shown.get_attribute("data") or ""
    assert address.endswith(f"/instances/{letter.SOPInstanceUID}/rendered")
    found = reader.page.request.get(reader.visit.url + address.removeprefix(reader.visit.url))
    assert found.ok
    assert found.headers["content-type"] == "application/pdf"
    assert found.body().startswith(b"%PDF-")


def test_a_study_with_a_report_that_breaks_ohif_opens_in_the_fallback(
    ohif_box: Appliance, store: WebClient, visit: Visitor
) -> None:
    study_uid = keep_specimen(store, "test-SR.dcm")
    store.keep(*ct_slices(2, StudyInstanceUID=study_uid))
    reader = Reader(visit(ohif_box.url))
    reader.open(study_uid)
    reader.page.wait_for_url(f"**/viewer/{study_uid}*")
    assert "/ohif/" not in reader.page.url
    assert reader.page.inner_text("body").strip()
    reader.visit.check()
