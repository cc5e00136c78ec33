"""The parts of the self-test that need no box."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.uid import RLELossless

from appliance.care.selftest.canary import NAME, PATIENT, canary, new_uid
from appliance.care.selftest.notes import Notes
from appliance.care.selftest.step import Ended, Outcome, Protocol, Step
from appliance.errors import AlreadyRunning, ArchiveError, PeerError
from appliance.model.uid import is_valid_uid
from tests.clocks import FakeClock

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_the_canary_is_nobody_under_uids_of_its_own() -> None:
    one, other = canary(new_uid(), NOW), canary(new_uid(), NOW)
    uids = [str(image.SOPInstanceUID) for bird in (one, other) for image in bird.images]
    assert len(set(uids)) == 6
    assert all(is_valid_uid(uid) for uid in (*uids, one.study_uid, one.series_uid))
    assert {str(image.PatientName) for image in one.images} == {NAME}
    assert all(str(image.PatientID).startswith(PATIENT) for image in one.images)
    assert one.images[-1].file_meta.TransferSyntaxUID == RLELossless


def test_notes_outlive_a_killed_run_and_name_nothing_else(tmp_path: Path) -> None:
    notes, uid = Notes(tmp_path), new_uid()
    assert notes.left() == []
    notes.begin(uid)
    (tmp_path / "selftest" / "no uid").touch()
    assert Notes(tmp_path).left() == [uid]
    notes.end(uid)
    notes.end(uid)
    assert Notes(tmp_path).left() == []


def test_one_self_test_at_a_time(tmp_path: Path) -> None:
    with Notes(tmp_path).alone(), pytest.raises(AlreadyRunning), Notes(tmp_path).alone():
        pass
    with Notes(tmp_path).alone():
        pass


@pytest.mark.parametrize(
    ("error", "outcome", "what"),
    [
        (Ended(Outcome.LATE, "too slow", "wait"), Outcome.LATE, "too slow"),
        (PeerError("refused", hint="wait"), Outcome.UNREACHED, "refused"),
        (ArchiveError("broken", hint="wait"), Outcome.FAILED, "broken"),
    ],
)
def test_an_expected_error_ends_its_step_alone(error: Exception, outcome: Outcome, what: str) -> None:
    clock, told = FakeClock(), list[Step]()
    protocol = Protocol(told.append, clock.monotonic, [])
    with protocol.step("first"):
        clock.advance(1.5)
        _raise(error)
    with protocol.step("second") as words:
        words.append("well")
    first, second = protocol.steps
    assert (first.outcome, first.what, first.mend, first.seconds) == (outcome, what, "wait", 1.5)
    assert (second.outcome, second.what) == (Outcome.OK, "well")
    assert told == protocol.steps
    assert not protocol.is_good


def _raise(error: Exception) -> None:
    raise error


def test_an_interruption_is_no_step() -> None:
    protocol = Protocol(lambda _step: None, FakeClock().monotonic, [])
    with pytest.raises(KeyboardInterrupt), protocol.step("first"):
        raise KeyboardInterrupt
    assert protocol.steps == []
