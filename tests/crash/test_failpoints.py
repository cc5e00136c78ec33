"""Invariants 1 and 4: the DICOM room is killed at every durable step; nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import failpoints
from appliance.archive import fsck
from tests.archives import new_archive
from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode
from tests.crash.storing import (
    SUCCESS,
    SYNTAX,
    Ledger,
    Slice,
    assert_kept,
    assert_no_row_without_file,
    opened,
    send,
    settings_of,
    slices,
)
from tests.crash.syscalls import failing_sync
from tests.partners.appliance import Appliance
from tests.partners.raw_scu import RawScu

INTAKE = tuple(name for name in failpoints.NAMES if name.startswith(("ingest.", "scp.")))
THIRD = 3


def crash_at(box: Appliance, failpoint: str, hit: int, batch: list[Slice]) -> Ledger:
    """Start the room with a failpoint, send until it dies, and return what it had acknowledged."""
    ledger = Ledger()
    box.start("scp", environ={"APPLIANCE_FAILPOINTS": f"{failpoint}=kill@{hit}"})
    box.wait_ready("scp")
    assert not send(box.scp_port, batch, ledger), f"{failpoint} was never reached"
    assert box.wait_ended("scp") == -9
    return ledger


@pytest.mark.parametrize("failpoint", INTAKE)
def test_invariant_4_killed_at_every_step_of_intake(tmp_path: Path, failpoint: str) -> None:
    home, batch = tmp_path / "home", slices(6)
    new_archive(home).close()
    # Data set bytes are written in many pieces, so that the same hit lies in the middle of a later object.
    hit = 8 if failpoint == "ingest.write" else THIRD
    with Appliance(home) as box:
        ledger = crash_at(box, failpoint, hit, batch)
        with opened(home) as archive:
            assert_kept(archive, ledger.acknowledged)
            assert_no_row_without_file(archive)
        box.start("scp")
        box.wait_ready("scp")
        again = Ledger()
        assert send(box.scp_port, batch, again)
        assert again.statuses == [SUCCESS] * len(batch)
        box.stop("scp")
    with opened(home) as archive:
        assert_kept(archive, again.acknowledged)
        assert fsck.check(archive).findings == []
        assert [p for p in settings_of(home).spool.rglob("*") if p.is_file()] == []
        assert archive.numbers.counts().instances == len(batch)


def test_invariant_1_no_success_before_the_commit(tmp_path: Path) -> None:
    """Killed just before the commit of the third object: exactly two were acknowledged, and two are indexed."""
    home, batch = tmp_path / "home", slices(6)
    new_archive(home).close()
    with Appliance(home) as box:
        ledger = crash_at(box, "ingest.before_commit", THIRD, batch)
    with opened(home) as archive:
        assert len(ledger.acknowledged) == archive.numbers.counts().instances == THIRD - 1


@pytest.mark.parametrize("failpoint", ["ingest.fsync", "ingest.after_rename", "ingest.before_rename"])
def test_invariant_9_an_fsync_error_gives_no_success_and_ends_the_room(tmp_path: Path, failpoint: str) -> None:
    home, batch = tmp_path / "home", slices(3)
    new_archive(home).close()
    ledger = Ledger()
    with Appliance(home) as box:
        box.start("scp", environ={"APPLIANCE_FAILPOINTS": f"{failpoint}=EIO@2"})
        box.wait_ready("scp")
        send(box.scp_port, batch, ledger)
        assert box.wait_ended("scp") == 70
        assert list(ledger.acknowledged) == [batch[0].sop_uid]
        assert 0xA700 in ledger.statuses
        box.start("scp")
        box.wait_ready("scp")
        assert send(box.scp_port, batch, Ledger())
    with opened(home) as archive:
        assert archive.numbers.counts().instances == len(batch)
        assert fsck.check(archive).findings == []


def test_invariant_9_a_failing_sync_of_the_database_log_gives_no_success_and_ends_the_room(tmp_path: Path) -> None:
    """The kernel itself answers EIO to the first sync of the write-ahead log after the first object."""
    home, batch, ledger = tmp_path / "home", slices(3), Ledger()
    new_archive(home).close()
    with Appliance(home) as box:
        pid = box.start("scp")
        box.wait_ready("scp")
        assert send(box.scp_port, batch[:1], ledger)
        with failing_sync(pid, home / "index.db-wal"):
            send(box.scp_port, batch[1:], ledger)
            assert box.wait_ended("scp") == 70
        assert list(ledger.acknowledged) == [batch[0].sop_uid]
        box.start("scp")
        box.wait_ready("scp")
        assert send(box.scp_port, batch, Ledger())
    with opened(home) as archive:
        assert archive.numbers.counts().instances == len(batch)
        assert fsck.check(archive).findings == []


def test_killed_while_an_object_goes_to_quarantine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    new_archive(home).close()
    dataset = ct(StudyInstanceUID=None)
    bad = Slice(str(dataset.SOPInstanceUID), encode(dataset, SYNTAX))
    with Appliance(home) as box:
        crash_at(box, "quarantine.after_rename", 1, [bad])
        box.start("scp")
        box.wait_ready("scp")
        with RawScu("127.0.0.1", box.scp_port, contexts=((CT_IMAGE_STORAGE, (SYNTAX,)),)) as scu:
            assert scu.store(CT_IMAGE_STORAGE, bad.sop_uid, SYNTAX, bad.data) == 0xC000
    with opened(home) as archive:
        (row,) = archive.quarantine.list()
        with archive.quarantine.open(row["id"]) as file:
            assert file.read().endswith(bad.data)
