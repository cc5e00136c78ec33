"""A radiologist reads a CT in OHIF: finds it, scrolls, changes the window, measures, looks at it in three planes."""

from __future__ import annotations

import re
from typing import Any

from tests.browser.conftest import OpenStudy, Visitor
from tests.builders.reading import CHINESE_NAME, ct_slices
from tests.integration.web.client import WebClient
from tests.partners.appliance import Appliance
from tests.partners.ohif import CANVAS, Reader

# 40 HU at a window of 400 around 40: the middle of the grey scale.
MIDDLE_GREY = (124, 128)
SHOWN_LENGTH = """
(millimetres) => [...document.querySelectorAll('svg.svg-layer text')].some((text) => {
  const found = /([\\d.]+) mm/.exec(text.textContent);
  return found && Math.abs(Number(found[1]) - millimetres) < 0.5;
})
"""


def keep_ct(store: WebClient, count: int = 24, **overrides: Any) -> str:
    slices = list(ct_slices(count, **overrides))
    store.keep(*slices)
    return str(slices[0].StudyInstanceUID)


def grey(reader: Reader) -> int:
    return reader.pixels().centre[0]


def test_a_patient_is_found_by_a_chinese_name_and_opened_in_ohif(
    ohif_box: Appliance, store: WebClient, visit: Visitor
) -> None:
    study_uid = keep_ct(store, 3, PatientName=CHINESE_NAME, PatientID="ZH-1")
    reader = Reader(visit(ohif_box.url, locale="zh-CN"))
    reader.visit.open("/")
    reader.page.locator('input[name="name"]').fill("小东")
    reader.page.keyboard.press("Enter")
    reader.wait_for_text("王")
    reader.page.locator(f'a[href*="/ohif/viewer?StudyInstanceUIDs={study_uid}"]').first.click()
    assert reader.wait_for_image().levels > 100
    assert "ZH-1" in reader.page.inner_text("body")
    reader.visit.check()


def test_the_grey_of_40_hounsfield_units_is_the_middle_of_its_window(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store, 3))
    shown = reader.wait_for_image(levels=200)
    assert MIDDLE_GREY[0] <= shown.centre[0] <= MIDDLE_GREY[1]
    assert len(set(shown.centre)) == 1
    reader.visit.screenshot("ohif-ct")


def test_scrolling_shows_the_next_slice(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store))
    reader.wait_for_image()
    before = reader.page.locator(CANVAS).first.screenshot()
    reader.page.mouse.move(*reader.middle())
    reader.page.mouse.wheel(0, 100)
    reader.wait_for_text("(2/24)")
    assert reader.page.locator(CANVAS).first.screenshot() != before
    reader.page.mouse.wheel(0, 100)
    reader.wait_for_text("(3/24)")


def test_the_window_follows_a_drag_and_the_presets_of_the_modality(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store, 3))
    reader.wait_for_centre(*MIDDLE_GREY)
    reader.drag(reader.middle(), across=80, down=40)
    reader.wait_for_centre(80, 100)
    reader.page.keyboard.press("2")
    reader.wait_for_text("-600")
    reader.wait_for_centre(230, 242)
    reader.page.keyboard.press("1")
    reader.wait_for_centre(*MIDDLE_GREY)
    reader.control("windowLevelMenu").click()
    reader.page.get_by_text("Window Presets").first.click()
    reader.wait_for_text("Mediastinum")
    reader.visit.screenshot("ohif-presets")


def test_a_length_is_measured_in_millimetres(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store, 3))
    reader.wait_for_image()
    box = reader.page.locator(CANVAS).first.bounding_box()
    assert box is not None
    reader.control("MeasurementTools-split-button-primary").click()
    reader.drag(reader.middle(), across=200, down=0)
    # The phantom is 128 mm high, and as high as the viewport. The text follows the hand.
    reader.page.wait_for_function(SHOWN_LENGTH, arg=200 * 128 / box["height"])
    reader.visit.screenshot("ohif-length")


def test_a_volume_is_cut_in_three_planes(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store))
    reader.wait_for_image()
    reader.control("Layout").click()
    reader.control("MPR").click()
    reader.page.wait_for_function(f"document.querySelectorAll('{CANVAS}').length === 3")
    for viewport in range(3):
        assert MIDDLE_GREY[0] <= reader.wait_for_centre(*MIDDLE_GREY, viewport=viewport).centre[0]
    reader.visit.screenshot("ohif-mpr")


def test_a_study_and_its_prior_stand_side_by_side(store: WebClient, open_study: OpenStudy) -> None:
    prior = keep_ct(store, 3, PatientID="PRIOR-1", StudyDate="20230115")
    current = keep_ct(store, 3, PatientID="PRIOR-1", StudyDate="20240229")
    reader = open_study(current, prior, options="&hangingProtocolId=@ohif/hpCompare")
    for viewport in range(2):
        reader.wait_for_image(viewport)
    shown = reader.control("viewport-grid").inner_text()
    assert "29-Feb-2024" in shown
    assert "15-Jan-2023" in shown
    reader.visit.screenshot("ohif-prior")


def test_priors_of_the_same_patient_are_offered(store: WebClient, open_study: OpenStudy) -> None:
    keep_ct(store, 3, PatientID="PRIOR-2", StudyDate="20220110", StudyDescription="An earlier one")
    reader = open_study(keep_ct(store, 3, PatientID="PRIOR-2"))
    reader.wait_for_image()
    reader.wait_for_text("An earlier one")


def test_the_way_back_leads_to_the_study_list(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_ct(store, 3))
    reader.wait_for_image()
    reader.page.get_by_title("Study list").click()
    reader.page.wait_for_url(re.compile(r"/$"))
