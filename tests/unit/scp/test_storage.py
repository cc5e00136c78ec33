"""One C-STORE: exactly one answer, success only for what ingest finished, nothing left open."""

from __future__ import annotations

import pytest

from appliance.errors import ArchiveFailed, DiskFull, TooLarge
from appliance.model.records import Door, Origin
from appliance.scp.command import Command
from appliance.scp.status import NO_DATA_SET, SUCCESS
from appliance.scp.storage import Outcome, StoreOperation
from tests.partners.memory_ingest import Faults, MemoryIngest

COMMAND = Command(1, 1, True, "1.2.840.10008.5.1.4.1.1.2", "1.2.3")
ORIGIN = Origin(Door.DIMSE, "CT1")
EXPLICIT = "1.2.840.10008.1.2.1"


def store(ingest: MemoryIngest, command: Command = COMMAND, limit: int = 1000) -> tuple[StoreOperation, list[Outcome]]:
    answers: list[Outcome] = []
    return StoreOperation(ingest, ORIGIN, command, EXPLICIT, limit, answers.append), answers


def test_success_is_answered_after_finish_and_carries_what_was_stored() -> None:
    ingest = MemoryIngest()
    operation, answers = store(ingest)
    operation.data(memoryview(b"abc"))
    operation.data(memoryview(b"def"))
    assert answers == []
    operation.complete()
    (outcome,) = answers
    assert outcome.status is SUCCESS
    assert outcome.stored is not None
    assert (outcome.size, ingest.received[0].data) == (6, b"abcdef")


@pytest.mark.parametrize("where", ["begin", "write", "finish"])
@pytest.mark.parametrize("error", [DiskFull("x"), ArchiveFailed("x"), TooLarge("x"), OSError(5, "x")])
def test_no_error_is_answered_with_success(where: str, error: Exception) -> None:
    ingest = MemoryIngest()
    setattr(ingest.faults, where, error)
    operation, answers = store(ingest)
    for _ in range(3):
        operation.data(memoryview(b"abc"))
    operation.complete()
    (outcome,) = answers
    assert outcome.status.code != 0
    assert outcome.stored is None
    assert outcome.size == 9
    assert not any(arrival.open for arrival in ingest.arrivals)


def test_any_error_of_finish_is_a_failure() -> None:
    operation, answers = store(MemoryIngest(faults=Faults(finish=RuntimeError("bug"))))
    operation.complete()
    assert answers[0].status.code == 0x0110


def test_after_a_refusal_nothing_more_is_written() -> None:
    ingest = MemoryIngest()
    operation, answers = store(ingest, limit=4)
    operation.data(memoryview(b"12345"))
    ingest.faults.write = AssertionError("written after the refusal")
    operation.data(memoryview(b"6"))
    operation.complete()
    assert answers[0].status.code == 0xC002
    assert ingest.discarded == 1


def test_a_command_without_data_set_begins_nothing() -> None:
    ingest = MemoryIngest()
    operation, answers = store(ingest, Command(1, 1, False, COMMAND.sop_class_uid, "1.2.3"))
    operation.complete()
    assert answers == [Outcome(NO_DATA_SET, 0)]
    assert ingest.arrivals == []


def test_abandoning_discards_once_and_answers_nothing() -> None:
    ingest = MemoryIngest()
    operation, answers = store(ingest)
    operation.data(memoryview(b"abc"))
    operation.abandon()
    operation.abandon()
    assert (ingest.discarded, answers) == (1, [])
