"""Objects no honest device sends, through both doors: a clear refusal, kept in quarantine, harmless."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from appliance.archive import fsck
from appliance.archive.room import Archive
from tests.archives import new_archive, small_settings
from tests.builders.hostile import Hostile, bomb, odd, refused
from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode, part10_of
from tests.partners.appliance import Appliance
from tests.partners.memory import peak_resident_bytes, reset_peak, resident_bytes
from tests.partners.raw_scu import RawScu

CANNOT_UNDERSTAND = 0xC000
MIB = 1 << 20
CLAIMED = "1.2.3.4"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    home = tmp_path_factory.mktemp("hostile") / "home"
    new_archive(home).close()
    with Appliance(home, {"APPLIANCE__ARCHIVE__MAX_INFLATED_BYTES": str(64 * MIB)}) as box:
        box.start("scp")
        box.start("web")
        box.wait_ready("scp")
        box.wait_answering("web")
        yield box


@pytest.fixture
def archive(box: Appliance) -> Iterator[Archive]:
    opened = Archive.open(small_settings(box.home), "test")
    yield opened
    opened.close()


def c_store(box: Appliance, case: Hostile, sop_uid: str = CLAIMED) -> int:
    _, syntax, data = case
    with RawScu("127.0.0.1", box.scp_port, contexts=((CT_IMAGE_STORAGE, (syntax,)),)) as scu:
        return scu.store(CT_IMAGE_STORAGE, sop_uid, syntax, data)


def stow(box: Appliance, case: Hostile) -> tuple[int, dict[str, object]]:
    _, syntax, data = case
    content = part10_of(data, syntax, sop_class_uid=CT_IMAGE_STORAGE, sop_uid=CLAIMED)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
    headers = {
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
        "Accept": "application/dicom+json",
    }
    request = urllib.request.Request(f"{box.dicomweb}/studies", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def failure_reason(answer: dict[str, object]) -> int:
    (failed,) = answer["00081198"]["Value"]  # type: ignore[index]
    return int(failed["00081197"]["Value"][0])


@pytest.mark.parametrize("case", list(refused()), ids=lambda case: case[0])
def test_refused_by_c_store_and_kept(box: Appliance, archive: Archive, case: Hostile) -> None:
    before = archive.numbers.counts()
    assert c_store(box, case) == CANNOT_UNDERSTAND
    row = archive.quarantine.list(1)[0]
    assert row["reason"]
    assert row["door"] == "dimse"
    with archive.quarantine.open(row["id"]) as file:
        assert file.read().endswith(case[2])
    assert archive.numbers.counts().instances == before.instances
    assert fsck.check(archive).findings == []


@pytest.mark.parametrize("case", [case for case in refused() if case[0] != "empty"], ids=lambda case: case[0])
def test_refused_by_stow_and_kept(box: Appliance, archive: Archive, case: Hostile) -> None:
    status, answer = stow(box, case)
    assert status == 409
    assert failure_reason(answer) == CANNOT_UNDERSTAND
    assert archive.quarantine.list(1)[0]["reason"]


@pytest.mark.parametrize("room", ["scp", "web"])
def test_a_deflate_bomb_is_refused_in_bounded_memory(box: Appliance, room: str) -> None:
    case = bomb(600 * MIB)
    assert len(case[2]) < 2 * MIB
    pid = box.room_pid(room)
    reset_peak(pid)
    before = resident_bytes(pid)
    if room == "scp":
        assert c_store(box, case) == CANNOT_UNDERSTAND
    else:
        assert failure_reason(stow(box, case)[1]) == CANNOT_UNDERSTAND
    assert peak_resident_bytes(pid) - before < 24 * MIB


@pytest.mark.parametrize("case", list(odd()), ids=lambda case: case[0])
def test_odd_but_whole_objects_are_stored_and_harmless(box: Appliance, archive: Archive, case: Hostile) -> None:
    dataset = dcmread(BytesIO(part10_of(case[2], case[1], sop_class_uid="1.2", sop_uid="1.2")))
    assert c_store(box, case, str(dataset.SOPInstanceUID)) == 0
    uid = str(dataset.StudyInstanceUID)
    assert len(archive.reading.instances(uid)) == 1
    for path in (f"/dicom-web/studies?StudyInstanceUID={uid}", f"/dicom-web/studies/{uid}/metadata"):
        status, body = box.get(path)
        assert status == 200
        assert json.loads(body)
    for path in ("/", f"/studies/{uid}"):
        status, body = box.get(path)
        assert status == 200
        assert b"<script>alert" not in body


def test_the_doors_still_serve_after_all_of_it(box: Appliance, tmp_path: Path) -> None:
    dataset = ct()
    assert c_store(box, ("sound", "1.2.840.10008.1.2.1", encode(dataset)), str(dataset.SOPInstanceUID)) == 0
    assert box.get(f"/dicom-web/studies/{dataset.StudyInstanceUID}/metadata")[0] == 200
