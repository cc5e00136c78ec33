"""Gatherings and batches: bounds, halving, offsets of the pieces, what may be confirmed."""

from __future__ import annotations

from typing import Any

from appliance.central.admission import Admitted, Cause
from appliance.central.batches import Bounds, Gathering, Work
from appliance.central.dead_letters import DeadLetter, headers_of
from appliance.central.record import Record
from appliance.central.targets import Kind, RowFault
from tests.builders.cloud import DIGEST, SYNTAX, record


def _record(offset: int, size: int = 10) -> Record:
    return Record("t", 3, offset, b"k", b"x" * size, (("a", b"1"), ("edge_dlq_reason", b"of an earlier time")))


def _work(kind: Kind = Kind.STATE, count: int = 5, **values: Any) -> Work:
    work = Work(("t", 3), kind, "table", 10, 10 + 2 * count)
    for number in range(count):
        row = record(kind.value, sop_uid=f"1.{number}") if kind is Kind.IMAGE else record(kind.value)
        work.believe(_record(10 + 2 * number), Admitted(row, "clinic-1"))
    work.ready()
    return work


def test_a_batch_is_bound_by_rows_and_bytes_and_a_single_larger_record_goes_alone() -> None:
    gathering = Gathering()
    gathering.add([_record(0, 200), _record(1, 40), _record(2, 40), _record(3, 40), *map(_record, range(4, 8))], 5.0)
    bounds = Bounds(rows=3, bytes=100, linger=1)
    assert gathering.full(bounds) and gathering.ripe_at(bounds) == 6.0
    taken = []
    while gathering:
        taken.append([found.offset for found in gathering.take(bounds)])
    assert taken == [[0], [1, 2], [3, 4, 5], [6, 7]]
    assert gathering.size == 0


def test_the_whole_batch_spans_what_was_read_and_a_piece_its_own_rows() -> None:
    work = _work()
    (whole,) = work.pieces
    assert (work.batch(whole).first_offset, work.batch(whole).last_offset) == (10, 20)
    assert not work.failed(whole, 10, 0)
    first, second = work.pieces
    assert (work.batch(first).first_offset, work.batch(first).last_offset, len(work.batch(first).rows)) == (10, 12, 2)
    assert (work.batch(second).first_offset, work.batch(second).last_offset) == (14, 18)


def test_faults_are_of_the_piece_and_letters_of_the_record() -> None:
    work = _work()
    work.failed(work.pieces[0], 10, 0)
    work.loaded(work.pieces[1], {1: RowFault("no")}, 7)
    work.loaded(work.pieces[0], {}, 7)
    assert [(letter.record.offset, letter.rejection.cause, letter.at) for letter in work.letters] == [
        (16, Cause.DATABASE, 7)
    ]
    assert (work.rows_loaded, work.count, work.pieces) == (4, 5, [])
    assert len(work.receipts(0)) == 4


def test_only_states_and_images_are_confirmed() -> None:
    (told,) = _work(Kind.IMAGE, 1).receipts(99)
    assert (told.sop_uid, told.digest, told.transfer_syntax_uid, told.at) == ("1.0", DIGEST, SYNTAX, 99)
    for kind in set(Kind) - {Kind.STATE, Kind.IMAGE}:
        assert not _work(kind, 1).receipts(99)


def test_a_dead_letter_tells_one_story_and_keeps_the_headers_that_were_there() -> None:
    work = _work(count=1)
    work.loaded(work.pieces[0], {0: RowFault("the table does not take it")}, 1_700_000_000_000_001)
    (letter,) = work.letters
    assert isinstance(letter, DeadLetter)
    found = headers_of(letter)
    assert found[0] == ("a", b"1")
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    told = dict(found)
    assert told["edge_dlq_reason"] == b"the table does not take it"
    assert (told["edge_dlq_cause"], told["edge_dlq_partition"], told["edge_dlq_offset"]) == (b"database", b"3", b"10")
    assert told["edge_dlq_at"] == b"2023-11-14T22:13:20.000001Z"
