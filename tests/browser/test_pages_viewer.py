"""The fallback viewer in a browser without WebGL: every kind of object opens, and pixels are what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pydicom.data
import pytest
from playwright.sync_api import Route
from pydicom import Dataset, dcmread

from tests.browser.conftest import Visitor
from tests.builders.images import colour, grey, ramp
from tests.builders.papers import content, electrocardiogram, pdf, structured_report
from tests.builders.reading import CHINESE_NAME, ct_slices, page_pdf
from tests.integration.web.client import WebClient, stow_body
from tests.partners.appliance import Appliance
from tests.partners.fallback import Fallback


@pytest.fixture
def viewer(pages_box: Appliance, plain_visit: Visitor) -> Iterator[Fallback]:
    """The viewer, without WebGL; afterwards: no other host, no policy report, no error."""
    reader = Fallback(plain_visit(pages_box.url))
    yield reader
    reader.visit.check()


def keep_ct(shelf: WebClient, count: int = 12, **overrides: Any) -> str:
    slices = list(ct_slices(count, **overrides))
    shelf.keep(*slices)
    return str(slices[0].StudyInstanceUID)


def test_a_patient_is_found_by_a_chinese_name_and_read_by_keys_alone(shelf: WebClient, viewer: Fallback) -> None:
    keep_ct(shelf, PatientName=CHINESE_NAME, PatientID="KEYS-1")
    page = viewer.page
    viewer.visit.open("/")
    page.keyboard.press("/")
    page.keyboard.type("小东")
    page.keyboard.press("Enter")
    page.wait_for_url("**name=**")
    page.keyboard.press("j")
    page.keyboard.press("v")
    viewer.wait_label("Image 1 of 12")
    viewer.wait_shown("/frames/1/rendered")
    page.keyboard.press("ArrowDown")
    viewer.wait_label("Image 2 of 12")
    page.keyboard.press("End")
    viewer.wait_label("Image 12 of 12")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("q")
    page.wait_for_selector("table.list")


def test_grey_is_what_the_window_says(shelf: WebClient, viewer: Fallback) -> None:
    viewer.open(keep_ct(shelf))
    viewer.wait_shown("/frames/1/rendered")
    assert 124 <= viewer.grey()[0] <= 131  # 40 HU in the middle of 400 around 40
    viewer.page.keyboard.press("3")  # the lung's: 1500 around -600
    viewer.wait_shown("window=-600,1500,linear")
    assert 233 <= viewer.grey()[0] <= 242
    viewer.page.keyboard.press("i")
    assert 13 <= viewer.grey()[0] <= 22
    viewer.page.keyboard.press("r")
    viewer.wait_label("Window 400 / 40")
    viewer.wait_shown("/frames/1/rendered?accept")
    assert 124 <= viewer.grey()[0] <= 131
    assert "Not for primary diagnosis" in viewer.page.inner_text("body")
    viewer.visit.screenshot("fallback-ct")


def test_a_drag_shows_at_once_what_the_appliance_then_draws_exactly(shelf: WebClient, viewer: Fallback) -> None:
    viewer.open(keep_ct(shelf))
    viewer.wait_shown("/frames/1/rendered")
    held: list[Route] = []
    viewer.page.route("**/rendered?window=*", lambda route: held.append(route))
    viewer.drag(0, 75)
    viewer.wait_label("Window 400 / 140")
    previewed = viewer.grey()[0]
    assert 60 <= previewed <= 67  # 40 HU is a quarter up from the lower end
    viewer.page.unroute("**/rendered?window=*")
    for route in held:
        route.continue_()
    viewer.wait_shown("window=140,400,linear")
    assert abs(viewer.grey()[0] - previewed) <= 3


def test_wheel_cine_zoom_and_length(shelf: WebClient, viewer: Fallback) -> None:
    viewer.open(keep_ct(shelf))
    viewer.wait_shown("/frames/1/rendered")
    box = viewer.pane().bounding_box()
    assert box is not None
    viewer.page.mouse.move(box["x"] + 200, box["y"] + 200)
    viewer.page.mouse.wheel(0, 120)
    viewer.wait_label("Image 4 of 12")
    viewer.page.keyboard.press("c")
    viewer.wait_label("Image 9 of 12")
    viewer.page.keyboard.press("c")
    viewer.page.keyboard.press("+")
    viewer.wait_label("125 %")
    viewer.page.keyboard.press("r")
    viewer.page.keyboard.press("m")
    viewer.drag(100, 0)
    shown = viewer.page.locator(".overlay text").text_content() or ""
    # 128 pixels of 1 mm fill the height of the pane.
    assert shown.endswith(" mm")
    assert abs(float(shown.split()[0]) - 100 * 128 / box["height"]) < 1


def test_priors_stand_side_by_side(shelf: WebClient, viewer: Fallback) -> None:
    now = keep_ct(shelf, PatientID="PRIOR-1", StudyDate="20240302")
    before = keep_ct(shelf, 5, PatientID="PRIOR-1", StudyDate="20220101", StudyDescription="Earlier")
    viewer.visit.open(f"/studies/{now}")
    viewer.page.get_by_text("Compare side by side").click()
    viewer.wait_shown("/frames/1/rendered", 1)
    viewer.wait_shown(before, 2)
    viewer.wait_label("Image 1 of 5", 2)
    assert "2022-01-01" in viewer.pane(2).inner_text()
    viewer.page.keyboard.press("x")
    viewer.page.keyboard.press("ArrowDown")
    viewer.wait_label("Image 2 of 5", 2)
    viewer.wait_label("Image 1 of 12", 1)
    viewer.visit.screenshot("fallback-priors")


def test_colour_and_frames_of_an_ultrasound(shelf: WebClient, viewer: Fallback) -> None:
    frames = np.zeros((6, 32, 32, 3), np.uint8)
    frames[:3], frames[3:] = (200, 20, 30), (10, 20, 220)
    clip = colour(frames[0], PatientID="US-1", Modality="US")
    clip.NumberOfFrames, clip.PixelData = 6, frames.tobytes()
    shelf.keep(clip)
    viewer.open(str(clip.StudyInstanceUID))
    viewer.wait_label("Image 1 of 6")
    viewer.wait_shown("/frames/1/rendered")
    red, _, blue = viewer.grey()
    assert red > 180
    assert blue < 60
    viewer.page.keyboard.press("End")
    viewer.wait_shown("/frames/6/rendered")
    assert viewer.grey()[2] > 200
    assert viewer.page.locator("#presets").is_disabled()


def keep_grey(shelf: WebClient, pixels: np.ndarray, **more: Any) -> str:
    plain = {"WindowCenter": None, "WindowWidth": None, "RescaleIntercept": None, "RescaleSlope": None}
    dataset = grey(pixels, **{**plain, **more})
    shelf.keep(dataset)
    return str(dataset.StudyInstanceUID)


def test_a_window_is_read_off_a_picture_whose_values_nobody_knows(shelf: WebClient, viewer: Fallback) -> None:
    # 1000 to 1400 of 65536: the full range shows nothing of it.
    viewer.open(keep_grey(shelf, ramp(1000, 1400, 64, 64), Modality="MR"))
    viewer.wait_shown("/frames/1/rendered")
    page = viewer.page
    page.keyboard.press("2")
    viewer.wait_label("Window 65536 / 32768")
    viewer.wait_shown("window=32768,65536")
    assert viewer.grey()[0] < 10
    page.keyboard.press("3")
    viewer.wait_label("/ 1200")
    viewer.wait_shown("window=1")
    assert 120 <= viewer.grey()[0] <= 136
    center, width, _ = read_window(viewer)
    assert abs(center - 1200) < 8
    assert abs(width - 392) < 16
    assert page.locator("#presets").evaluate("(list) => list.selectedOptions[0].textContent") == "3. automatic"


def read_window(viewer: Fallback) -> list[Any]:
    shown = viewer.pane().get_attribute("data-shown") or ""
    center, width, function = parse_qs(urlsplit(shown).query)["window"][0].split(",")
    return [float(center), float(width), function]


def test_a_drag_on_a_picture_whose_lowest_value_is_white(shelf: WebClient, viewer: Fallback) -> None:
    window = {"WindowCenter": 200, "WindowWidth": 400, "PhotometricInterpretation": "MONOCHROME1", "Modality": "CR"}
    viewer.open(keep_grey(shelf, np.full((64, 64), 250), **window))
    viewer.wait_shown("/frames/1/rendered")
    held: list[Route] = []
    viewer.page.route("**/rendered?window=*", lambda route: held.append(route))
    viewer.drag(0, 75)
    viewer.wait_label("Window 400 / 300")
    previewed = viewer.grey()[0]
    assert 155 <= previewed <= 163  # 250 lies an eighth below the middle, so that much above mid-grey
    viewer.page.unroute("**/rendered?window=*")
    for route in held:
        route.continue_()
    viewer.wait_shown("window=300,400,linear")
    assert abs(viewer.grey()[0] - previewed) <= 3


def test_an_angle_and_the_values_of_an_area(shelf: WebClient, viewer: Fallback) -> None:
    viewer.open(keep_ct(shelf, 2))
    viewer.wait_shown("/frames/1/rendered")
    page = viewer.page
    page.keyboard.press("n")
    viewer.drag(100, 0)
    box = viewer.pane().bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2 + 100, box["y"] + box["height"] / 2
    page.mouse.move(x - 50, y + 50, steps=3)
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(x, y + 90)
    assert page.locator(".overlay text").all_text_contents() == ["45.0°"]
    page.keyboard.press("r")
    page.keyboard.press("o")
    viewer.drag(60, 60)
    # The disc in the middle has 40 HU everywhere.
    page.locator(".overlay text").filter(has_text="mean 40.0, SD 0.0 HU").wait_for()
    area, _, extremes = page.locator(".overlay text").all_text_contents()
    side = 60 * 128 / box["height"]
    assert abs(float(area.split()[0]) - np.pi / 4 * side * side) < 2
    assert extremes == "40 to 40 HU"
    page.keyboard.press("ArrowDown")
    assert page.locator(".overlay text").count() == 0


def test_of_a_large_picture_no_more_is_asked_for_than_the_screen_shows(shelf: WebClient, viewer: Fallback) -> None:
    pixels = np.zeros((3000, 3000), np.uint16)
    pixels[:1500, 1500:] = 4000
    viewer.open(keep_grey(shelf, pixels, stored=12, Modality="DX", PixelSpacing=[0.1, 0.1]))
    viewer.wait_shown("viewport=1024,1024")
    assert viewer.grey(0.55, 0.25)[0] > 250
    box = viewer.pane().bounding_box()
    assert box is not None
    viewer.page.keyboard.press("m")
    viewer.drag(100, 0)
    before = viewer.page.locator(".overlay text").text_content() or ""
    assert abs(float(before.split()[0]) - 100 * 300 / box["height"]) < 2
    viewer.page.keyboard.press("m")
    for _ in range(3):
        viewer.page.keyboard.press("+")
    viewer.wait_shown("viewport=2048,2048")
    for _ in range(4):
        viewer.page.keyboard.press("+")
    viewer.page.wait_for_function(
        "() => !document.querySelector('.pane').dataset.shown.includes('viewport')"
    )  # fmt: skip
    assert viewer.page.locator(".overlay text").text_content() == before
    viewer.page.keyboard.press("r")
    viewer.wait_shown("viewport=1024,1024")
    assert "viewport" not in (viewer.page.locator("#png").get_attribute("href") or "")


def test_pixels_that_are_higher_than_wide_are_shown_and_measured_as_they_are(
    shelf: WebClient, viewer: Fallback
) -> None:
    viewer.open(keep_grey(shelf, ramp(0, 255, 64, 128), Modality="OT", PixelSpacing=[2.0, 1.0]))
    viewer.wait_shown("/frames/1/rendered")
    box = viewer.pane().bounding_box()
    assert box is not None
    viewer.page.keyboard.press("m")
    viewer.drag(0, 100)
    shown = viewer.page.locator(".overlay text").text_content() or ""
    # 64 rows of 2 mm beside 128 columns of 1 mm: a square of 128 mm that fills the height.
    assert abs(float(shown.split()[0]) - 100 * 128 / box["height"]) < 1


def opened_document(shelf: WebClient, viewer: Fallback, dataset: Dataset) -> None:
    shelf.keep(dataset)
    viewer.open(str(dataset.StudyInstanceUID))


def test_a_report_is_read_in_a_frame_that_may_do_nothing(shelf: WebClient, viewer: Fallback) -> None:
    children = [content("TEXT", "Finding", TextValue="No fracture. <script>alert(1)</script>")]
    opened_document(shelf, viewer, structured_report(children, PatientID="SR-1"))
    frame = viewer.page.locator(".document iframe")
    frame.wait_for()
    assert frame.get_attribute("sandbox") == ""
    viewer.page.frame_locator(".document iframe").get_by_text("No fracture.").wait_for()


def test_a_pdf_is_shown(shelf: WebClient, viewer: Fallback) -> None:
    opened_document(shelf, viewer, pdf(page_pdf("Discharge letter"), PatientID="PDF-1"))
    frame = viewer.page.locator(".document iframe")
    frame.wait_for()
    source = frame.get_attribute("src") or ""
    assert shelf.get(source.removeprefix(shelf.url)).content.startswith(b"%PDF")


def test_a_waveform_is_drawn(shelf: WebClient, viewer: Fallback) -> None:
    samples = (100 * np.sin(np.arange(1000)[:, None] / 20)).astype(np.int16).repeat(2, axis=1)
    opened_document(shelf, viewer, electrocardiogram(samples, ["Lead I", "Lead II"]))
    picture = viewer.page.locator(".document img")
    picture.wait_for()
    viewer.page.wait_for_function("(image) => image.naturalWidth > 0", arg=picture.element_handle())


def test_a_study_with_a_malformed_report_still_opens(
    shelf: WebClient, pages_box: Appliance, plain_visit: Visitor
) -> None:
    report = dcmread(Path(str(pydicom.data.get_testdata_file("test-SR.dcm"))))
    study = keep_ct(shelf, 3, PatientID="ODD-SR")
    report.StudyInstanceUID = study
    raw = Path(str(pages_box.home.parent)) / "odd-sr.dcm"
    report.save_as(raw)
    assert shelf.stow(stow_body(raw.read_bytes())).status_code == 200
    reader = Fallback(plain_visit(pages_box.url))
    reader.open(study)
    reader.wait_label("Image 1 of 3")
    reader.wait_shown("/frames/1/rendered")
    reader.page.locator("[data-stack]").filter(has_text="Report").click()
    reader.page.locator(".document iframe, .document .problem").first.wait_for()
    reader.visit.check(allowed_errors=["Failed to load resource"])


def test_a_picture_that_cannot_be_drawn_says_why(shelf: WebClient, pages_box: Appliance, plain_visit: Visitor) -> None:
    (broken,) = ct_slices(1, PatientID="SHORT")
    broken.PixelData = broken.PixelData[:100]
    shelf.keep(broken)
    reader = Fallback(plain_visit(pages_box.url))
    reader.open(str(broken.StudyInstanceUID))
    reader.pane().locator(".problem").filter(has_text="cannot be shown:").wait_for()
    reader.visit.check(allowed_errors=["Failed to load resource"])


def test_a_study_grows_while_it_is_read(shelf: WebClient, viewer: Fallback) -> None:
    slices = list(ct_slices(4, PatientID="GROWS"))
    shelf.keep(*slices[:2])
    viewer.open(str(slices[0].StudyInstanceUID))
    viewer.page.keyboard.press("End")
    viewer.wait_label("Image 2 of 2")
    shelf.keep(*slices[2:])
    viewer.wait_label("Image 2 of 4")
