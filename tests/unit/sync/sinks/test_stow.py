"""The STOW sink against a store that errs in every way the table knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.archive.outbox import Delivery
from appliance.errors import DeliveryError
from appliance.sync.proving import Finding
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Unreachable
from appliance.sync.sinks.registry import Surroundings, build
from appliance.sync.sinks.stow import StowSink
from appliance.sync.sinks.stow_options import StowOptions
from tests.builders.instances import ct
from tests.builders.objects import Objects, damaged
from tests.partners.dicom_store import RESET, SILENT, DicomStore, Reply
from tests.partners.ports import free_ports
from tests.partners.uploads import Uploads

QUICK: dict[str, Any] = {"connect_timeout": 2.0, "read_timeout": 0.6}
HTML = Reply(200, b"<html>login</html>", {"Content-Type": "text/html"})
PLANTED = "Planted^Patient"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DicomStore]:
    with DicomStore(tmp_path / "store") as found:
        yield found


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "archive")


Make = Callable[..., StowSink]


@pytest.fixture
def make(store: DicomStore) -> Iterator[Make]:
    made: list[StowSink] = []

    def build(**options: Any) -> StowSink:
        made.append(StowSink(StowOptions(**{"url": store.url, **QUICK, **options})))
        return made[-1]

    yield build
    for sink in made:
        sink.close()


def kinds(answers: Mapping[int, Answer]) -> dict[int, type[object]]:
    return {number: type(answer) for number, answer in answers.items()}


def all_of(rows: list[Delivery], kind: type[object]) -> dict[int, type[object]]:
    return {row.event_id: kind for row in rows}


NONE = type(None)


def test_delivers_in_bounded_requests(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(7)
    answers = make(batch_count=3).deliver(rows)
    assert kinds(answers) == all_of(rows, NONE)
    assert [len(post) for post in store.posts] == [3, 3, 1]
    assert store.digests() == {row.sop_uid: row.blob.digest for row in rows if row.blob}
    size = rows[0].blob.file_size if rows[0].blob else 0
    make(batch_bytes=size * 2 + 10).deliver(rows)
    assert max(len(post) for post in store.posts[3:]) == 2


def test_an_empty_batch_asks_nobody(store: DicomStore, make: Make) -> None:
    assert make().deliver([]) == {}
    assert not store.requests


@pytest.mark.parametrize("status", [401, 403, 404, 405, 415, 307])
def test_a_store_that_lets_nobody_in_pauses_the_sink_with_a_sentence(
    store: DicomStore, make: Make, objects: Objects, status: int
) -> None:
    store.rule = lambda _: Reply(status)
    rows = objects.rows(30)
    answers = make().deliver(rows)
    assert kinds(answers) == all_of(rows, Misconfigured)
    assert len(store.posts) == 1
    (answer,) = set(answers.values())
    assert answer is not None
    assert str(status) in answer.message
    assert answer.hint


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_overloaded_store_is_waited_for_as_it_wishes(
    store: DicomStore, make: Make, objects: Objects, status: int
) -> None:
    store.rule = lambda _: Reply(status, headers={"Retry-After": "17"})
    rows = objects.rows(30)
    answers = make().deliver(rows)
    assert kinds(answers) == all_of(rows, Unreachable)
    assert {getattr(answer, "retry_after", 0) for answer in answers.values()} == {17.0}
    assert len(store.posts) == 1


def test_a_dead_store_costs_nobody_an_attempt(objects: Objects) -> None:
    (port,) = free_ports(1)
    rows = objects.rows(3)
    sink = StowSink(StowOptions(url=f"http://127.0.0.1:{port}/dicom-web", **QUICK))
    assert kinds(sink.deliver(rows)) == all_of(rows, Unreachable)


def test_a_missing_token_pauses(make: Make, objects: Objects, tmp_path: Path) -> None:
    rows = objects.rows(2)
    assert kinds(make(token_file=tmp_path / "none").deliver(rows)) == all_of(rows, Misconfigured)


@pytest.mark.parametrize("status", [413, 400, 422])
def test_the_one_the_store_refuses_is_found_by_splitting(
    store: DicomStore, make: Make, objects: Objects, status: int
) -> None:
    rows = objects.rows(20)
    poisoned = rows[13]
    store.rule = lambda uids: Reply(status) if poisoned.sop_uid in uids else None
    answers = dict(make().deliver(rows))
    fault = answers.pop(poisoned.event_id)
    assert isinstance(fault, RowFault)
    assert str(status) in fault.message
    assert set(answers.values()) == {None}
    assert len(store.objects) == 19


def test_too_many_at_once_is_split_until_it_fits(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(20)
    store.rule = lambda uids: Reply(413) if len(uids) > 3 else None
    assert kinds(make().deliver(rows)) == all_of(rows, NONE)


def test_each_instance_has_its_own_fate(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(6)
    reasons = [0xA900, 0xC123, 0x0110]
    store.failing = {str(row.sop_uid): reason for row, reason in zip(rows, reasons, strict=False)}
    answers = make().deliver(rows)
    assert [type(answers[row.event_id]) for row in rows] == [Rejected, Rejected, DeliveryError, NONE, NONE, NONE]


@pytest.mark.parametrize(("reason", "kind"), [(0xA700, Unreachable), (0x0122, Misconfigured), (0x0124, Misconfigured)])
def test_a_reason_that_is_the_stores_ends_the_batch_and_names_what_arrived(
    store: DicomStore, make: Make, objects: Objects, reason: int, kind: type[object]
) -> None:
    rows = objects.rows(6)
    store.failing = {str(rows[1].sop_uid): reason}
    answers = make(batch_count=3).deliver(rows)
    assert [type(answers[row.event_id]) for row in rows] == [NONE, kind, NONE, kind, kind, kind]
    assert len(store.posts) == 1


def test_only_named_instances_count(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(5)
    store.skipped = {str(rows[2].sop_uid)}
    answers = dict(make().deliver(rows))
    fault = answers.pop(rows[2].event_id)
    assert type(fault) is DeliveryError
    assert set(answers.values()) == {None}
    assert store.posts[-1] == [rows[2].sop_uid], "it was asked once more, alone"


def test_a_store_that_only_says_success_is_read_back(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(4)
    store.plain, store.skipped = True, {str(rows[1].sop_uid)}
    answers = make().deliver(rows)
    assert [type(answers[row.event_id]) for row in rows] == [NONE, DeliveryError, NONE, NONE]
    assert "does not hold" in str(answers[rows[1].event_id])


def test_a_page_that_answers_everything_is_no_store(store: DicomStore, make: Make, objects: Objects) -> None:
    store.rule, store.before_read = (lambda _: HTML), (lambda _: HTML)
    rows = objects.rows(2)
    answers = make().deliver(rows)
    assert kinds(answers) == all_of(rows, Misconfigured)
    assert "not as a DICOMweb store" in str(answers[rows[0].event_id])


def test_a_duplicate_is_compared(store: DicomStore, make: Make, objects: Objects) -> None:
    same, other, absent = objects.rows(3)
    uids = {"StudyInstanceUID": other.study_uid, "SeriesInstanceUID": other.series_uid}
    changed = objects.row(ct(**uids, SOPInstanceUID=other.sop_uid, PatientName="Changed"))
    sink = make()
    sink.deliver([same, changed])
    store.failing = {str(row.sop_uid): 0x0111 for row in (same, other, absent)}
    answers = sink.deliver([same, other, absent])
    assert [type(answers[row.event_id]) for row in (same, other, absent)] == [NONE, Rejected, DeliveryError]


def test_a_lost_answer_is_looked_up_not_sent_again(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(5)
    lost = [Reply(RESET, keep=True)]
    store.rule = lambda _: lost.pop() if lost else None
    assert kinds(make().deliver(rows)) == all_of(rows, NONE)
    assert len(store.posts) == 1


def test_a_batch_that_broke_off_goes_one_by_one(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(5)
    broken = [Reply(RESET)]
    store.rule = lambda _: broken.pop() if broken else None
    assert kinds(make().deliver(rows)) == all_of(rows, NONE)
    assert [len(post) for post in store.posts] == [5, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("place", [0, 3, 6])
@pytest.mark.parametrize("fault", [RESET, SILENT])
def test_one_object_that_kills_every_request_is_found(
    store: DicomStore, make: Make, objects: Objects, place: int, fault: str
) -> None:
    rows = objects.rows(7)
    store.rule = lambda uids: Reply(fault) if rows[place].sop_uid in uids else None
    answers = dict(make().deliver(rows))
    assert type(answers.pop(rows[place].event_id)) is DeliveryError
    assert set(answers.values()) == {None}


def test_a_lone_object_that_kills_its_request_gives_way(store: DicomStore, make: Make, objects: Objects) -> None:
    row = objects.row()
    store.rule = lambda uids: Reply(RESET) if uids else None
    answer = make().deliver([row])[row.event_id]
    assert type(answer) is DeliveryError
    assert "this object alone" in answer.message
    assert [len(post) for post in store.posts] == [1, 1, 0], "twice alone, then a request without objects"


@pytest.mark.parametrize("fault", [RESET, SILENT])
def test_a_store_that_answers_no_request_to_store_is_ill_itself(
    store: DicomStore, make: Make, objects: Objects, fault: str
) -> None:
    rows = objects.rows(6)
    store.rule = lambda _: Reply(fault)
    answers = make().deliver(rows)
    assert kinds(answers) == all_of(rows, Unreachable)
    assert len(store.posts) <= 5


def test_a_line_that_swallows_large_requests_costs_no_attempt(store: DicomStore, make: Make, objects: Objects) -> None:
    row = objects.row()
    store.rule = lambda uids: Reply(SILENT) if uids else None
    answer = make().deliver([row])[row.event_id]
    assert isinstance(answer, Unreachable)
    assert str(row.sop_uid) in answer.message


@pytest.mark.parametrize("reply", [Reply(403), Reply(400), Reply(501)])
def test_a_store_that_gives_nothing_back_cannot_settle_a_doubt(
    store: DicomStore, make: Make, objects: Objects, reply: Reply
) -> None:
    store.plain, store.before_read = True, lambda _: reply
    rows = objects.rows(2)
    assert kinds(make().deliver(rows)) == all_of(rows, Misconfigured)


def test_a_damaged_file_costs_only_itself(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = [objects.row(), damaged(objects.row()), objects.row()]
    answers = make().deliver(rows)
    assert [type(answers[row.event_id]) for row in rows] == [NONE, RowFault, NONE]
    assert len(store.objects) == 2


def test_two_versions_of_an_instance_go_in_order(store: DicomStore, make: Make, objects: Objects) -> None:
    old = objects.row()
    uids = {"StudyInstanceUID": old.study_uid, "SeriesInstanceUID": old.series_uid, "SOPInstanceUID": old.sop_uid}
    new = objects.row(ct(**uids, PatientName="New"))
    sink = make()
    assert kinds(sink.deliver([old, new])) == all_of([old, new], NONE)
    assert new.blob is not None
    assert store.digests() == {new.sop_uid: new.blob.digest}
    store.objects.clear()
    store.failing = {str(old.sop_uid): 0x0110}
    store.posts.clear()
    assert kinds(sink.deliver([old, new])) == all_of([old, new], DeliveryError)
    assert len(store.posts) == 1, "the newer one must not go first"


def test_a_second_delivery_changes_nothing(store: DicomStore, make: Make, objects: Objects) -> None:
    rows = objects.rows(3)
    make().deliver(rows)
    before = store.digests()
    assert kinds(make().deliver(rows)) == all_of(rows, NONE)
    assert store.digests() == before


def test_a_huge_object_goes_in_pieces_where_that_is_offered(
    store: DicomStore, make: Make, objects: Objects, tmp_path: Path
) -> None:
    rows = objects.rows(2)
    options = {"offset_threshold": 1, "batch_bytes": 1}
    assert kinds(make(**options).deliver(rows)) == all_of(rows, NONE)
    assert len(store.posts) == 2, "not offered: in one request"
    store.uploads = Uploads(tmp_path / "uploads", store.objects)
    store.posts.clear()
    assert kinds(make(**options).deliver(rows)) == all_of(rows, NONE)
    assert not store.posts
    assert kinds(make(**options, offset_upload="off").deliver(rows)) == all_of(rows, NONE)
    assert len(store.posts) == 2


def test_a_huge_object_that_is_refused_is_its_own_fault(
    store: DicomStore, make: Make, objects: Objects, tmp_path: Path
) -> None:
    store.uploads = Uploads(tmp_path / "uploads", store.objects)
    store.uploads.greatest = 10
    good, bad = objects.row(), damaged(objects.row())
    answers = make(offset_threshold=1, batch_bytes=1).deliver([good, bad])
    assert [type(answers[row.event_id]) for row in (good, bad)] == [Rejected, RowFault]


def test_reading_back_tells_the_three_findings_apart(store: DicomStore, make: Make, objects: Objects) -> None:
    same, other, absent = objects.rows(3)
    uids = {"StudyInstanceUID": other.study_uid, "SeriesInstanceUID": other.series_uid}
    sink = make()
    sink.deliver([same, objects.row(ct(**uids, SOPInstanceUID=other.sop_uid, PatientName="Changed"))])
    found = [sink.read_back(row) for row in (same, other, absent)]
    assert found == [Finding.IDENTICAL, Finding.DIFFERENT, Finding.ABSENT]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(503), Unreachable), (Reply(RESET), Unreachable), (Reply(401), Misconfigured), (HTML, Misconfigured)],
)
def test_reading_back_meets_the_same_obstacles(
    store: DicomStore, make: Make, objects: Objects, reply: Reply, kind: type[Exception]
) -> None:
    store.before_read = lambda _: reply
    with pytest.raises(kind):
        make().read_back(objects.row())


def test_no_answer_of_ours_carries_what_a_store_or_an_object_says(
    store: DicomStore, make: Make, objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    text = PLANTED.encode()
    replies = [Reply(status, text, {"Content-Type": "text/plain"}) for status in (400, 401, 409, 413, 418, 500, 200)]
    replies += [Reply(503, text, {"Retry-After": PLANTED}), Reply(307, text, {"Location": f"http://x/{PLANTED}"})]
    sink = make()
    for reply in replies:
        row = objects.row(ct(PatientName=PLANTED, PatientID="PLANTED-7", AccessionNumber="PLANTED-8"))
        store.rule = lambda _, reply=reply: reply  # type: ignore[misc]
        answer = sink.deliver([row])[row.event_id]
        assert answer is not None
        assert "planted" not in f"{answer.message} {answer.hint}".lower()
    assert "planted" not in repr(store.requests).lower()
    assert "planted" not in caplog.text.lower()


def test_a_stop_ends_a_transfer_and_the_rows_come_again_untouched(store: DicomStore, objects: Objects) -> None:
    rows = [objects.row(ct(Rows=1000, Columns=1000, PixelData=bytes(2_000_000))) for _ in range(4)]
    stopping, sent = False, 0

    def pace(size: int) -> None:
        nonlocal stopping, sent
        sent += size
        stopping = sent > 2_500_000

    room = Surroundings(lambda: stopping, pace)
    sink = build(StowOptions(url=store.url, **{**QUICK, "read_timeout": 60.0}, batch_count=1), room)
    answers = sink.deliver(rows)
    assert kinds(answers) == {rows[0].event_id: NONE, **all_of(rows[1:], Unreachable)}
    assert sent < 3_000_000
    assert "stopping" in str(answers[rows[3].event_id])
    stopping, sent = False, -(1 << 40)
    assert kinds(sink.deliver(rows[1:])) == all_of(rows[1:], NONE)
    sink.close()
    assert store.digests() == {row.sop_uid: row.blob.digest for row in rows if row.blob}


def test_an_upload_whose_offset_is_kept_from_us_pauses_the_sink(
    store: DicomStore, make: Make, objects: Objects, tmp_path: Path
) -> None:
    store.uploads = Uploads(tmp_path / "uploads", store.objects)
    store.uploads.break_after, store.uploads.secret = 3_000, True
    row = objects.row(ct(Rows=200, Columns=200, PixelData=bytes(80_000)))
    (answer,) = make(offset_threshold=1).deliver([row]).values()
    assert isinstance(answer, Misconfigured)
    assert "403" in answer.message
