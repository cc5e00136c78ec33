"""WADO-RS frames against a running room: the stored bytes of every frame, truthfully labelled."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pydicom
import pydicom.data
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, read_parts, stow_body
from tests.partners.appliance import Appliance

OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
FRAMES = [bytes([n]) * (100 + 2 * n) for n in range(1, 4)]


def frames_path(dataset: Dataset, numbers: str = "1") -> str:
    """Return the path of some frames."""
    return (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}/frames/{numbers}"
    )


def stored(web: WebClient, syntax: str, **attributes: Any) -> Dataset:
    """Store one image in a transfer syntax."""
    dataset = ct(**attributes)
    assert web.stow(stow_body(part10(dataset, syntax))).status_code == 200
    return dataset


def compressed(web: WebClient, syntax: str = JPEGLSLossless, **attributes: Any) -> Dataset:
    """Store three compressed frames."""
    pixels = {"PixelData": encapsulate(FRAMES), "NumberOfFrames": 3, **attributes}
    dataset = ct(**pixels)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    assert web.stow(stow_body(part10(dataset, syntax))).status_code == 200
    return dataset


def native(count: int) -> bytes:
    """Return the pixels of `count` frames of 16 by 16 words, all different."""
    return b"".join(n.to_bytes(2, "little") for n in range(256 * count))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed_frames_are_cut_out_of_the_pixel_data(web: WebClient, syntax: str) -> None:
    dataset = stored(web, syntax, PixelData=native(3), NumberOfFrames=3)
    parts = read_parts(web.get(frames_path(dataset, "3,1"), OHIF))
    label = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    assert parts == [(label, native(3)[1024:]), (label, native(3)[:512])]


def test_frames_of_a_big_endian_object_are_little_endian(web: WebClient) -> None:
    swapped = b"".join(n.to_bytes(2, "big") for n in range(512))
    dataset = stored(web, ExplicitVRBigEndian, PixelData=swapped, NumberOfFrames=2)
    assert read_parts(web.get(frames_path(dataset, "2"), OHIF)) == [
        (f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}", native(2)[512:])
    ]


def test_any_transfer_syntax_gets_the_stored_frame_with_its_true_label(web: WebClient) -> None:
    dataset = compressed(web)
    answer = web.get(frames_path(dataset, "2"), OHIF)
    assert read_parts(answer) == [(f"application/octet-stream; transfer-syntax={JPEGLSLossless}", FRAMES[1])]
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert f"Content-Location: {web.url}{frames_path(dataset, '2')}".encode() in answer.content


@pytest.mark.parametrize(
    ("syntax", "media_type"),
    [(JPEGLSLossless, "image/jls"), (JPEG2000Lossless, "image/jp2"), (RLELossless, "image/dicom-rle")],
)
def test_a_compressed_frame_has_its_own_media_type(web: WebClient, syntax: str, media_type: str) -> None:
    dataset = compressed(web, syntax)
    label = f"{media_type}; transfer-syntax={syntax}"
    single = web.get(frames_path(dataset, "3"), media_type)
    assert (single.headers["Content-Type"], single.content) == (label, FRAMES[2])
    several = web.get(frames_path(dataset, "1,2,3"), f'multipart/related; type="{media_type}"')
    assert read_parts(several) == [(label, frame) for frame in FRAMES]
    assert read_parts(web.get(frames_path(dataset), "*/*")) == [(label, FRAMES[0])]


def test_one_frame_comes_without_multipart_where_that_is_asked(web: WebClient) -> None:
    dataset = stored(web, ExplicitVRLittleEndian, PixelData=native(1))
    answer = web.get(frames_path(dataset), "application/octet-stream")
    assert answer.content == native(1)
    assert answer.headers["Content-Type"] == f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    part = web.get(frames_path(dataset), "application/octet-stream", Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, native(1)[10:20])
    assert part.headers["Content-Range"] == "bytes 10-19/512"


def test_what_cannot_be_given_is_not_acceptable(web: WebClient) -> None:
    dataset = compressed(web)
    for accept in ("application/dicom", "image/jp2", f"{OHIF[:-1]}{JPEG2000Lossless}", "text/html"):
        assert web.get(frames_path(dataset), accept).status_code == 406
    several = stored(web, ExplicitVRLittleEndian, PixelData=native(2), NumberOfFrames=2)
    assert web.get(frames_path(several, "1,2"), "application/octet-stream").status_code == 406


def test_frames_that_are_not_there_are_not_found(web: WebClient) -> None:
    dataset = compressed(web)
    assert web.get(frames_path(dataset, "4"), OHIF).status_code == 404
    assert web.get(frames_path(dataset, "1,9"), OHIF).status_code == 404
    without = stored(web, ExplicitVRLittleEndian, PixelData=None)
    assert web.get(frames_path(without), OHIF).status_code == 404
    assert web.get(frames_path(ct()), OHIF).status_code == 404
    for numbers in ("0", "x", "1,,2", "-1", "1.5", "99999999", "²"):
        assert web.get(frames_path(dataset, numbers), OHIF).status_code == 400


def test_a_frame_need_not_be_sent_twice(web: WebClient) -> None:
    dataset = compressed(web)
    first = web.get(frames_path(dataset), OHIF)
    assert first.headers["Cache-Control"].startswith("private")
    again = web.get(frames_path(dataset), OHIF, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert web.get(frames_path(dataset), OHIF).content == first.content
    other = web.get(frames_path(dataset, "2"), OHIF, If_None_Match=first.headers["ETag"])
    assert other.status_code == 200


def test_the_extended_offset_table_is_followed(web: WebClient) -> None:
    data, offsets, lengths = encapsulate_extended(FRAMES)
    dataset = compressed(web, PixelData=data, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert [body for _, body in read_parts(web.get(frames_path(dataset, "1,2,3"), OHIF))] == FRAMES


def test_a_frame_in_several_fragments_is_put_together(web: WebClient) -> None:
    dataset = compressed(web, PixelData=encapsulate(FRAMES, fragments_per_frame=3))
    assert [body for _, body in read_parts(web.get(frames_path(dataset, "3,2"), OHIF))] == [FRAMES[2], FRAMES[1]]


def test_a_video_is_one_frame(web: WebClient) -> None:
    dataset = compressed(web, MPEG4HP41, NumberOfFrames=900)
    answer = web.get(frames_path(dataset), "video/mp4")
    assert answer.content == b"".join(FRAMES)
    assert web.get(frames_path(dataset, "2"), "video/mp4").status_code == 404


def test_a_known_client_retrieves_frames(appliance: Appliance, web: WebClient) -> None:
    dataset = compressed(web)
    study, series, sop = (str(dataset[name].value) for name in UIDS)
    client = DICOMwebClient(appliance.dicomweb)
    wanted = (("image/jls", JPEGLSLossless),)
    found = client.retrieve_instance_frames(study, series, sop, frame_numbers=[1, 3], media_types=wanted)
    assert found == [FRAMES[0], FRAMES[2]]


def test_parts_of_an_instance_can_be_fetched(web: WebClient) -> None:
    dataset = stored(web, ExplicitVRLittleEndian, PixelData=native(1))
    path = frames_path(dataset).rpartition("/frames")[0]
    whole = web.get(path, "application/dicom")
    part = web.get(path, "application/dicom", Range="bytes=-100", If_Range=whole.headers["ETag"])
    assert (part.status_code, part.content) == (206, whole.content[-100:])
    assert web.get(path, "application/dicom", Range="bytes=99999999-").status_code == 416
    changed = web.get(path, "application/dicom", Range="bytes=0-9", If_Range='"other"')
    assert (changed.status_code, changed.content) == (200, whole.content)


def test_parts_of_bulk_data_are_little_endian_too(web: WebClient) -> None:
    swapped = b"".join(n.to_bytes(2, "big") for n in range(1024))
    dataset = stored(web, ExplicitVRBigEndian, PixelData=swapped, NumberOfFrames=4)
    path = frames_path(dataset).replace("/frames/1", "/bulkdata/7FE00010")
    part = web.get(path, Range="bytes=101-202")
    assert (part.status_code, part.content) == (206, native(4)[101:203])
    again = web.get(path, If_None_Match=part.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


EXPLICIT = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"


def known(name: str) -> Dataset:
    """Return one of pydicom's test files."""
    return pydicom.dcmread(str(pydicom.data.get_testdata_file(name)))


