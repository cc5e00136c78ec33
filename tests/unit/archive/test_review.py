"""Races and corners of the archive that a review found: each was a defect once."""

from __future__ import annotations

import fcntl
import os
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from appliance.archive import fsck
from appliance.archive.committer import Committer
from appliance.archive.database import Connection, Database
from appliance.archive.housekeeping import Housekeeper
from appliance.archive.outbox import Outcome, Verdict
from appliance.archive.room import Archive
from appliance.archive.spool import Spool, sweep
from appliance.errors import ArchiveFailed, DiskFull
from appliance.model.records import ConflictPolicy, Result
from tests.archives import sender
from tests.builders.instances import CT_IMAGE_STORAGE, ct, encode, part10, part10_of, series
from tests.clocks import FakeClock

SINK = "outbound"
HOUR = 3600


def receive(archive: Archive, content: bytes, **origin: Any) -> Any:
    return archive.ingest.receive_file(BytesIO(content), sender(**origin))


def test_the_same_data_set_in_another_transfer_syntax_is_another_content(archive: Archive) -> None:
    dataset = ct()
    data = encode(dataset)
    uids = {"sop_class_uid": CT_IMAGE_STORAGE, "sop_uid": str(dataset.SOPInstanceUID)}
    first = receive(archive, part10_of(data, "1.2.840.10008.1.2.4.57", **uids))
    second = receive(archive, part10_of(data, "1.2.840.10008.1.2.4.70", **uids))
    assert (first.result, second.result) == (Result.STORED, Result.CONFLICT)
    assert len(list((archive.settings.root / "default").rglob("*.dcm"))) == 2


def test_a_duplicate_whose_file_goes_while_it_is_recorded_is_stored_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = part10(ct())
    first = receive(archive, content)
    path = archive.reading.instances(first.study_uid)[0].path
    look = archive.ingest._placement.holds_bytes

    def look_and_lose(version: Any) -> bool:
        found = look(version)
        path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(archive.ingest._placement, "holds_bytes", look_and_lose)
    assert receive(archive, content).result is Result.RESTORED
    assert path.exists()


def test_rotten_bytes_are_replaced_by_the_senders_next_copy(archive: Archive) -> None:
    content = part10(ct())
    first = receive(archive, content)
    (found,) = archive.reading.instances(first.study_uid)
    sound = found.path.read_bytes()
    found.path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert receive(archive, content).result is Result.RESTORED
    (found,) = archive.reading.instances(first.study_uid)
    assert found.path.read_bytes() == sound


def test_a_restored_object_revives_its_dead_delivery(archive: Archive) -> None:
    content = part10(ct())
    first = receive(archive, content)
    lease = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    archive.outbox.settle(lease, [Outcome(d.event_id, Verdict.DEAD, "missing") for d in lease.deliveries])
    archive.reading.instances(first.study_uid)[0].path.unlink()
    assert receive(archive, content).result is Result.RESTORED
    again = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert again is not None
    assert {d.kind for d in again.deliveries} == {"image", "object"}


def test_superseded_content_is_buried_not_delivered(archive: Archive) -> None:
    dataset = ct(PatientID="OLD")
    receive(archive, part10(dataset))
    lease = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    dataset.PatientID = "NEW"
    receive(archive, part10(dataset), policy=ConflictPolicy.NEWEST)
    archive.outbox.settle(lease, [Outcome(d.event_id, Verdict.FAILED, "later") for d in lease.deliveries])
    again = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert again is not None
    versions = {d.blob.digest for d in again.deliveries if d.blob is not None}
    assert versions == {archive.reading.instances(str(dataset.StudyInstanceUID))[0].digest}
    assert {row["reason"] for row in archive.outbox.list(SINK, "buried")} == {"superseded by newer content"}


def test_a_clock_set_back_keeps_nothing_waiting_for_years(archive: Archive, clock: FakeClock) -> None:
    receive(archive, part10(ct()))
    clock.step(10 * 365 * 24 * HOUR)
    lease = archive.outbox.claim(SINK, rows=1, bytes_=1, lease_seconds=60)
    assert lease is not None
    archive.outbox.settle(lease, [Outcome(lease.deliveries[0].event_id, Verdict.FAILED, "x", clock.now() + 10_000_000)])
    held = archive.outbox.claim(SINK, rows=1, bytes_=1, lease_seconds=60)
    assert held is None
    clock.step(-10 * 365 * 24 * HOUR)
    again = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert again is not None and len(again.deliveries) == 3
    clock.step(-24 * HOUR)
    assert archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60) is not None


def test_invariant_9_no_commit_follows_a_failed_one(tmp_path: Path) -> None:
    database = Database(tmp_path / "index.db")
    with database.write() as cx:
        cx.execute("CREATE TABLE t (n INTEGER) STRICT")
    committer = Committer(database)

    def failing_commit(cx: Connection) -> None:
        cx.execute("ROLLBACK")
        raise ArchiveFailed("the disk lied")

    with pytest.raises(ArchiveFailed):
        committer.run(failing_commit)
    with pytest.raises(ArchiveFailed):
        committer.run(lambda cx: cx.execute("INSERT INTO t VALUES (1)").rowcount)
    with database.read() as cx:
        assert cx.execute("SELECT count(*) FROM t").fetchone()[0] == 0


