"""STOW-RS against a running room: a result for every instance, and nothing half stored."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from dicomweb_client import DICOMwebClient
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from tests.builders.instances import ct, part10, series
from tests.integration.web.client import BOUNDARY, STOW, WebClient, stow_body
from tests.partners.appliance import Appliance

FAILED, STORED, OTHER = "00081198", "00081199", "0008119A"


def reasons(answer: dict[str, Any], sequence: str = FAILED) -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.get(sequence, {}).get("Value", [])]


def stored(answer: dict[str, Any]) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(STORED, {}).get("Value", [])]


def test_a_known_client_stores_a_study(appliance: Appliance, web: WebClient) -> None:
    slices = list(series(2))
    files = [dcmread(DicomBytesIO(part10(dataset))) for dataset in slices]
    report = DICOMwebClient(appliance.dicomweb).store_instances(files)
    assert len(report.ReferencedSOPSequence) == 2
    assert report.RetrieveURL == f"{appliance.dicomweb}/studies/{slices[0].StudyInstanceUID}"
    assert len(web.search(f"/studies/{slices[0].StudyInstanceUID}/instances")) == 2


def test_the_same_instance_twice_is_a_success_twice(web: WebClient) -> None:
    dataset = ct()
    web.keep(dataset)
    answer = web.stow(stow_body(part10(dataset), part10(dataset)))
    assert answer.status_code == 200
    assert stored(answer.json()) == [dataset.SOPInstanceUID] * 2


def test_some_failures_are_accepted_and_told_apart(web: WebClient) -> None:
    good, cut = ct(), part10(ct())[:-100]
    answer = web.stow(stow_body(part10(good), cut, b"this is not DICOM"))
    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert stored(answer.json()) == [good.SOPInstanceUID]
    assert reasons(answer.json()) == [0xC000]
    assert reasons(answer.json(), OTHER) == [0xC000]


def test_an_instance_of_another_study_is_not_stored(web: WebClient) -> None:
    mine, other = ct(), ct()
    answer = web.stow(stow_body(part10(mine), part10(other)), study_uid=str(mine.StudyInstanceUID))
    assert answer.status_code == 202
    assert reasons(answer.json()) == [0xA900]
    assert web.search("/studies", StudyInstanceUID=str(other.StudyInstanceUID)) == []
    assert web.stow(stow_body(part10(other)), study_uid=str(mine.StudyInstanceUID)).status_code == 409


def test_a_part_of_another_kind_is_a_failure_of_its_own(web: WebClient) -> None:
    answer = web.stow(stow_body(b"{}", content_type="application/json"))
    assert answer.status_code == 409
    assert reasons(answer.json(), OTHER) == [0xC000]


def test_the_report_comes_as_xml_when_asked(web: WebClient) -> None:
    answer = web.stow(stow_body(part10(ct())), Accept="application/dicom+xml")
    assert answer.headers["Content-Type"] == "application/dicom+xml"
    assert b"ReferencedSOPSequence" in answer.content
    assert web.stow(stow_body(part10(ct())), Accept="text/html").status_code == 406


@pytest.mark.parametrize("cut", [1, 30, 60, 400])
def test_a_message_cut_short_keeps_and_names_what_was_complete(web: WebClient, cut: int) -> None:
    first, second = ct(), ct()
    answer = web.stow(stow_body(part10(first), part10(second))[: -len(f"--{BOUNDARY}--") - cut])
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["stored"] == [first.SOPInstanceUID]
    assert web.search("/studies", StudyInstanceUID=str(second.StudyInstanceUID)) == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ('multipart/related; type="application/dicom"', 400),
        (f'multipart/related; type="application/dicom"; boundary={"x" * 80}', 400),
        (f'multipart/related; type="application/dicom+json"; boundary={BOUNDARY}', 415),
        (f"multipart/form-data; boundary={BOUNDARY}", 415),
        ("application/dicom", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_another_content_type_is_refused(web: WebClient, content_type: str, status: int) -> None:
    answer = web.ask("POST", "/dicom-web/studies", data=stow_body(part10(ct())), headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_an_empty_message_is_refused(web: WebClient) -> None:
    assert web.stow(b"").status_code == 400


def test_a_compressed_body_is_refused(web: WebClient) -> None:
    assert web.stow(gzip.compress(stow_body(part10(ct()))), Content_Encoding="gzip").status_code == 415


def test_a_body_in_chunks_of_unknown_length_is_stored(web: WebClient) -> None:
    body, dataset = b"", ct()
    body = stow_body(part10(dataset))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    answer = web.ask("POST", "/dicom-web/studies", data=pieces(), headers={"Content-Type": STOW})
    assert stored(answer.json()) == [dataset.SOPInstanceUID]
