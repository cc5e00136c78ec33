"""The DICOMweb store of the tests: what it takes, gives back and loses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.builders import instances
from tests.partners.orthanc import Orthanc

MULTIPART = 'multipart/related; type="application/dicom"; boundary=part'
SECONDS = 20


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """A server that runs and holds nothing."""
    with Orthanc(tmp_path / "orthanc") as started:
        yield started


def store(orthanc: Orthanc, file: bytes, auth: tuple[str, str] | None = None) -> requests.Response:
    """STOW-RS of one file."""
    body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--part--\r\n"
    headers = {"Content-Type": MULTIPART, "Accept": "application/dicom+json"}
    return requests.post(f"{orthanc.dicomweb}/studies", body, headers=headers, auth=auth, timeout=SECONDS)


def test_what_is_stored_is_given_back_byte_by_byte(orthanc: Orthanc) -> None:
    dataset = instances.ct()
    file = instances.part10(dataset)
    assert not orthanc.instances()
    assert store(orthanc, file).status_code == 200
    assert list(orthanc.instances()) == [dataset.SOPInstanceUID]
    assert orthanc.file(dataset.SOPInstanceUID) == file
    assert orthanc.digest(dataset.SOPInstanceUID) == hashlib.sha256(file).hexdigest()


def test_instances_outlive_a_stop_and_can_be_lost(orthanc: Orthanc) -> None:
    dataset = instances.ct()
    store(orthanc, instances.part10(dataset)).raise_for_status()
    assert orthanc.stop() == 0
    orthanc.restart()
    assert list(orthanc.instances()) == [dataset.SOPInstanceUID]
    orthanc.delete(dataset.SOPInstanceUID)
    assert not orthanc.instances()
    store(orthanc, instances.part10(dataset)).raise_for_status()
    orthanc.kill()
    orthanc.wipe()
    orthanc.restart()
    assert not orthanc.instances()


def test_a_paused_server_answers_nothing_until_it_goes_on(orthanc: Orthanc) -> None:
    orthanc.pause()
    with pytest.raises(requests.Timeout):
        requests.get(f"{orthanc.dicomweb}/studies", timeout=0.3)
    orthanc.resume()
    assert requests.get(f"{orthanc.dicomweb}/studies", timeout=SECONDS).status_code == 200


def test_a_server_with_passwords_refuses_strangers(tmp_path: Path) -> None:
    with Orthanc(tmp_path / "orthanc", user=("box", "secret")) as orthanc:
        file = instances.part10(instances.ct())
        assert store(orthanc, file).status_code == 401
        assert store(orthanc, file, ("box", "secret")).status_code == 200
        assert len(orthanc.instances()) == 1
