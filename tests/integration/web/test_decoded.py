"""Pixels that the web room decodes for who asks: frames, and whole instances."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from tests.builders.instances import part10
from tests.integration.web.client import WebClient, read_parts, stow_body

NAMES = ("MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "JPEG-LL.dcm", "emri_small_jpeg_ls_lossless.dcm")
LITTLE = "1.2.840.10008.1.2.1"


def stored(web: WebClient, name: str) -> tuple[pydicom.Dataset, str]:
    """Store a file of pydicom's; return it, and the path of its instance."""
    path = get_testdata_file(name)
    if not isinstance(path, str):
        pytest.skip(f"pydicom-data has no {name}")
    dataset = pydicom.dcmread(path)
    assert web.stow(stow_body(Path(path).read_bytes())).status_code == 200
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    return dataset, "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids)


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_comes_decoded_for_who_wants_it_plain(web: WebClient, name: str) -> None:
    dataset, path = stored(web, name)
    pixels = dataset.pixel_array
    frames = int(dataset.get("NumberOfFrames") or 1)
    answer = web.get(f"{path}/frames/{frames}", f"application/octet-stream; transfer-syntax={LITTLE}")
    assert answer.status_code == 200, answer.text
    last = pixels if frames == 1 else pixels[-1]
    np.testing.assert_array_equal(np.frombuffer(answer.content, last.dtype).reshape(last.shape), last)


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_comes_transcoded_for_who_wants_it_plain(web: WebClient, name: str) -> None:
    dataset, path = stored(web, name)
    answer = web.get(path, f"application/dicom; transfer-syntax={LITTLE}")
    assert answer.status_code == 200, answer.text
    plain = pydicom.dcmread(io.BytesIO(answer.content))
    assert plain.file_meta.TransferSyntaxUID == LITTLE
    np.testing.assert_array_equal(plain.pixel_array, dataset.pixel_array)


def series_of(*datasets: pydicom.Dataset) -> str:
    """Make these one series, numbered in order; return its path."""
    study, series = generate_uid(), generate_uid()
    for number, dataset in enumerate(datasets, 1):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID, dataset.InstanceNumber = generate_uid(), number
    return f"/dicom-web/studies/{study}/series/{series}"


def known(name: str) -> pydicom.Dataset:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return pydicom.dcmread(path)


def test_an_object_without_pixels_goes_along_in_a_series_that_is_decoded(web: WebClient) -> None:
    image, bare = known("MR_small_RLE.dcm"), known("MR_small_implicit.dcm")
    del bare.PixelData
    path = series_of(image, bare)
    for dataset in (image, bare):
        file = part10(dataset, dataset.file_meta.TransferSyntaxUID)
        assert web.stow(stow_body(file)).status_code == 200
    parts = read_parts(web.get(path, f'multipart/related; type="application/dicom"; transfer-syntax={LITTLE}'))
    found = [pydicom.dcmread(io.BytesIO(body)) for _, body in parts]
    assert [file.SOPInstanceUID for file in found] == [image.SOPInstanceUID, bare.SOPInstanceUID]
    assert ["PixelData" in file for file in found] == [True, False]


def test_an_answer_that_breaks_off_can_be_told_from_a_whole_one(web: WebClient) -> None:
    good, bad = known("MR_small_RLE.dcm"), known("MR_small_RLE.dcm")
    bad.PixelData = encapsulate([b"no RLE at all "])
    path = series_of(good, bad)
    for dataset in (good, bad):
        file = part10(dataset, dataset.file_meta.TransferSyntaxUID)
        assert web.stow(stow_body(file)).status_code == 200
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={LITTLE}'
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        web.get(path, accept)
    with contextlib.closing(web.ask("GET", path, headers={"Accept": accept}, stream=True)) as answer:
        boundary = answer.headers["Content-Type"].rpartition("boundary=")[2]
        received = b""
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
            for piece in answer.iter_content(4096):
                received += piece
    assert str(good.SOPInstanceUID).encode() in received
    assert f"--{boundary}--".encode() not in received


def test_each_representation_has_an_etag_of_its_own_and_its_parts_can_be_asked_for(web: WebClient) -> None:
    dataset = known(NAMES[1])
    path = f"{series_of(dataset)}/instances/{dataset.SOPInstanceUID}"
    assert web.stow(stow_body(part10(dataset, dataset.file_meta.TransferSyntaxUID))).status_code == 200
    decoded = f"application/dicom; transfer-syntax={LITTLE}"
    frame = f"application/octet-stream; transfer-syntax={LITTLE}"
    asked = [
        (path, "application/dicom; transfer-syntax=*"), (path, decoded), (f"{path}/frames/1", frame),
        (f"{path}/frames/1", "image/dicom-rle"), (f"{path}/frames/1/rendered", "image/png"),
        (f"{path}/frames/1/rendered", "image/jpeg"), (f"{path}/frames/1/rendered?quality=10", "image/jpeg"),
    ]  # fmt: skip
    whole = [web.get(place, accept) for place, accept in asked]
    assert [answer.status_code for answer in whole] == [200] * len(asked)
    assert len({answer.headers["ETag"] for answer in whole}) == len(asked)
    for (place, accept), answer in zip(asked, whole, strict=True):
        etag = answer.headers["ETag"]
        again = web.get(place, accept, If_None_Match=etag)
        assert (again.status_code, again.content) == (304, b"")
        head = web.ask("HEAD", place, headers={"Accept": accept})
        assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", etag)
        assert head.headers["Content-Length"] == str(len(answer.content))
        part = web.get(place, accept, Range="bytes=10-19", If_Range=etag)
        ranged = "Accept-Ranges" in answer.headers
        assert part.content == (answer.content[10:20] if ranged else answer.content)
        assert part.status_code == (206 if ranged else 200)
        assert web.get(place, accept, Range="bytes=10-19", If_Range='"another"').content == answer.content


def test_many_frames_are_decoded_into_one_answer(web: WebClient) -> None:
    dataset, path = stored(web, NAMES[3])
    numbers = [1, 10, 1, 5]
    answer = web.get(
        f"{path}/frames/{','.join(map(str, numbers))}",
        f'multipart/related; type="application/octet-stream"; transfer-syntax={LITTLE}',
    )
    pixels = dataset.pixel_array
    assert [body for _, body in read_parts(answer)] == [pixels[number - 1].tobytes() for number in numbers]


def test_wado_uri_gives_explicit_little_endian_where_that_is_asked(web: WebClient) -> None:
    dataset = known(NAMES[1])
    series_of(dataset)
    assert web.stow(stow_body(part10(dataset, dataset.file_meta.TransferSyntaxUID))).status_code == 200
    query = (
        f"/wado?requestType=WADO&studyUID={dataset.StudyInstanceUID}&seriesUID={dataset.SeriesInstanceUID}"
        f"&objectUID={dataset.SOPInstanceUID}&contentType=application/dicom"
    )
    answer = web.get(f"{query}&transferSyntax={LITTLE}")
    assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == LITTLE
    assert web.get(f"{query}&transferSyntax=1.2.840.10008.1.2.4.70").status_code == 406


def test_the_children_are_counted(web: WebClient) -> None:
    _, path = stored(web, NAMES[0])
    web.get(f"{path}/frames/1", f"application/octet-stream; transfer-syntax={LITTLE}")
    text = web.get("/metrics").text
    assert 'dicom_edge_codec_tasks_total{operation="native",result="done"}' in text
