"""Rendered resources, thumbnails and WADO-URI against a running room."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
from PIL import Image
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.uid import JPEG2000Lossless, generate_uid

from tests.builders.images import colour, colours, grey, ramp
from tests.builders.instances import ct, part10
from tests.builders.papers import PDF, content, electrocardiogram, pdf, structured_report
from tests.integration.web.client import WebClient, read_parts, stow_body

PNG = "image/png"
BROWSER_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
BROWSER_IMAGE = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def place(dataset: Dataset) -> str:
    """Return the path of an instance."""
    return (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )


def pixels_of(answer: requests.Response) -> np.ndarray:
    """Return the picture of an answer."""
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(BytesIO(answer.content)))


def kept(web: WebClient, dataset: Dataset) -> Dataset:
    """Store one object."""
    web.keep(dataset)
    return dataset


@pytest.fixture(scope="module")
def slice_(appliance: Any) -> Dataset:
    """A stored slice of 12 bits with a window of its own."""
    dataset = grey(ramp(0, 4095), stored=12, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    with WebClient(appliance.url) as web:
        return kept(web, dataset)


def test_an_image_is_a_jpeg_unless_a_png_is_asked_for(web: WebClient, slice_: Dataset) -> None:
    for accept, expected in (("", "jpeg"), (BROWSER_IMAGE, "jpeg"), (BROWSER_PAGE, "jpeg"), (PNG, "png")):
        answer = web.get(f"{place(slice_)}/rendered", accept)
        assert answer.headers["Content-Type"] == f"image/{expected}"
        assert pixels_of(answer).shape == (32, 64)
    assert web.get(f"{place(slice_)}/rendered", "image/gif").status_code == 406


def test_the_window_of_the_object_gives_way_to_the_one_asked_for(web: WebClient, slice_: Dataset) -> None:
    values = ramp(0, 4095) - 1024
    own = pixels_of(web.get(f"{place(slice_)}/rendered", PNG))
    expected = np.clip((values - 39.5) / 399 + 0.5, 0, 1) * 255
    assert np.abs(own - expected).max() <= 1
    asked = pixels_of(web.get(f"{place(slice_)}/rendered?window=1000,2000,linear-exact", PNG))
    assert np.abs(asked - np.clip(values / 2000, 0, 1) * 255).max() <= 1


def test_a_viewport_crops_flips_and_sizes(web: WebClient, slice_: Dataset) -> None:
    whole = pixels_of(web.get(f"{place(slice_)}/rendered", PNG))
    part = pixels_of(web.get(f"{place(slice_)}/rendered?viewport=16,8,0,0,-16,8", PNG))
    assert np.array_equal(part, whole[:8, :16][:, ::-1])
    assert pixels_of(web.get(f"{place(slice_)}/rendered?viewport=32,32", PNG)).shape == (16, 32)


@pytest.mark.parametrize(
    "query", ["window=1", "window=a,b,linear", "viewport=0,0", "viewport=10,10,999,0,5,5", "quality=0", "quality=x"]
)
def test_a_wish_that_cannot_be_followed_is_400(web: WebClient, slice_: Dataset, query: str) -> None:
    answer = web.get(f"{place(slice_)}/rendered?{query}")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_annotations_are_ignored_with_a_warning(web: WebClient, slice_: Dataset) -> None:
    answer = web.get(f"{place(slice_)}/rendered?annotation=patient")
    assert answer.status_code == 200
    assert "annotation" in answer.headers["Warning"]


def test_a_picture_that_the_client_has_is_not_sent_again(web: WebClient, slice_: Dataset) -> None:
    first = web.get(f"{place(slice_)}/rendered")
    again = web.get(f"{place(slice_)}/rendered", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "private" in again.headers["Cache-Control"]
    other = web.get(f"{place(slice_)}/rendered?quality=50", If_None_Match=first.headers["ETag"])
    assert other.status_code == 200


def test_frames_are_drawn_one_by_one_or_together(web: WebClient) -> None:
    frames = [np.full((8, 8), level) for level in (10, 20, 30)]
    dataset = kept(web, grey(np.stack(frames), bits=8))
    for number in (1, 2, 3):
        assert pixels_of(web.get(f"{place(dataset)}/frames/{number}/rendered", PNG)).max() == number * 10
    assert pixels_of(web.get(f"{place(dataset)}/rendered", PNG)).max() == 10
    assert pixels_of(web.get(f"{place(dataset)}/thumbnail", PNG)).max() == 20
    assert web.get(f"{place(dataset)}/frames/4/rendered").status_code == 404
    assert web.get(f"{place(dataset)}/frames/1,3/rendered", PNG).status_code == 406
    several = web.get(f"{place(dataset)}/frames/1,3/rendered", f"multipart/related; type={PNG}")
    assert several.status_code == 200
    assert [int(np.asarray(Image.open(BytesIO(data))).max()) for _, data in read_parts(several)] == [10, 30]
    everything = web.get(f"{place(dataset)}/rendered", f'multipart/related; type="{PNG}"')
    assert len(read_parts(everything)) == 3


def test_one_picture_stands_for_a_study_and_a_series(web: WebClient) -> None:
    study: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    slices = [grey(np.full((4, 4), level * 10), bits=8, InstanceNumber=level, **study) for level in (1, 2, 3)]
    report = structured_report([], StudyInstanceUID=study["StudyInstanceUID"], SeriesInstanceUID="1.2.3.4")
    web.keep(report, *slices)
    path = f"/dicom-web/studies/{study['StudyInstanceUID']}"
    for target in (path, f"{path}/series/{study['SeriesInstanceUID']}"):
        assert pixels_of(web.get(f"{target}/rendered", PNG)).max() == 20
        assert pixels_of(web.get(f"{target}/thumbnail", PNG)).max() == 20
        assert len(read_parts(web.get(f"{target}/rendered", "multipart/related; type=image/jpeg"))) == 3
    assert web.get(f"{path}/rendered?viewport=9,9,1,1,2,2").status_code == 400
    assert web.get(f"{path}/series/1.2.3.4/rendered").headers["Content-Type"].startswith("text/html")


def test_pictures_that_cannot_be_drawn_are_told_of_in_a_sheaf(web: WebClient) -> None:
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    good, short = ct(**uids), ct(**uids, PixelData=b"\0\0")
    web.keep(good, short)
    answer = web.get(f"/dicom-web/studies/{uids['StudyInstanceUID']}/rendered", "multipart/related")
    assert answer.status_code == 206
    assert "1 pictures" in answer.headers["Warning"]
    assert len(read_parts(answer)) == 1


@pytest.mark.parametrize("dataset", [pdf(), structured_report([]), ct(PixelData=None, Rows=None, Columns=None)])
def test_an_object_without_pixels_has_a_thumbnail(web: WebClient, dataset: Dataset) -> None:
    web.keep(dataset)
    assert max(pixels_of(web.get(f"{place(dataset)}/thumbnail")).shape) == 200


def test_a_colour_image_is_drawn_in_colour(web: WebClient) -> None:
    dataset = kept(web, colour(colours()))
    assert np.array_equal(pixels_of(web.get(f"{place(dataset)}/rendered", PNG)), colours())


def test_broken_pixels_are_a_problem_and_not_an_error(web: WebClient) -> None:
    dataset = kept(web, ct(PixelData=b"\0\0"))
    answer = web.get(f"{place(dataset)}/rendered")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pixels_that_are_no_codestream_are_a_problem(web: WebClient) -> None:
    dataset = ct(PixelData=pydicom.encaps.encapsulate([b"not a codestream"]))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    assert web.stow(stow_body(part10(dataset, JPEG2000Lossless))).status_code == 200
    assert web.get(f"{place(dataset)}/rendered").status_code in (422, 502)


def test_a_pdf_is_shown_by_the_browser_and_framed_by_us_only(web: WebClient) -> None:
    dataset = kept(web, pdf())
    for accept in ("", BROWSER_PAGE, "application/pdf"):
        answer = web.get(f"{place(dataset)}/rendered", accept)
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.content == PDF
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert web.get(f"{place(dataset)}/rendered", "image/jpeg").status_code == 406


def test_what_only_claims_to_be_a_pdf_is_refused(web: WebClient) -> None:
    dataset = kept(web, pdf(b"<html><script>alert(1)</script>"))
    assert web.get(f"{place(dataset)}/rendered").status_code == 422


def test_a_report_is_a_page_in_a_sandbox(web: WebClient) -> None:
    items = [content("TEXT", "Befund", TextValue="<b>Keine Auffälligkeiten</b> 無異常")]
    dataset = kept(web, structured_report(items, PatientName="Yamada^Tarou=山田^太郎"))
    answer = web.get(f"{place(dataset)}/rendered", BROWSER_PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "script-src" not in policy
    text = answer.content.decode()
    assert "&lt;b&gt;Keine Auffälligkeiten&lt;/b&gt; 無異常" in text
    assert "山田 太郎" in text
    known = web.get(f"{place(dataset)}/rendered", BROWSER_PAGE, If_None_Match=answer.headers["ETag"])
    assert known.status_code == 304
    assert known.headers["Content-Security-Policy"] == policy


def test_a_malformed_report_is_a_page_that_says_so(web: WebClient) -> None:
    path = get_testdata_file("test-SR.dcm")
    assert isinstance(path, str)
    dataset = kept(web, pydicom.dcmread(path))
    answer = web.get(f"{place(dataset)}/rendered", "text/html")
    assert answer.status_code == 200
    assert "Diagnosis" in answer.text


def test_an_electrocardiogram_is_svg(web: WebClient) -> None:
    dataset = kept(web, electrocardiogram(np.zeros((500, 2), np.int16), ["Lead I", "Lead II"]))
    for accept in ("", BROWSER_PAGE, BROWSER_IMAGE, "image/svg+xml"):
        answer = web.get(f"{place(dataset)}/rendered", accept)
        assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert ">II</text>" in answer.text


def asked(dataset: Dataset, **more: str) -> str:
    """Return a WADO-URI request."""
    parameters = {
        "requestType": "WADO", "studyUID": dataset.StudyInstanceUID, "seriesUID": dataset.SeriesInstanceUID,
        "objectUID": dataset.SOPInstanceUID, **more,
    }  # fmt: skip
    return "/wado?" + "&".join(f"{name}={value}" for name, value in parameters.items() if value)


def test_wado_uri_draws_an_image(web: WebClient, slice_: Dataset) -> None:
    assert web.get(asked(slice_)).headers["Content-Type"] == "image/jpeg"
    windowed = asked(slice_, contentType=PNG, windowCenter="40", windowWidth="400")
    assert np.array_equal(pixels_of(web.get(windowed)), pixels_of(web.get(f"{place(slice_)}/rendered", PNG)))
    part = asked(slice_, contentType=PNG, region="0,0,0.5,0.5", rows="8", columns="64")
    assert pixels_of(web.get(part)).shape == (8, 16)
    assert web.get(asked(slice_, frameNumber="2")).status_code == 404


def test_wado_uri_gives_the_object(web: WebClient, slice_: Dataset) -> None:
    answer = web.get(asked(slice_, contentType="application/dicom"))
    assert answer.headers["Content-Type"].startswith("application/dicom")
    assert pydicom.dcmread(BytesIO(answer.content)).SOPInstanceUID == slice_.SOPInstanceUID


def test_wado_uri_gives_papers(web: WebClient) -> None:
    paper, report = kept(web, pdf()), kept(web, structured_report([]))
    assert web.get(asked(paper)).content == PDF
    assert web.get(asked(paper, contentType="application/pdf")).content == PDF
    assert web.get(asked(report, contentType="text/html")).headers["Content-Type"].startswith("text/html")
    assert web.get(asked(report, contentType="image/jpeg")).status_code == 406


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"requestType": ""}, 400), ({"requestType": "WAD"}, 400), ({"studyUID": ""}, 400), ({"objectUID": "x"}, 400),
        ({"objectUID": "1.2.3.999"}, 404), ({"contentType": "image/gif"}, 406), ({"windowCenter": "1"}, 400),
        ({"anonymize": "yes"}, 400), ({"presentationUID": "1.2.3"}, 400), ({"rows": "-4"}, 400),
        ({"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.4.90"}, 406),
    ],
)  # fmt: skip
def test_wado_uri_refuses_plainly(web: WebClient, slice_: Dataset, change: dict[str, str], status: int) -> None:
    answer = web.get(asked(slice_, **change))
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
