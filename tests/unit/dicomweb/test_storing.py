"""Storing part by part: what is durable is known whatever happens to the rest of the message."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

from appliance.archive.room import Archive
from appliance.dicomweb import storing
from appliance.dicomweb.media_types import DICOM_JSON, DICOM_XML, MediaType
from appliance.dicomweb.multipart import MultipartError, MultipartReader, closing, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.store_answer import parse
from appliance.dicomweb.storing import AS_JSON, AS_XML, Storing, message_type, rendered, trace_of
from appliance.errors import ArchiveFailed, NotAllowed
from appliance.model.records import Door, Header, Origin
from tests.archives import new_archive
from tests.builders.instances import ct, part10

BOUNDARY = "x1"
ORIGIN = Origin(Door.STOW, "clinic-7")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive."""
    found = new_archive(tmp_path / "home")
    yield found
    found.close()


def message(*files: bytes, cut: int = 0, content_type: str = "application/dicom") -> MultipartReader:
    head = part_head(BOUNDARY, {"Content-Type": content_type})
    body = b"".join(head + file for file in files) + closing(BOUNDARY)
    return MultipartReader(BytesIO(body[: len(body) - cut]), BOUNDARY)


def session(archive: Archive, study_uid: str = "", refused: str = "") -> Storing:
    def check(header: Header) -> None:
        if header.sop_uid == refused:
            raise NotAllowed("not this one")

    return Storing(archive.ingest, ORIGIN, lambda *uids: "/".join(("http://c", *uids)), check, study_uid)


def url(study_uid: str) -> str:
    return f"http://c/{study_uid}"


def test_the_answer_names_each_instance_with_its_digest(archive: Archive) -> None:
    one, other = ct(), ct()
    taken = session(archive)
    taken.receive(message(part10(one), part10(other), part10(one)))
    report = taken.report(url)
    assert (report.status, dict(taken.results)) == (200, {"stored": 2, "duplicate": 1})
    for offer, kind in ((AS_JSON, DICOM_JSON), (AS_XML, DICOM_XML)):
        body, content_type, _ = rendered(report, offer)
        assert content_type == kind
        answer = parse(MediaType(kind), body)
        assert answer.stored == {str(one.SOPInstanceUID): taken.stored[0].digest,
                                 str(other.SOPInstanceUID): taken.stored[1].digest}  # fmt: skip
    assert ElementTree.fromstring(rendered(report, AS_XML)[0]).tag.endswith("NativeDicomModel")


def test_a_single_study_has_an_address(archive: Archive) -> None:
    dataset = ct()
    taken = session(archive)
    taken.receive(message(part10(dataset)))
    assert rendered(taken.report(url), AS_JSON)[2]["Content-Location"] == f"http://c/{dataset.StudyInstanceUID}"
    taken.receive(message(part10(ct())))
    assert "Content-Location" not in rendered(taken.report(url), AS_JSON)[2]


def test_what_cannot_be_stored_does_not_touch_its_neighbours(archive: Archive) -> None:
    good, refused = ct(), ct()
    taken = session(archive, refused=str(refused.SOPInstanceUID))
    taken.receive(message(part10(refused), b"nonsense", part10(good)))
    assert [one.sop_uid for one in taken.stored] == [str(good.SOPInstanceUID)]
    assert [int(one.reason) for one in taken.failures] == [0x0124, 0xC000]
    assert taken.report(url).status == 202


def test_another_study_than_the_request_names_is_refused(archive: Archive) -> None:
    taken = session(archive, study_uid="1.2.3")
    taken.receive(message(part10(ct())))
    assert taken.stored == [] and taken.report(url).status == 409


def test_a_message_that_breaks_off_leaves_what_came_before(archive: Archive) -> None:
    first = ct()
    taken = session(archive)
    with pytest.raises(MultipartError):
        taken.receive(message(part10(first), part10(ct()), cut=300))
    assert [one.sop_uid for one in taken.stored] == [str(first.SOPInstanceUID)]
    assert len(archive.reading.instances(str(first.StudyInstanceUID))) == 1


def test_a_disk_that_fails_is_no_answer(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ArchiveFailed("fsync failed")

    monkeypatch.setattr(archive.ingest, "receive_file", fail)
    with pytest.raises(ArchiveFailed):
        session(archive).receive(message(part10(ct())))


def test_other_parts_are_not_understood(archive: Archive) -> None:
    taken = session(archive)
    taken.receive(message(b"{}", content_type="application/json"))
    assert taken.report(url).status == 409


def test_too_many_parts_end_the_message(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "MOST_PARTS", 1)
    with pytest.raises(MultipartError, match="more than 1 parts"):
        session(archive).receive(message(b"a", b"b"))


@pytest.mark.parametrize(("content_type", "encoding", "taken"), [
    ('multipart/related; type="application/dicom"; boundary=x', "", True),
    ("multipart/related; boundary=x", "identity", True),
    ('multipart/related; type="application/dicom"; boundary=x', "gzip", False),
    ('multipart/related; type="application/json"; boundary=x', "", False),
    ("application/dicom", "", False),
    ("", "", False),
])  # fmt: skip
def test_what_a_store_request_is(content_type: str, encoding: str, taken: bool) -> None:
    found = message_type(content_type, encoding)
    assert (not isinstance(found, Problem)) is taken
    assert taken or (isinstance(found, Problem) and found.status == 415)


def test_a_trace_is_one_or_nothing() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    assert trace_of(trace) == trace
    assert trace_of(trace + "x") == trace_of("") == trace_of("patient") == ""
