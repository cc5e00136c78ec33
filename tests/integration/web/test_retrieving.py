"""WADO-RS against a running room: what went in comes out, byte for byte."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from appliance.archive.group2 import read_labels
from tests.builders.instances import ct, encode, part10, series
from tests.integration.web.client import WebClient, read_parts, stow_body
from tests.partners.appliance import Appliance

DICOM = 'multipart/related; type="application/dicom"'


def path_of(dataset: Dataset, level: str = "instance") -> str:
    parts = {
        "study": f"/dicom-web/studies/{dataset.StudyInstanceUID}",
        "series": f"/series/{dataset.SeriesInstanceUID}",
        "instance": f"/instances/{dataset.SOPInstanceUID}",
    }
    names = list(parts)
    return "".join(parts[name] for name in names[: names.index(level) + 1])


def data_set_of(file: bytes) -> bytes:
    stream = BytesIO(file)
    _, start = read_labels(stream)
    return start + stream.read()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_an_instance_comes_back_byte_for_byte(web: WebClient, syntax: str) -> None:
    dataset = ct()
    assert web.stow(stow_body(part10(dataset, syntax))).status_code == 200
    ((content_type, _),) = read_parts(web.get(path_of(dataset), f"{DICOM}; transfer-syntax=*"))
    assert content_type == f"application/dicom; transfer-syntax={syntax}"
    single = web.get(path_of(dataset), "application/dicom")
    assert single.headers["Content-Length"] == str(len(single.content))
    assert data_set_of(single.content) == encode(dataset, syntax)


def test_a_known_client_retrieves_at_every_level(appliance: Appliance, web: WebClient) -> None:
    slices = list(series(3))
    web.keep(*slices)
    client = DICOMwebClient(appliance.dicomweb)
    study, one = str(slices[0].StudyInstanceUID), str(slices[0].SeriesInstanceUID)
    assert {file.SOPInstanceUID for file in client.retrieve_study(study)} == {s.SOPInstanceUID for s in slices}
    assert len(client.retrieve_series(study, one)) == 3
    file = client.retrieve_instance(study, one, str(slices[1].SOPInstanceUID))
    assert file.PixelData == slices[1].PixelData
    assert [m["00200013"]["Value"] for m in client.retrieve_series_metadata(study, one)] == [[1], [2], [3]]
    assert client.retrieve_instance_metadata(study, one, str(slices[0].SOPInstanceUID))["00100020"]


def test_the_announced_length_is_the_length_of_a_multipart_answer(web: WebClient) -> None:
    slices = list(series(2))
    web.keep(*slices)
    answer = web.get(path_of(slices[0], "study"))
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert len(read_parts(answer)) == 2
    head = web.ask("HEAD", path_of(slices[0], "study"))
    assert (head.status_code, head.content) == (200, b"")


def test_another_transfer_syntax_than_the_stored_one_is_not_acceptable(web: WebClient) -> None:
    dataset = ct()
    web.keep(dataset)
    for accept in (
        f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90",
        "image/jpeg",
        "application/dicom+json",
    ):
        assert web.get(path_of(dataset), accept).status_code == 406
    for accept in (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1", "*/*", "application/dicom"):
        assert web.get(path_of(dataset), accept).status_code == 200


def test_what_is_not_stored_is_not_found(web: WebClient) -> None:
    dataset = ct()
    for level in ("study", "series", "instance"):
        assert web.get(path_of(dataset, level)).status_code == 404
        assert web.get(path_of(dataset, level) + "/metadata").status_code == 404
    web.keep(dataset)
    assert web.get(path_of(dataset) + "/bulkdata/00420011").status_code == 404
    assert web.get(path_of(ct(StudyInstanceUID=dataset.StudyInstanceUID))).status_code == 404


def test_a_study_downloads_as_a_zip_archive(web: WebClient) -> None:
    slices = list(series(2))
    web.keep(*slices)
    answer = web.get(path_of(slices[0], "study") + "?accept=application/zip", "text/html")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {f"{s.SeriesInstanceUID}/{s.SOPInstanceUID}.dcm" for s in slices}
        assert dcmread(BytesIO(archive.read(archive.namelist()[0]))).PatientID == "PAT-1"


def test_an_unchanged_instance_need_not_be_sent_again(web: WebClient) -> None:
    dataset = ct()
    web.keep(dataset)
    first = web.get(path_of(dataset), "application/dicom")
    again = web.get(path_of(dataset), "application/dicom", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "private" in first.headers["Cache-Control"]


def test_bulk_data_are_where_the_metadata_say(web: WebClient) -> None:
    item = Dataset()
    item.EncapsulatedDocument = b"%PDF-1.4" * 500
    dataset = ct(PixelData=b"\1\2" * 4096, ReferencedImageSequence=Sequence([item]))
    web.keep(dataset)
    (metadata,) = web.get(path_of(dataset) + "/metadata").json()
    pixels = metadata["7FE00010"]["BulkDataURI"]
    nested = metadata["00081140"]["Value"][0]["00420011"]["BulkDataURI"]
    for uri, expected in ((pixels, b"\1\2" * 4096), (nested, b"%PDF-1.4" * 500)):
        assert uri.startswith(web.url)
        path = uri.removeprefix(web.url)
        answer = web.get(path)
        assert (answer.headers["Content-Type"], answer.content) == ("application/octet-stream", expected)
        ((content_type, body),) = read_parts(web.get(path, 'multipart/related; type="application/octet-stream"'))
        assert (content_type, body) == ("application/octet-stream", expected)


def test_bulk_data_are_little_endian_whatever_is_stored(web: WebClient) -> None:
    stored = b"\2\1" * 4096
    for syntax, expected in ((ExplicitVRBigEndian, b"\1\2" * 4096), (DeflatedExplicitVRLittleEndian, stored)):
        dataset = ct(PixelData=stored)
        assert web.stow(stow_body(part10(dataset, syntax))).status_code == 200
        assert web.get(path_of(dataset) + "/bulkdata/7FE00010").content == expected


def test_metadata_come_as_xml_too(web: WebClient) -> None:
    dataset = ct()
    web.keep(dataset)
    ((content_type, body),) = read_parts(
        web.get(path_of(dataset, "study") + "/metadata", 'multipart/related; type="application/dicom+xml"')
    )
    assert content_type == "application/dicom+xml"
    assert str(dataset.SOPInstanceUID).encode() in body


def _find_file(appliance: Appliance, dataset: Dataset) -> Any:
    (path,) = (appliance.home / "archive").rglob(f"{dataset.SOPInstanceUID}.dcm")
    return path


def test_an_instance_that_cannot_be_read_is_answered_from_the_index(appliance: Appliance, web: WebClient) -> None:
    uid = generate_uid()
    good, bad = ct(StudyInstanceUID=uid), ct(StudyInstanceUID=uid, PatientID="INDEXED")
    web.keep(good, bad)
    path = _find_file(appliance, bad)
    whole = path.read_bytes()
    start = len(whole) - len(data_set_of(whole))
    path.chmod(0o600)
    path.write_bytes(whole[:start] + b"\xff" * (len(whole) - start))
    answer = web.get(path_of(good, "study") + "/metadata")
    assert answer.status_code == 200
    assert "The metadata of 1 instances are incomplete" in answer.headers["Warning"]
    by_uid = {metadata["00080018"]["Value"][0]: metadata for metadata in answer.json()}
    assert by_uid[str(bad.SOPInstanceUID)]["00280010"]["Value"] == [16]
    assert by_uid[str(good.SOPInstanceUID)]["7FE00010"]
