"""OHIF shows pixels in every transfer syntax and of every kind, with its codecs under the policy of production."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.browser.conftest import OpenStudy
from tests.builders.collection import Specimen, specimens
from tests.builders.instances import part10, part10_of
from tests.builders.reading import compressed, ct_slices
from tests.integration.web.client import WebClient, stow_body
from tests.partners import dcmtk


def keep(store: WebClient, *files: bytes) -> None:
    answer = store.stow(stow_body(*files))
    assert answer.status_code == 200, answer.text


def specimen(name: str) -> Specimen:
    return next(one for one in specimens() if one.path.name == name)


def keep_specimen(store: WebClient, name: str) -> str:
    one = specimen(name)
    sop = {"sop_class_uid": one.sop_class_uid, "sop_uid": one.sop_uid}
    answer = store.stow(stow_body(part10_of(one.data, one.transfer_syntax_uid, **sop)))
    assert answer.status_code == 200, answer.text
    found = store.search("/instances", SOPInstanceUID=one.sop_uid)
    return str(found[0]["0020000D"]["Value"][0])


@pytest.mark.parametrize(
    "syntax_uid", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=["JPEG2000", "JPEG-LS", "RLE"]
)
def test_compressed_pixels_are_those_that_were_compressed(
    store: WebClient, open_study: OpenStudy, syntax_uid: str
) -> None:
    slices = list(ct_slices(2))
    keep(store, *(part10(compressed(one, syntax_uid), syntax_uid) for one in slices))
    shown = open_study(slices[0].StudyInstanceUID).wait_for_image(levels=200)
    assert 124 <= shown.centre[0] <= 128


def test_jpeg_lossless_pixels_are_those_that_were_compressed(
    store: WebClient, open_study: OpenStudy, tmp_path: Path
) -> None:
    (original,) = ct_slices(1)
    (tmp_path / "plain.dcm").write_bytes(part10(original))
    dcmtk.run("dcmcjpeg", "+e1", tmp_path / "plain.dcm", tmp_path / "lossless.dcm")
    keep(store, (tmp_path / "lossless.dcm").read_bytes())
    shown = open_study(original.StudyInstanceUID).wait_for_image(levels=200)
    assert 124 <= shown.centre[0] <= 128


SPECIMENS = {
    "JPEG-LL.dcm": "JPEG lossless, nuclear medicine",
    "JPGExtended.dcm": "JPEG of 12 bits",
    "693_J2KI.dcm": "lossy JPEG 2000",
    "MR_small_bigendian.dcm": "big endian",
    "image_dfl.dcm": "deflated",
    "OBXXXX1A.dcm": "palette",
    "examples_jpeg2k.dcm": "colour, JPEG 2000",
    "RG3_J2KR.dcm": "MONOCHROME1",
}


@pytest.mark.parametrize("name", SPECIMENS, ids=list(SPECIMENS.values()))
def test_a_file_of_this_kind_is_shown(store: WebClient, open_study: OpenStudy, name: str) -> None:
    reader = open_study(keep_specimen(store, name))
    assert reader.wait_for_image(levels=64).levels >= 64


def test_an_ultrasound_of_many_frames_runs(store: WebClient, open_study: OpenStudy) -> None:
    reader = open_study(keep_specimen(store, "examples_ybr_color.dcm"))
    reader.wait_for_image(levels=64)
    reader.wait_for_text("(1/30)")
    reader.page.mouse.move(*reader.middle())
    reader.page.mouse.wheel(0, 100)
    reader.wait_for_text("(2/30)")
    speed = reader.page.locator("div.border-input", has_text="FPS").last.bounding_box()
    assert speed is not None
    # The button that starts stands left of the speed.
    reader.page.mouse.click(speed["x"] - 20, speed["y"] + speed["height"] / 2)
    reader.page.wait_for_function("() => /[(]2[0-9][/]30[)]/.test(document.body.innerText)")
    reader.visit.screenshot("ohif-ultrasound")
