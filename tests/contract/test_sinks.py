"""What sinks/contract.py promises, held against every sink."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.archive.outbox import Delivery
from appliance.sync.sinks.contract import Answer, Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.registry import KINDS
from tests.builders.deliveries import Deliveries
from tests.contract.harnesses import HARNESSES, Harness
from tests.partners.kafka import KafkaBroker
from tests.waiting import wait_until

# For a client to find a destination again.
PATIENCE = 30.0

STATE, IMAGE = "dicom_state_queue", "dicom_image_queue"
STORE = ("log_queue", "storage_queue")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Started when the first harness asks for it."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    found = HARNESSES[request.param](tmp_path, monkeypatch, request.getfixturevalue)
    yield found
    found.sink.close()


@pytest.fixture
def make(tmp_path: Path) -> Deliveries:
    files = tmp_path / "archive"
    files.mkdir()
    return Deliveries(files)


def _keys(records: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(r["series_uid"], r["sop_uid"], r["revision"]) for r in records}


def _only(harness: Harness, rows: list[Delivery]) -> list[Delivery]:
    """The rows this kind of sink is made for."""
    return [row for row in rows if row.kind in harness.takes]


def _attempt(harness: Harness, batch: list[Delivery]) -> Mapping[int, Answer]:
    """Deliver; an error for the whole batch counts as the answer of each row."""
    try:
        return harness.sink.deliver(batch)
    except (Unreachable, Misconfigured) as error:
        return {row.event_id: error for row in batch}


def test_every_shipped_kind_is_held_to_the_contract() -> None:
    assert set(HARNESSES) == set(KINDS)


def test_delivers_each_row_and_answers_for_each(harness: Harness, make: Deliveries) -> None:
    batch = _only(harness, make.instance(data=b"a") + make.instance(sop="2", data=b"b"))
    answers = harness.sink.deliver(batch)
    assert dict(answers) == {row.event_id: None for row in batch}
    assert all(len(harness.records(topic)) == 2 for topic in harness.topics)
    if harness.keeps_objects:
        assert set(harness.objects().values()) == {hashlib.sha256(data).hexdigest() for data in (b"a", b"b")}


def test_an_empty_batch_is_no_matter(harness: Harness) -> None:
    assert dict(harness.sink.deliver([])) == {}


def test_records_keep_their_text(harness: Harness, make: Deliveries) -> None:
    if STATE not in harness.topics:
        return
    harness.sink.deliver([make.state()])
    assert harness.records(STATE)[0]["patient_name"] == "Müller^Jörg"


def test_the_store_record_says_where_the_object_lies(harness: Harness, make: Deliveries) -> None:
    row = make.object()
    harness.sink.deliver([row])
    for topic in set(STORE) & set(harness.topics):
        path = harness.records(topic)[0]["file_path"]
        assert path.endswith(f"{row.study_uid}/{row.series_uid}/{row.sop_uid}.dcm")
        assert not harness.keeps_objects or any(path.endswith(name) for name in harness.objects())


def test_invariant_3_a_second_delivery_changes_nothing(harness: Harness, make: Deliveries) -> None:
    batch = _only(harness, make.instance())
    harness.sink.deliver(batch)
    before = {topic: _keys(harness.records(topic)) for topic in harness.topics}, harness.objects()
    harness.restart()
    for again in (batch, batch[-1:], batch[:1]):
        assert set(harness.sink.deliver(again).values()) == {None}
    after = {topic: _keys(harness.records(topic)) for topic in harness.topics}, harness.objects()
    assert after == before


def test_another_content_of_an_instance_replaces_it(harness: Harness, make: Deliveries) -> None:
    harness.sink.deliver([make.object(data=b"old"), make.object(data=b"new")])
    if harness.keeps_objects:
        assert list(harness.objects().values()) == [hashlib.sha256(b"new").hexdigest()]


def test_rows_of_a_series_and_kind_appear_in_batch_order(harness: Harness, make: Deliveries) -> None:
    rows = [row for n in range(20) for row in (make.state("1"), make.image("1", str(n)), make.state("2"))]
    batch = _only(harness, rows)
    harness.sink.deliver(batch[:30])
    harness.sink.deliver(batch[30:])
    for topic in {STATE, IMAGE} & set(harness.topics):
        for series in ("1", "2"):
            seen = [r["revision"] for r in harness.records(topic) if r["series_uid"].endswith(f".{series}")]
            assert seen == sorted(seen)


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": ""},
        {"payload": "no json"},
        {"payload": "[]"},
        {"payload": '{"slice_thickness": NaN}'},
        {"payload": '{"patient_name": "\\ud800"}'},
        {"kind": "unknown"},
        {"sop_uid": "../../etc/passwd"},
        {"series_uid": "1.2/3"},
        {"study_uid": ".."},
        {"sop_uid": "1." * 40 + "1"},
        {"sop_uid": None},
        {"blob": None},
    ],
    ids=str,
)
def test_a_poisoned_row_is_a_row_fault_and_the_rest_is_delivered(
    harness: Harness, make: Deliveries, changes: dict[str, Any]
) -> None:
    if not harness.keeps_objects and "blob" in changes:
        return  # it needs no bytes
    if not harness.topics and "payload" in changes:
        return  # it sends no records
    good, poisoned = _only(harness, make.instance()), make.object("9", **changes)
    answers = dict(harness.sink.deliver([good[0], poisoned, *good[1:]]))
    assert isinstance(answers.pop(poisoned.event_id), RowFault)
    assert set(answers.values()) == {None}
    assert not harness.keeps_objects or len(harness.objects()) == 1
    assert all(len(harness.records(topic)) == 1 for topic in harness.topics)


@pytest.mark.parametrize(("fault", "kind"), [("cut", Unreachable), ("spoil", Misconfigured)])
def test_an_obstacle_keeps_every_row_and_ends_by_itself(
    harness: Harness, make: Deliveries, fault: str, kind: type[Exception]
) -> None:
    first, second = _only(harness, make.instance()), _only(harness, make.instance(sop="2"))
    harness.sink.deliver(first)
    getattr(harness, fault)()
    answers = _attempt(harness, second)
    assert set(answers) == {row.event_id for row in second}
    assert all(isinstance(answer, kind) for answer in answers.values())
    assert all(str(answer) for answer in answers.values())
    harness.mend()
    assert not harness.keeps_objects or len(harness.objects()) == 1
    # A client may take a moment to find out; no row may become another's fault meanwhile.
    wait_until(lambda: set(_attempt(harness, second).values()) == {None}, PATIENCE)
    assert not harness.keeps_objects or len(harness.objects()) == 2


def test_closing_is_safe_to_repeat_and_not_the_end(harness: Harness, make: Deliveries) -> None:
    harness.sink.close()
    harness.sink.deliver(_only(harness, make.instance()))
    harness.sink.close()
    harness.sink.close()
    assert set(harness.sink.deliver(_only(harness, make.instance(sop="2"))).values()) == {None}
