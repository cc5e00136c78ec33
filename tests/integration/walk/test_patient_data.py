"""Invariant 8: a planted patient goes through every door, and appears in no log, metric, header or error."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode, part10
from tests.partners.appliance import Appliance
from tests.partners.raw_scu import RawScu
from tests.waiting import wait_until

EXPLICIT = "1.2.840.10008.1.2.1"
PLANTED = {
    "PatientName": "ZANZIBAR^QUENTIN",
    "PatientID": "MRN-7739251",
    "PatientBirthDate": "19371109",
    "AccessionNumber": "ACC-5518823",
    "StudyDescription": "PLANTED-DESCRIPTION",
    "ReferringPhysicianName": "OBSCURUS^MAGNUS",
}
TELLTALES = ("zanzibar", "quentin", "7739251", "19371109", "5518823", "planted-description", "obscurus")


def found_in(text: str) -> list[str]:
    return [word for word in TELLTALES if word in text.lower()]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A whole appliance at its default log level, with the planted patient sent in every way there is."""
    home = tmp_path_factory.mktemp("planted") / "home"
    with Appliance(home) as box:
        box.start("run")
        box.wait_ready()
        store_in_every_way(box)
        wait_until(lambda: box.status()["sinks"]["outbound"]["pending"] == 0, 30)
        yield box


def store_in_every_way(box: Appliance) -> None:
    dataset = ct(**PLANTED)
    uid = str(dataset.SOPInstanceUID)
    good, conflicting = encode(dataset), encode(ct(**PLANTED, SOPInstanceUID=uid))
    without_study = encode(ct(**PLANTED, StudyInstanceUID=None))
    with RawScu("127.0.0.1", box.scp_port, contexts=((CT_IMAGE_STORAGE, (EXPLICIT,)),)) as scu:
        statuses = [
            scu.store(CT_IMAGE_STORAGE, sop_uid, EXPLICIT, data)
            for sop_uid, data in ((uid, good), (uid, good), (uid, conflicting), ("1.2.3", without_study))
        ]
        statuses.append(scu.store(CT_IMAGE_STORAGE, uid, EXPLICIT, good[:-20]))
    assert statuses == [0, 0, 0, 0xC000, 0xC000]
    stow(box, part10(ct(**PLANTED)) + b"")
    stow(box, part10(ct(**PLANTED, SeriesInstanceUID=None)))
    stow(box, b"ZANZIBAR^QUENTIN is no DICOM file")


def stow(box: Appliance, content: bytes) -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
    fetch(box, "/dicom-web/studies", body)


def fetch(box: Appliance, path: str, body: bytes | None = None) -> tuple[int, str, str]:
    """Status, headers and body of one exchange."""
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'} if body else {}
    request = urllib.request.Request(box.url + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, str(response.headers), response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers), error.read().decode("utf-8", "replace")


def test_the_patient_is_there_to_be_leaked(box: Appliance) -> None:
    _, _, body = fetch(box, "/dicom-web/studies?PatientID=MRN-7739251")
    assert "zanzibar" in body.lower()


QUERIES = (
    "/dicom-web/studies?PatientName=ZANZIBAR*",
    "/dicom-web/studies?NoSuchAttribute=ZANZIBAR",
    "/dicom-web/studies?StudyDate=ZANZIBAR",
    "/dicom-web/studies?limit=ZANZIBAR",
    "/dicom-web/studies/ZANZIBAR/metadata",
    "/?name=ZANZIBAR&date=ZANZIBAR",
    "/studies/ZANZIBAR",
    "/no/such/page/ZANZIBAR",
)


@pytest.mark.parametrize("path", QUERIES)
def test_invariant_8_no_header_carries_the_patient(box: Appliance, path: str) -> None:
    status, headers, body = fetch(box, path)
    assert status < 500
    assert found_in(headers) == []
    if status >= 400:
        assert found_in(body) == [], "an error must not repeat what was asked"


def test_invariant_8_no_metric_carries_the_patient(box: Appliance) -> None:
    status, _, body = fetch(box, "/metrics")
    assert status == 200
    assert "dicom_edge_" in body
    assert found_in(body) == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_invariant_8_no_health_answer_carries_the_patient(box: Appliance, path: str) -> None:
    assert found_in(fetch(box, path)[2]) == []


@pytest.mark.parametrize(
    "verb",
    [("status", "--json"), ("outbox", "list", "--json"), ("dead", "list", "--json"), ("quarantine", "list", "--json"),
     ("conflict", "list", "--json"), ("callers", "list", "--json"), ("config", "show"), ("fsck",)],
)  # fmt: skip
def test_invariant_8_no_listing_carries_the_patient(box: Appliance, verb: tuple[str, ...]) -> None:
    done = box.command(*verb, check=False)
    assert found_in(done.stdout + done.stderr) == []


def test_invariant_8_no_published_file_or_process_title_carries_the_patient(box: Appliance) -> None:
    published = list((box.home / "run").iterdir())
    assert published
    for path in published:
        assert found_in(path.read_text(errors="replace")) == []
    for room in ("scp", "web", "sync"):
        title = Path(f"/proc/{box.room_pid(room)}/cmdline").read_bytes().decode(errors="replace")
        assert found_in(title) == []


def test_invariant_8_no_log_line_carries_the_patient(box: Appliance) -> None:
    """Last, so that everything above has been logged too."""
    fetch(box, "/dicom-web/studies?PatientName=ZANZIBAR*")
    text = box.output()
    assert "association" in text
    assert found_in(text) == []
