"""Resumable uploads at a real server: what is acknowledged is on disk, and nobody sees another site's."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import generate_latest

from appliance.archive.outbox import Delivery
from appliance.archive.uploads import DAY, UploadLimits
from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer
from appliance.dicomweb.offset_upload import OFFSET_TYPE, OffsetUpload
from appliance.errors import DiskFull
from appliance.model.records import Result
from tests.builders.instances import ct
from tests.builders.large import large_row
from tests.builders.objects import Objects, instance
from tests.clocks import FakeClock
from tests.crash.storing import opened
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import reset_every
from tests.partners.memory import peak_resident_bytes, reset_peak
from tests.partners.upload_receiver import PLACE, UploadProcess, UploadReceiver, digests
from tests.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
TUS = {"Tus-Resumable": "1.0.0"}
SMALL = UploadLimits(quota_bytes=4 * MIB, object_bytes=MIB, days=2)


class Sender:
    """Speaks tus by hand, for one site."""

    def __init__(self, receiver: UploadReceiver, site: str = "clinic-1") -> None:
        self.root = f"http://127.0.0.1:{receiver.port}"
        self._session = requests.Session()
        self._headers = {**TUS, "Authorization": f"Bearer {site}"}

    def begin(self, length: int, metadata: Mapping[str, str] | str) -> requests.Response:
        text = metadata if isinstance(metadata, str) else encoded(metadata)
        return self.ask("POST", PLACE, {"Upload-Length": str(length), "Upload-Metadata": text})

    def place(self, row: Delivery, **changes: str) -> str:
        assert row.blob is not None
        answer = self.begin(row.blob.file_size, labels(row) | changes)
        assert answer.status_code == 201
        return answer.headers["Location"]

    def patch(self, place: str, offset: int, data: bytes, kind: str = OFFSET_TYPE) -> requests.Response:
        return self.ask("PATCH", place, {"Upload-Offset": str(offset), "Content-Type": kind}, data)

    def offset(self, place: str) -> int:
        answer = self.ask("HEAD", place)
        return int(answer.headers["Upload-Offset"]) if answer.status_code == 200 else -answer.status_code

    def ask(self, method: str, place: str, headers: Mapping[str, str] = TUS, data: bytes = b"") -> requests.Response:
        headers = {**self._headers, **headers}
        return self._session.request(method, self.root + place, headers=headers, data=data, timeout=30)

    def close(self) -> None:
        self._session.close()


def encoded(metadata: Mapping[str, str]) -> str:
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in metadata.items())


def labels(row: Delivery) -> dict[str, str]:
    assert row.blob is not None
    return {
        "study_uid": row.study_uid,
        "series_uid": row.series_uid,
        "sop_uid": str(row.sop_uid),
        "transfer_syntax_uid": row.blob.transfer_syntax_uid,
        "digest": row.blob.digest,
    }


def content(row: Delivery) -> bytes:
    assert row.blob is not None
    return row.blob.path.read_bytes()


def referenced(answer: requests.Response) -> dict[str, Any]:
    (item,) = answer.json()["00081199"]["Value"]
    return dict(item)


def reason(answer: requests.Response) -> int:
    (item,) = answer.json()["00081198"]["Value"]
    return int(item["00081197"]["Value"][0])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def receiver(tmp_path: Path, clock: FakeClock) -> Iterator[UploadReceiver]:
    with UploadReceiver(tmp_path / "home", clock=clock) as found:
        yield found


@pytest.fixture
def sender(receiver: UploadReceiver) -> Iterator[Sender]:
    with closing(Sender(receiver)) as found:
        yield found


@pytest.fixture
def row(tmp_path: Path) -> Delivery:
    return Objects(tmp_path / "objects").row(ct(Rows=200, Columns=200, PixelData=bytes(range(250)) * 320))


def test_the_last_piece_is_answered_with_a_store_response_that_names_the_digest(
    receiver: UploadReceiver, sender: Sender, row: Delivery
) -> None:
    place, data = sender.place(row), content(row)
    first = sender.patch(place, 0, data[:30_000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "30000")
    assert sender.offset(place) == 30_000
    last = sender.patch(place, 30_000, data[30_000:])
    assert (last.status_code, last.headers["Content-Type"]) == (200, "application/dicom+json")
    item = referenced(last)
    assert item["00081155"]["Value"] == [row.sop_uid]
    assert item["00990010"]["Value"] == ["DICOM EDGE APPLIANCE"]
    assert item["00991001"]["Value"] == [labels(row)["digest"]]
    assert receiver.digests() == {row.sop_uid: labels(row)["digest"]}
    assert receiver.receipts == [("clinic-1", labels(row)["digest"])]
    assert receiver.uploads.count().held_bytes == 0


def test_the_last_answer_is_given_again_and_nothing_is_stored_twice(
    receiver: UploadReceiver, sender: Sender, row: Delivery, tmp_path: Path, clock: FakeClock
) -> None:
    place, data = sender.place(row), content(row)
    said = sender.patch(place, 0, data)
    again = sender.patch(place, len(data), b"")
    assert (again.status_code, again.content) == (said.status_code, said.content) and len(receiver.stored) == 1
    receiver.close()
    with UploadReceiver(tmp_path / "home", clock=clock) as restarted, closing(Sender(restarted)) as later:
        assert later.patch(place, len(data), b"").content == said.content
        assert later.begin(len(data), labels(row)).headers["Upload-Offset"] == str(len(data))
        assert not restarted.stored
        assert restarted.receipts == [("clinic-1", labels(row)["digest"])]


def test_what_is_gone_since_is_not_said_to_be_there(receiver: UploadReceiver, sender: Sender, row: Delivery) -> None:
    sender.patch(sender.place(row), 0, content(row))
    with receiver.archive.database.write() as cx:
        cx.execute("DELETE FROM instance")
    assert sender.begin(len(content(row)), labels(row)).headers["Upload-Offset"] == "0"


def test_a_sender_that_forgot_finds_its_upload_and_how_far_it_came(sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    sender.patch(place, 0, content(row)[:1000])
    found = sender.begin(len(content(row)), labels(row))
    assert (found.headers["Location"], found.headers["Upload-Offset"]) == (place, "1000")


def test_another_offset_than_the_one_reached_is_refused_and_changes_nothing(sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    sender.patch(place, 0, content(row)[:1000])
    for wrong in (0, 999, 1001):
        assert sender.patch(place, wrong, b"12345").status_code == 409
    assert sender.offset(place) == 1000
    assert sender.patch(place, 1000, content(row)[1000:]).status_code == 200


def test_one_writer_at_a_time(receiver: UploadReceiver, sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    upload = receiver.uploads._known[place.rpartition("/")[2]]
    with receiver.uploads.writing(upload):
        assert sender.patch(place, 0, b"12345").status_code == 409
    assert sender.patch(place, 0, content(row)[:5]).status_code == 204


def test_a_repeat_of_the_last_piece_waits_for_the_one_that_stores_the_object(
    receiver: UploadReceiver, sender: Sender, row: Delivery
) -> None:
    place, data = sender.place(row), content(row)
    receiver.gate.clear()
    answers: list[requests.Response] = []

    def send(offset: int, piece: bytes) -> None:
        with closing(Sender(receiver)) as one:
            answers.append(one.patch(place, offset, piece))

    first = threading.Thread(target=send, args=(0, data))
    first.start()
    wait_until(lambda: sender.offset(place) == len(data))
    second = threading.Thread(target=send, args=(len(data), b""))
    second.start()
    receiver.gate.set()
    first.join(30)
    second.join(30)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(receiver.stored) == 1


def test_sites_do_not_see_each_others_uploads(receiver: UploadReceiver, sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    for site in ("clinic-2", "clinic-3"):
        with closing(Sender(receiver, site)) as other:
            assert other.offset(place) == -404
            assert other.patch(place, 0, b"x").status_code == 404
            assert other.place(row) != place
    for name in ("x", "0" * 32, "..%2f..%2findex.db", "%00", "A" * 3000):
        assert sender.offset(f"{PLACE}/{name}") == -404
    assert sender.offset(place) == 0


def test_two_sites_of_one_tenant_may_send_the_same_and_both_get_their_receipt(
    receiver: UploadReceiver, sender: Sender, row: Delivery
) -> None:
    with closing(Sender(receiver, "clinic-3")) as other:
        places = [sender.place(row), other.place(row)]
        assert sender.patch(places[0], 0, content(row)).status_code == 200
        assert other.patch(places[1], 0, content(row)).status_code == 200
    assert [one.result for one in receiver.stored] == [Result.STORED, Result.DUPLICATE]
    assert [site for site, _ in receiver.receipts] == ["clinic-1", "clinic-3"]


def test_two_processes_of_a_box_that_send_the_same_at_once_do_no_harm(receiver: UploadReceiver, tmp_path: Path) -> None:
    row = large_row(tmp_path, 8 * MIB)
    outcomes: list[int | str] = []

    def send() -> None:
        try:
            with closing(DicomwebClient(Endpoint(receiver.url, read_timeout=20))) as client:
                outcomes.append(OffsetUpload(client, 300_000).send(instance(row), labels(row)).status)
        except NoAnswer:
            outcomes.append("later")

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 200 in outcomes and len(outcomes) == 3
    assert set(outcomes) <= {200, "later"}
    assert receiver.digests() == {row.sop_uid: labels(row)["digest"]}
    assert len(receiver.stored) == 1


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "digest",
        "digest !!!,sop_uid MS4y",
        "sop_uid MS4y",
        encoded({"sop_uid": "1.2\r\nX-Evil: 1", "digest": "0" * 64}),
        encoded({"sop_uid": "../../etc/passwd", "digest": "0" * 64}),
        encoded({"sop_uid": "1.2", "digest": "A" * 64}),
        encoded({"sop_uid": "1.2", "digest": "0" * 64, "study_uid": "1..2"}),
        encoded({"sop_uid": "1.2", "digest": "0" * 64}) + ",digest " + "MA==",
        encoded({"sop_uid": "1.2", "digest": "0" * 64, "more": "x" * 5000}),
        ",".join(f"n{number} MQ==" for number in range(100)),
    ],
)
def test_hostile_metadata_is_refused(receiver: UploadReceiver, sender: Sender, metadata: str) -> None:
    assert sender.begin(1000, metadata).status_code == 400
    assert receiver.uploads.count().unfinished == 0


@pytest.mark.parametrize("length", ["", "0", "-1", "1e9", "١٢", "9" * 30, "12 "])
def test_a_length_that_is_none_is_refused(sender: Sender, row: Delivery, length: str) -> None:
    headers = {"Upload-Length": length.encode(), "Upload-Metadata": encoded(labels(row))}
    answer = sender.ask("POST", PLACE, headers)  # type: ignore[arg-type]
    assert answer.status_code == (201 if length == "12 " else 400)


def test_another_protocol_and_other_types_are_refused(sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    assert sender.ask("HEAD", place, {"Tus-Resumable": "0.2.0"}).status_code == 412
    assert sender.patch(place, 0, b"x", "text/plain").status_code == 415
    assert sender.patch(place, 0, bytes(len(content(row)) + 1)).status_code == 400
    assert sender.offset(place) == 0
    offered = sender.ask("OPTIONS", PLACE, {"Tus-Resumable": ""})
    assert (offered.status_code, offered.headers["Tus-Extension"]) == (204, "creation")


@pytest.mark.parametrize("name", ["digest", "sop_uid", "study_uid", "series_uid", "transfer_syntax_uid"])
def test_an_object_that_is_not_what_was_announced_is_not_stored(
    receiver: UploadReceiver, sender: Sender, row: Delivery, name: str
) -> None:
    place, data = sender.place(row, **{name: "0" * 64 if name == "digest" else "1.2.3"}), content(row)
    answer = sender.patch(place, 0, data)
    assert answer.status_code == 409
    assert reason(answer) == (0x0110 if name == "digest" else 0xA900)
    assert not receiver.digests() and not receiver.receipts
    assert receiver.uploads.count().unfinished == 0 and not list((receiver.archive.settings.home).rglob("bytes"))
    assert sender.patch(place, len(data), b"").content == answer.content
    assert sender.place(row) != place


def test_what_is_no_dicom_file_is_refused(receiver: UploadReceiver, sender: Sender) -> None:
    data = b"MZ" + bytes(500)
    metadata = {"sop_uid": "1.2.3", "digest": hashlib.sha256(data).hexdigest()}
    place = sender.begin(len(data), metadata).headers["Location"]
    answer = sender.patch(place, 0, data)
    assert (answer.status_code, reason(answer)) == (409, 0xC000)
    assert not receiver.digests()


def test_too_large_over_the_quota_and_too_many_are_refused(tmp_path: Path) -> None:
    with UploadReceiver(tmp_path / "home", limits=SMALL) as receiver, closing(Sender(receiver)) as sender:
        digest = {"sop_uid": "1.2", "digest": "0" * 64}
        assert sender.begin(3 * MIB, digest).status_code == 413
        statuses = [sender.begin(MIB, digest | {"sop_uid": f"1.2.{number}"}).status_code for number in range(5)]
        assert statuses == [201, 201, 507, 507, 507]
    with UploadReceiver(tmp_path / "other") as receiver, closing(Sender(receiver)) as sender:
        statuses = [sender.begin(1, digest | {"sop_uid": f"1.2.{number}"}).status_code for number in range(33)]
        assert statuses == [*[201] * 32, 507]


def test_a_full_disk_is_said_and_the_upload_goes_on_later(
    receiver: UploadReceiver, sender: Sender, row: Delivery
) -> None:
    place, data = sender.place(row), content(row)
    receiver.fault = DiskFull("the disk is full")
    assert sender.patch(place, 0, data).status_code == 507
    assert sender.offset(place) == len(data)
    receiver.fault = None
    assert sender.patch(place, len(data), b"").status_code == 200


def test_what_nobody_touches_expires_and_gives_its_quota_back(
    receiver: UploadReceiver, sender: Sender, row: Delivery, clock: FakeClock
) -> None:
    place = sender.place(row)
    sender.patch(place, 0, b"x")
    clock.advance(1.9 * DAY / 1_000_000)
    sender.patch(place, 1, b"x")
    clock.advance(1.9 * DAY / 1_000_000)
    assert receiver.uploads.count().unfinished == 1
    clock.advance(0.2 * DAY / 1_000_000)
    assert receiver.uploads.count().announced_bytes == 0
    assert sender.offset(place) == -404
    assert not list((receiver.archive.settings.home / "uploads").iterdir())


def test_the_numbers_of_uploads_are_shown(receiver: UploadReceiver, sender: Sender, row: Delivery) -> None:
    place = sender.place(row)
    sender.patch(place, 0, content(row)[:10])
    text = generate_latest(receiver.registry).decode()
    assert "dicom_edge_central_uploads_unfinished 1.0" in text
    assert "dicom_edge_central_uploads_held_bytes 10.0" in text
    sender.patch(place, 10, content(row)[10:])
    assert 'dicom_edge_central_uploads_ended_total{result="stored"} 1.0' in generate_latest(receiver.registry).decode()


def send_over(port: int, row: Delivery) -> int:
    """Send with the box's own client through a port; return the last status."""
    with closing(DicomwebClient(Endpoint(f"http://127.0.0.1:{port}/dicom-web", read_timeout=20))) as client:
        return OffsetUpload(client).send(instance(row), labels(row)).status


@pytest.mark.parametrize(
    ("size", "resets"),
    [(40 * MIB, 3_000_000), pytest.param(600 * MIB, 5_000_000, marks=[pytest.mark.full, pytest.mark.timeout(900)])],
)
def test_a_huge_object_arrives_over_a_line_that_resets_every_few_megabytes(
    tmp_path: Path, size: int, resets: int
) -> None:
    row = large_row(tmp_path, size)
    with UploadProcess(tmp_path / "home") as server, FaultProxy(server.port) as line:
        reset_peak(server.program.pid)
        before = peak_resident_bytes(server.program.pid)
        line.set(reset_every(resets))
        assert send_over(line.port, row) == 200
        assert line.fired > size // resets
        grown = peak_resident_bytes(server.program.pid) - before
        print(f"{size >> 20} MiB, {line.fired} resets, {grown >> 10} KiB more memory")
        assert grown < 16 * MIB
    with opened(tmp_path / "home") as archive:
        assert digests(archive) == {row.sop_uid: labels(row)["digest"]}
        assert not list((tmp_path / "home").rglob("bytes"))
