"""Resumable uploads: asked for once, resumed where they broke, believed only with the digest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from appliance.archive.outbox import Delivery
from appliance.dicomweb.client import DicomwebClient, Refused
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer
from appliance.dicomweb.offset_upload import GROW_AFTER, OffsetUpload, Pieces
from tests.builders.instances import ct
from tests.builders.objects import Objects, instance
from tests.partners.dicom_store import DicomStore
from tests.partners.uploads import Uploads

PIECE = 10_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as found:
        found.uploads = Uploads(tmp_path / "uploads", found.objects)
        yield found


@pytest.fixture
def doors(store: DicomStore) -> Uploads:
    assert store.uploads is not None
    return store.uploads


@pytest.fixture
def upload(store: DicomStore) -> Iterator[OffsetUpload]:
    with closing(DicomwebClient(Endpoint(store.url, read_timeout=2))) as client:
        yield OffsetUpload(client, PIECE)


@pytest.fixture
def row(tmp_path: Path) -> Delivery:
    return Objects(tmp_path / "archive").row(ct(Rows=200, Columns=200, PixelData=bytes(range(250)) * 320))


def labels(row: Delivery) -> dict[str, str]:
    return {"sop_uid": str(row.sop_uid)}


def test_is_offered_by_a_service_that_says_so_and_asked_once(store: DicomStore, upload: OffsetUpload) -> None:
    assert upload.offered()
    assert upload.offered()
    assert [method for method, _, _ in store.requests] == ["OPTIONS"]


def test_is_not_offered_by_others(store: DicomStore, upload: OffsetUpload) -> None:
    store.uploads = None
    assert not upload.offered()


def test_sends_pieces_of_known_length_and_returns_the_store_response(
    store: DicomStore, upload: OffsetUpload, row: Delivery
) -> None:
    reply = upload.send(instance(row), labels(row))
    assert row.blob is not None
    assert reply.report.stored == {row.sop_uid: row.blob.digest}
    assert store.digests() == {row.sop_uid: row.blob.digest}
    pieces = [headers for method, _, headers in store.requests if method == "PATCH"]
    assert [int(headers["Upload-Offset"]) for headers in pieces] == list(range(0, row.blob.file_size, PIECE))
    assert all(int(headers["Content-Length"]) <= PIECE for headers in pieces)


def test_goes_on_where_a_piece_broke_off(
    store: DicomStore, doors: Uploads, upload: OffsetUpload, row: Delivery
) -> None:
    doors.break_after = 3_000
    assert upload.send(instance(row), labels(row)).status == 200
    assert row.blob is not None
    assert doors.received < row.blob.file_size + PIECE
    assert store.digests() == {row.sop_uid: row.blob.digest}


def test_a_sender_that_forgot_everything_goes_on_too(
    store: DicomStore, doors: Uploads, upload: OffsetUpload, row: Delivery
) -> None:
    sent = upload._create(instance(row), labels(row))
    upload._piece(sent[0], instance(row), 0)
    with closing(DicomwebClient(Endpoint(store.url))) as other:
        assert OffsetUpload(other, PIECE).send(instance(row), labels(row)).status == 200
    assert row.blob is not None
    assert doors.received == row.blob.file_size


def test_a_service_without_memory_of_digests_gets_it_anew(
    doors: Uploads, store: DicomStore, upload: OffsetUpload, row: Delivery
) -> None:
    doors.idempotent = False
    upload._piece(upload._create(instance(row), labels(row))[0], instance(row), 0)
    assert upload.send(instance(row), labels(row)).status == 200
    assert len(store.objects) == 1


def test_a_last_answer_that_was_lost_is_asked_for_again(doors: Uploads, upload: OffsetUpload, row: Delivery) -> None:
    doors.lose_last = 1
    reply = upload.send(instance(row), labels(row))
    assert list(reply.report.stored) == [row.sop_uid]
    assert row.blob is not None
    assert doors.received == row.blob.file_size


def test_gives_up_without_progress_and_does_not_loop(
    doors: Uploads, store: DicomStore, upload: OffsetUpload, row: Delivery
) -> None:
    doors.lose_last = 1000
    with pytest.raises(NoAnswer):
        upload.send(instance(row), labels(row))
    assert len(store.requests) < 40


def test_an_upload_that_expired_is_told(doors: Uploads, upload: OffsetUpload, row: Delivery) -> None:
    place, _ = upload._create(instance(row), labels(row))
    doors.forget()
    with pytest.raises(NoAnswer, match="given up"):
        upload._reached(place)
    assert upload.send(instance(row), labels(row)).status == 200


def test_a_limit_is_a_refusal(doors: Uploads, upload: OffsetUpload, row: Delivery) -> None:
    doors.greatest = 100
    with pytest.raises(Refused) as caught:
        upload.send(instance(row), labels(row))
    assert caught.value.reply.status == 413


def test_other_bytes_are_not_stored(doors: Uploads, store: DicomStore, upload: OffsetUpload, row: Delivery) -> None:
    doors.corrupt = True
    assert upload.send(instance(row), labels(row)).report.failed == {row.sop_uid: 0x0110}
    assert not store.objects


def test_nothing_of_the_patient_is_in_the_headers(store: DicomStore, upload: OffsetUpload, tmp_path: Path) -> None:
    row = Objects(tmp_path / "other").row(ct(PatientName="Planted^Name", PatientID="PLANTED-1"))
    upload.send(instance(row), labels(row))
    assert "planted" not in repr([(path, headers) for _, path, headers in store.requests]).lower()


def test_a_service_that_keeps_the_offset_from_us_refuses_us(
    doors: Uploads, upload: OffsetUpload, row: Delivery
) -> None:
    doors.break_after, doors.secret = 3_000, True
    with pytest.raises(Refused) as caught:
        upload.send(instance(row), labels(row))
    assert caught.value.reply.status == 403


def test_pieces_shrink_until_they_pass_and_are_remembered(
    store: DicomStore, doors: Uploads, row: Delivery, tmp_path: Path
) -> None:
    doors.longest = 3_000
    with closing(DicomwebClient(Endpoint(store.url, read_timeout=2))) as client:
        upload = OffsetUpload(client, 64_000, 1_000)
        assert upload.send(instance(row), labels(row)).status == 200
        first = doors.broken
        other = Objects(tmp_path / "other").row(ct(Rows=200, Columns=200, PixelData=bytes(range(250)) * 320))
        assert upload.send(instance(other), labels(other)).status == 200
    assert len(store.objects) == 2
    assert row.blob is not None
    pieces = row.blob.file_size / 1_000
    assert 3 <= first <= 3 + pieces / GROW_AFTER
    assert doors.broken - first <= pieces / GROW_AFTER


def test_gives_up_where_not_even_the_smallest_piece_passes(store: DicomStore, doors: Uploads, row: Delivery) -> None:
    doors.longest = 900
    with closing(DicomwebClient(Endpoint(store.url, read_timeout=2))) as client, pytest.raises(NoAnswer):
        OffsetUpload(client, 64_000, 1_000).send(instance(row), labels(row))
    # 64 000, 16 000, 4 000, then the smallest as often as any other.
    assert doors.broken == 3 + 3


def test_pieces_grow_again_on_a_line_that_holds() -> None:
    pieces = Pieces(64, 4)
    for expected in (16, 4, 4):
        pieces.broken()
        assert pieces.size == expected
    sizes = []
    for _ in range(5 * GROW_AFTER):
        pieces.passed()
        sizes.append(pieces.size)
    assert sizes[GROW_AFTER - 2 : GROW_AFTER] == [4, 8]
    assert sizes[-1] == 64
    pieces.broken()
    assert not pieces.smallest


def test_a_piece_that_broke_puts_growing_off() -> None:
    pieces = Pieces(64, 4)
    pieces.broken()
    for _ in range(3):
        for _ in range(GROW_AFTER - 1):
            pieces.passed()
        pieces.broken()
    assert pieces.size == 4