def test_a_full_disk_at_the_commit_leaves_no_file(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(job: Any) -> Any:
        raise DiskFull("no space for the commit")

    monkeypatch.setattr(archive.ingest._committer, "run", full)
    with pytest.raises(DiskFull):
        receive(archive, part10(ct()))
    assert list((archive.settings.root / "default").rglob("*.dcm")) == []


def test_a_sweep_leaves_the_spool_of_a_living_process_alone(tmp_path: Path) -> None:
    stop, swept = threading.Event(), []

    def sweeping() -> None:
        while not stop.is_set():
            swept.append(sweep(tmp_path))

    thread = threading.Thread(target=sweeping)
    thread.start()
    try:
        for _ in range(300):
            spool = Spool(tmp_path, "test")
            descriptor, path = spool.create()
            assert path.exists()
            second, other = spool.create()
            assert other.parent == path.parent
            os.close(descriptor)
            os.close(second)
            spool.close()
    finally:
        stop.set()
        thread.join(10)
    assert swept


def test_a_sweep_that_looked_at_a_predecessor_leaves_its_successor_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, flock = Spool(tmp_path, "test"), Spool(tmp_path, "test"), fcntl.flock
    os.close(first.create()[0])
    arriving: list[tuple[int, Path]] = []

    def slowly(lock: int, how: int) -> None:
        if how & fcntl.LOCK_NB and not arriving:
            first.close()
            arriving.append(second.create())
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", slowly)
    assert sweep(tmp_path) == 0
    ((descriptor, path),) = arriving
    assert path.exists()
    os.close(descriptor)
    second.close()


def test_a_truncating_checkpoint_does_not_wait_for_readers(archive: Archive) -> None:
    receive(archive, part10(ct()))
    waited = threading.Event()
    with archive.database.read() as cx:
        cx.execute("SELECT count(*) FROM study").fetchall()

        def checkpoint() -> None:
            archive.database.checkpoint(truncate=True)
            waited.set()

        thread = threading.Thread(target=checkpoint)
        thread.start()
        assert waited.wait(5), "it must give up at once"
        thread.join(5)


def test_the_housekeeper_waits_for_a_lock_it_cannot_open(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = archive.settings.housekeeping_lock
    lock.mkdir()
    keeper, tended = Housekeeper(archive.settings, archive.database), threading.Event()
    monkeypatch.setattr("appliance.archive.housekeeping.INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "tend", tended.set)
    keeper.start()
    assert not tended.wait(0.1)
    lock.rmdir()
    assert tended.wait(5)
    keeper.stop()


def test_the_series_an_instance_leaves_is_told_to_the_centre(archive: Archive) -> None:
    first, second = series(2)
    receive(archive, part10(first))
    receive(archive, part10(second))
    lease = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    archive.outbox.settle(lease, [Outcome(d.event_id, Verdict.DELIVERED) for d in lease.deliveries])
    old_series = str(second.SeriesInstanceUID)
    second.SeriesInstanceUID = "1.2.3.4"
    receive(archive, part10(second), policy=ConflictPolicy.NEWEST)
    again = archive.outbox.claim(SINK, rows=10, bytes_=1 << 30, lease_seconds=60)
    assert again is not None
    (state,) = [d for d in again.deliveries if d.kind == "state" and d.series_uid == old_series]
    assert '"series_related_instances":1' in state.payload


def test_keeping_the_first_keeps_what_was_chosen_before(archive: Archive) -> None:
    dataset = ct(PatientID="A")
    stored = [receive(archive, part10(dataset))]
    for name in ("B", "C"):
        dataset.PatientID = name
        stored.append(receive(archive, part10(dataset)))
    archive.conflicts.accept(1, "further", by="test")
    archive.conflicts.accept(2, "first", by="test")
    assert archive.reading.instances(str(dataset.StudyInstanceUID))[0].digest == stored[1].digest
    assert archive.conflicts.list() == []


def test_fsck_does_not_give_up_a_file_that_was_replaced_meanwhile(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = part10(ct())
    stored = receive(archive, content)
    path = archive.reading.instances(stored.study_uid)[0].path
    path.unlink()
    judge = fsck._fault
    calls: list[Any] = []

    def judge_then_restore(where: Path, row: Any, *, deep: bool) -> Any:
        fault = judge(where, row, deep=deep)
        if not calls:
            calls.append(fault)
            assert receive(archive, content, name="ANOTHER_SENDER").result is Result.RESTORED
        return fault

    receive(archive, part10(ct()))
    monkeypatch.setattr(fsck, "_fault", judge_then_restore)
    fsck.check(archive, repair=True)
    assert calls[0] is not None
    assert archive.reading.instances(stored.study_uid)[0].held
    assert fsck.check(archive).findings == []
