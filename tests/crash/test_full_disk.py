"""Invariant 9: the disk is full at every write of the path; no success, no half file, recovery."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive import fsck
from appliance.archive.database import Database
from appliance.archive.housekeeping import Housekeeper
from appliance.archive.room import Archive
from appliance.errors import DiskFull
from appliance.model.records import Result
from tests.archives import new_archive, sender, small_settings
from tests.builders.instances import ct, part10
from tests.crash.storing import (
    SUCCESS,
    Ledger,
    assert_kept,
    assert_no_row_without_file,
    opened,
    send,
    slices,
)
from tests.partners.appliance import Appliance
from tests.partners.small_disk import grow, leave_free, small_disk

MIB = 1 << 20
PAGE = 4096
OUT_OF_RESOURCES = 0xA700
WRITES = ("ingest.write", "ingest.before_rename", "ingest.after_rename")


def stray_files(archive: Archive) -> list[Path]:
    """Files of the store that no version row names, and anything left in the spool."""
    with archive.database.read() as cx:
        known = {archive.settings.root / row[0] for row in cx.execute("SELECT blob_path FROM version").fetchall()}
    stored = {path for path in archive.settings.root.rglob("*") if path.is_file()}
    return sorted(stored - known) + list(archive.settings.spool.rglob("*.part"))


def test_invariant_9_every_amount_of_free_space_gives_all_or_nothing(tmp_path: Path) -> None:
    """From nothing free upwards, a page or a few at a time: each write of the path meets the full disk once."""
    outcomes = []
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        archive = new_archive(disk / "home")
        archive.ingest.receive_file(BytesIO(part10(ct())), sender())
        for pages in range(0, 200, 4):
            dataset = ct(Rows=128, Columns=128, PixelData=bytes(2 * 128 * 128))
            filler = leave_free(disk, pages * PAGE)
            before = archive.numbers.counts().instances
            try:
                archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
                outcomes.append(True)
            except DiskFull:
                outcomes.append(False)
            filler.unlink()
            assert archive.numbers.counts().instances == before + outcomes[-1]
            assert_no_row_without_file(archive)
            if not outcomes[-1]:
                again = archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
                assert again.result is Result.STORED
            assert stray_files(archive) == []
        assert fsck.check(archive).findings == []
        archive.close()
    assert set(outcomes) == {True, False}


@pytest.mark.parametrize("failpoint", WRITES)
def test_invariant_9_no_space_at_a_named_step(tmp_path: Path, failpoint: str) -> None:
    home, batch, ledger = tmp_path / "home", slices(3), Ledger()
    new_archive(home).close()
    with Appliance(home) as box:
        box.start("scp", environ={"APPLIANCE_FAILPOINTS": f"{failpoint}=ENOSPC@2"})
        box.wait_ready("scp")
        assert send(box.scp_port, batch, ledger)
        assert OUT_OF_RESOURCES in ledger.statuses
        assert set(ledger.statuses) == {SUCCESS, OUT_OF_RESOURCES}
        again = Ledger()
        assert send(box.scp_port, batch, again), "the room must outlive a full disk"
        assert again.statuses == [SUCCESS] * 3
        with opened(home) as archive:
            assert_kept(archive, again.acknowledged)
            assert stray_files(archive) == []


def test_invariant_9_the_door_answers_a700_on_a_full_disk_and_recovers_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        home, ledger = disk / "home", Ledger()
        new_archive(home).close()
        batch = slices(60, size=512)
        with Appliance(home, {"APPLIANCE__ARCHIVE__RESERVE_BYTES": str(4 * MIB)}) as box:
            box.log = tmp_path / "log"
            box.start("scp")
            box.wait_ready("scp")
            assert send(box.scp_port, batch, ledger)
            assert set(ledger.statuses) == {SUCCESS, OUT_OF_RESOURCES}
            assert ledger.statuses[-1] == OUT_OF_RESOURCES
            with opened(home) as archive:
                assert archive.numbers.disk().free_bytes > 2 * MIB, "the reserve was eaten"
                assert_kept(archive, ledger.acknowledged)
                assert stray_files(archive) == []
                lease = archive.outbox.claim("outbound", rows=500, bytes_=1 << 40, lease_seconds=60)
                assert lease is not None, "the outbox must go on while the door is shut"
            grow(disk, 64 * MIB)
            again = Ledger()
            assert send(box.scp_port, batch, again)
            assert again.statuses == [SUCCESS] * 60
            assert box.stop("scp") == 0
        with opened(home) as archive:
            assert_kept(archive, again.acknowledged)


def test_the_ballast_is_given_up_when_the_disk_is_full_and_taken_again_later(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * MIB) as disk:
        settings = small_settings(disk / "home", ballast_bytes=8 * MIB, reserve_bytes=8 * MIB)
        Archive.initialise(settings)
        keeper = Housekeeper(settings, Database(settings.database))
        keeper.tend()
        assert settings.ballast.stat().st_blocks * 512 == 8 * MIB
        filler = leave_free(disk, PAGE)
        keeper.tend()
        assert not settings.ballast.exists()
        filler.unlink()
        keeper.tend()
        assert settings.ballast.exists()


def test_the_digest_in_the_index_is_that_of_the_file(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home")
    stored = archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    (found,) = archive.reading.instances(stored.study_uid)
    assert hashlib.sha256(found.path.read_bytes()[found.offset :]).hexdigest() == stored.digest
    archive.close()