def sample(web: WebClient, name: str, study_uid: str = "") -> Dataset:
    """Store one of pydicom's test files as a new instance."""
    dataset = known(name)
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = generate_uid(), study_uid or generate_uid()
    file = part10(dataset, dataset.file_meta.TransferSyntaxUID)
    assert web.stow(stow_body(file)).status_code == 200
    return dataset


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_a_compressed_frame_is_decoded_for_who_asks_for_uncompressed(web: WebClient, name: str) -> None:
    truth = known("MR_small.dcm").PixelData
    dataset = sample(web, name)
    for accept in ('multipart/related; type="application/octet-stream"', f"multipart/related; type={EXPLICIT}"):
        assert read_parts(web.get(frames_path(dataset), accept)) == [(EXPLICIT, truth)]
    assert web.get(frames_path(dataset), "application/octet-stream").content == truth
    stored_syntax = str(dataset.file_meta.TransferSyntaxUID)
    assert stored_syntax in read_parts(web.get(frames_path(dataset), OHIF))[0][0]


def test_frames_that_no_decoder_can_read_have_a_clear_answer(web: WebClient) -> None:
    dataset = compressed(web, RLELossless)
    answer = web.get(frames_path(dataset), "application/octet-stream")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"])
def test_an_instance_is_transcoded_for_who_asks_for_explicit_little_endian(web: WebClient, name: str) -> None:
    truth = known("MR_small.dcm")
    dataset = sample(web, name)
    path = frames_path(dataset).rpartition("/frames")[0]
    accept = f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    answer = web.get(path, accept)
    assert answer.headers["Content-Type"] == accept
    found = pydicom.dcmread(BytesIO(answer.content))
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (found.PixelData, found.SOPInstanceUID) == (truth.PixelData, dataset.SOPInstanceUID)
    assert web.get(path, accept, If_None_Match=answer.headers["ETag"]).status_code == 304


def test_a_series_of_mixed_syntaxes_comes_in_the_one_asked_for(web: WebClient) -> None:
    first = sample(web, "MR_small_RLE.dcm")
    second = sample(web, "MR_small.dcm", first.StudyInstanceUID)
    path = f"/dicom-web/studies/{first.StudyInstanceUID}"
    wanted = f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    parts = read_parts(web.get(path, f'multipart/related; type="application/dicom"; {wanted.partition("; ")[2]}'))
    assert {label for label, _ in parts} == {wanted}
    found = {str(file.SOPInstanceUID): file.PixelData for _, body in parts for file in [pydicom.dcmread(BytesIO(body))]}
    assert found == {str(one.SOPInstanceUID): second.PixelData for one in (first, second)}
    as_stored = read_parts(web.get(path, 'multipart/related; type="application/dicom"; transfer-syntax=*'))
    assert {label.rpartition("=")[2] for label, _ in as_stored} == {RLELossless, ExplicitVRLittleEndian}
