"""Retention: in which order studies go, when it stops, and what stays of an object whose bytes have gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.archive import eviction, fsck
from appliance.archive.eviction import DAY, Evictor
from appliance.archive.proofs import AT_ONCE
from appliance.archive.removal import Seen
from appliance.archive.reserve import Disk, Reserve
from appliance.archive.room import Archive
from appliance.archive.shelter import Shelter
from appliance.clock import SystemClock
from appliance.errors import DiskFull, NotFound
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.model.records import ConflictPolicy, Result, Stored
from appliance.model.retention import RetentionPolicy
from appliance.model.routes import Route
from tests.archives import sender
from tests.builders.instances import ct, part10, series
from tests.clocks import FakeClock
from tests.unit.archive.evicting import CENTRE, box, change, confirm, deliver, is_held, settled, store

READ_BACK = Route("centre", kinds=("object",), proves=True, proof=True)


def size_of(archive: Archive, stored: Stored) -> int:
    return archive.reading.instances(stored.study_uid)[0].file_size


def limited(archive: Archive, **limits: float) -> None:
    archive.retention.policy = RetentionPolicy(**limits)  # type: ignore[arg-type]


@pytest.fixture
def proven(tmp_path: Path, clock: FakeClock) -> Archive:
    """A box with limits that nothing holds; the test closes it."""
    return box(tmp_path / "home", clock)


def test_without_a_limit_nothing_ever_goes(proven: Archive, clock: FakeClock) -> None:
    stored = settled(proven, clock)
    limited(proven)
    clock.advance(3650 * 86_400)
    assert proven.retention.run().objects == 0
    with pytest.raises(DiskFull):
        proven.retention.make_room(1 << 60)
    assert is_held(proven, stored)
    proven.close()


def test_the_study_least_recently_used_goes_first_and_no_more_than_needed(proven: Archive, clock: FakeClock) -> None:
    first, second, third = (settled(proven, clock) for _ in range(3))
    proven.uses.view({first.study_uid: clock.now()})
    clock.advance(86_400)
    size = size_of(proven, first)
    limited(proven, max_bytes=2 * size)
    dry = proven.retention.run(dry=True)
    assert (dry.objects, dry.studies) == (1, [second.study_uid])
    assert is_held(proven, second)
    assert proven.retention.run().studies == [second.study_uid]
    assert proven.retention.run().objects == 0
    limited(proven, max_bytes=1)
    done = proven.retention.run()
    assert done.studies == [third.study_uid, first.study_uid]
    assert done.short_bytes == 0
    proven.close()


def test_age_counts_from_the_last_view(proven: Archive, clock: FakeClock) -> None:
    looked_at, forgotten = settled(proven, clock), settled(proven, clock)
    clock.advance(30 * 86_400)
    proven.uses.view({looked_at.study_uid: clock.now()})
    clock.advance(86_400)
    limited(proven, max_age_days=20)
    assert proven.retention.run().studies == [forgotten.study_uid]
    clock.advance(20 * 86_400)
    assert proven.retention.run().studies == [looked_at.study_uid]
    proven.close()


def test_free_space_is_kept(proven: Archive, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = settled(proven, clock), settled(proven, clock)
    monkeypatch.setattr(Reserve, "disk", lambda _: Disk(1000, 10))
    limited(proven, min_free_bytes=1001)
    assert proven.retention.run().studies == [first.study_uid]
    assert is_held(proven, second)
    proven.close()


def test_what_may_not_go_is_told_with_its_reason(proven: Archive, clock: FakeClock) -> None:
    size = size_of(proven, settled(proven, clock))
    kept = settled(proven, clock)
    proven.uses.pin(kept.study_uid, by="somebody", reason="teaching")
    store(proven)
    found = proven.retention.outlook()
    assert (found.held_objects, found.evictable_objects, found.evictable_bytes) == (3, 1, size)
    assert found.kept["pinned"] == 1
    assert found.kept["too young"] == found.kept["no proof from anywhere"] == 1
    done = proven.retention.run()
    assert done.short_bytes == done.wanted_bytes - size > 0
    proven.close()


def test_row_and_custody_stay_and_say_who_has_it(proven: Archive, clock: FakeClock) -> None:
    stored = settled(proven, clock)
    proven.retention.run()
    (found,) = proven.reading.instances(stored.study_uid)
    assert (found.held, found.evicted) == (False, True)
    absent = proven.reading.absent(stored.study_uid)
    assert (absent.evicted, absent.lost) == (1, 0)
    counts = proven.numbers.counts()
    assert (counts.instances, counts.not_held, counts.evicted) == (1, 1, 1)
    line = proven.custody.of(stored.sop_uid)[-1]
    assert (line["fact"], line["party"]) == ("evicted", "retention")
    assert line["detail"].startswith("receipt of centre at ")
    for level in Level:
        (row,) = proven.search.find(Query(level, study_uid=stored.study_uid, limit=1))
        assert row["InstanceAvailability"] == "NEARLINE"
    assert not (proven.settings.root / "default" / stored.study_uid).exists(), "no empty directories are left"
    proven.close()


def test_one_lost_instance_makes_a_study_unavailable(proven: Archive, clock: FakeClock) -> None:
    gone, lost = series(2)
    settled(proven, clock, gone)
    proven.uses.pin(settled(proven, clock).study_uid, by="somebody", reason="an archive is never all gone")
    stored = settled(proven, clock, lost)
    proven.reading.instances(stored.study_uid, stored.series_uid, stored.sop_uid)[0].path.unlink()
    proven.retention.run()
    fsck.check(proven, repair=True)
    absent = proven.reading.absent(stored.study_uid)
    assert (absent.evicted, absent.lost) == (1, 1)
    (row,) = proven.search.find(Query(Level.STUDY, study_uid=stored.study_uid, limit=1))
    assert row["InstanceAvailability"] == "UNAVAILABLE"
    proven.close()


def test_invariant_6_what_is_sent_again_is_held_again(proven: Archive, clock: FakeClock) -> None:
    dataset = ct()
    stored = settled(proven, clock, dataset)
    proven.retention.run()
    assert store(proven, dataset).result is Result.RESTORED
    assert is_held(proven, stored)
    assert not proven.reading.instances(stored.study_uid)[0].evicted
    assert proven.outbox.stats()["centre"].pending == 0
    clock.advance(2 * 86_400)
    assert proven.retention.run().objects == 1, "the proof still holds: it is of the same content"
    proven.close()


def test_fsck_does_not_call_evicted_lost_and_takes_a_file_left_behind_back(
    proven: Archive, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = settled(proven, clock)
    with monkeypatch.context() as patched:
        patched.setattr(Evictor, "_unlink", lambda *_: None)
        proven.retention.run()
    clock.step((SystemClock().now() - clock.now()) / 1e6 + 2 * fsck.SETTLE_SECONDS)
    assert [finding.kind for finding in fsck.check(proven).findings] == ["orphan"]
    assert fsck.check(proven, repair=True).clean
    assert is_held(proven, stored)
    assert fsck.check(proven).findings == []
    proven.retention.run()
    assert fsck.check(proven).findings == []
    proven.close()


def test_a_sender_that_takes_the_file_over_keeps_it(proven: Archive, clock: FakeClock) -> None:
    """It finds the file between the eviction's commit and its end, and commits only after that."""
    dataset = ct()
    stored = settled(proven, clock, dataset)
    placed, going = threading.Event(), threading.Event()
    record = proven.ingest._record

    def slowly(*values: object) -> Stored:
        placed.set()
        assert going.wait(10)
        return record(*values)  # type: ignore[arg-type]

    sending = threading.Thread(target=store, args=(proven, dataset))
    evictor = proven.retention._evictor
    unlink = evictor._unlink
    lock = threading.Lock()

    def meanwhile(files: Sequence[Seen]) -> None:
        with lock:
            if not sending.is_alive() and not placed.is_set():
                proven.ingest._record = slowly  # type: ignore[method-assign, assignment]
                sending.start()
                assert placed.wait(10)
                threading.Timer(0.05, going.set).start()
        unlink(files)

    evictor._unlink = meanwhile  # type: ignore[method-assign]
    assert proven.retention.run().objects == 1
    sending.join()
    assert is_held(proven, stored)
    proven.close()


def test_a_directory_that_was_just_removed_is_made_anew(proven: Archive, clock: FakeClock) -> None:
    """The process knows it as durable from the first object."""
    first, second = series(2)
    settled(proven, clock, first)
    proven.retention.run()
    assert not (proven.settings.root / "default" / str(first.StudyInstanceUID)).exists()
    assert is_held(proven, store(proven, second))
    proven.close()


def test_deliveries_that_can_no_longer_be_made_are_buried_with_the_reason(tmp_path: Path, clock: FakeClock) -> None:
    archive = box(tmp_path / "home", clock, CENTRE, Route("other", kinds=("image", "object"), required=False))
    store_ = store(archive)
    deliver(archive, "centre")
    confirm(archive, store_.version_id)
    clock.advance(2 * 86_400)
    assert archive.retention.run().objects == 1
    (buried,) = archive.outbox.list(sink="other", state="buried")
    assert (buried["kind"], buried["reason"]) == ("object", eviction.BURIED)
    assert [row["kind"] for row in archive.outbox.list(sink="other", state="pending")] == ["image"]
    archive.close()


def test_of_what_has_gone_nothing_is_read_back(tmp_path: Path, clock: FakeClock) -> None:
    """Another sink was to prove it; asked now, it would seem to have lost it."""
    archive = box(tmp_path / "home", clock, CENTRE, replace(READ_BACK, name="other", required=False))
    settled(archive, clock)
    assert archive.proofs.count("other") == 1
    assert archive.retention.run().objects == 1
    assert archive.proofs.count("other") == 0
    archive.close()


def test_what_an_old_read_back_keeps_is_read_back_anew(tmp_path: Path, clock: FakeClock) -> None:
    archive = box(tmp_path / "home", clock, READ_BACK)
    stored = store(archive)
    deliver(archive)
    (event,) = [row["event_id"] for row in archive.outbox.list(sink="centre")]
    archive.proofs.prove("centre", event, "")
    assert not archive.proofs.urgent("centre")
    clock.advance(3 * 86_400)
    limited(archive)
    assert archive.retention.run().refreshed == 0
    limited(archive, max_bytes=1)
    assert archive.retention.run().refreshed == 1
    assert archive.retention.run().refreshed == 0, "once is enough"
    assert archive.proofs.urgent("centre")
    assert [row.event_id for row in archive.proofs.due("centre", 10)] == [event]
    archive.proofs.prove("centre", event, "")
    assert not archive.proofs.urgent("centre")
    assert archive.retention.run().objects == 1
    assert not is_held(archive, stored)
    with archive.database.read() as cx:
        assert cx.execute("SELECT count(*) FROM delivery WHERE proof_due = ?", (AT_ONCE,)).fetchone()[0] == 0
    archive.close()


def test_a_read_back_from_the_future_is_read_back_anew(tmp_path: Path, clock: FakeClock) -> None:
    archive = box(tmp_path / "home", clock, READ_BACK)
    stored = settled(archive, clock)
    change(archive, "UPDATE delivery SET proof_due = NULL")
    confirm(archive, stored.version_id, kind="readback", at=clock.now() + 30 * DAY)
    done = archive.retention.run()
    assert (done.objects, done.refreshed) == (0, 1)
    archive.close()


def test_room_is_made_of_others_than_the_one_that_is_coming(
    proven: Archive, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared, other = settled(proven, clock), settled(proven, clock)
    limited(proven, max_age_days=1000)
    free = SimpleNamespace(bytes=100)
    monkeypatch.setattr(Reserve, "disk", lambda _: Disk(free.bytes if is_held(proven, other) else 2000, 50))
    proven.retention.make_room(1000, spare=spared.study_uid)
    assert is_held(proven, spared)
    with pytest.raises(DiskFull):
        proven.retention.make_room(3000, spare=spared.study_uid)
    assert is_held(proven, spared)
    proven.close()


def test_a_conflict_that_came_after_the_eviction_can_be_settled(proven: Archive, clock: FakeClock) -> None:
    dataset = ct(PatientComments="first")
    stored = settled(proven, clock, dataset)
    proven.retention.run()
    dataset.PatientComments = "second"
    proven.ingest.receive_file(BytesIO(part10(dataset)), sender("CT2", ConflictPolicy.ASK))
    proven.conflicts.accept(1, "first", by="somebody")
    assert proven.reading.instances(stored.study_uid)[0].evicted
    proven.close()


def test_pins_are_listed_and_end(proven: Archive, clock: FakeClock) -> None:
    stored = settled(proven, clock)
    with pytest.raises(NotFound):
        proven.uses.pin("1.2.3", by="somebody", reason="none")
    proven.uses.pin(stored.study_uid, by="somebody", reason="teaching")
    (pin,) = proven.uses.pins()
    assert (pin["study_uid"], pin["pinned_by"], pin["pin_reason"]) == (stored.study_uid, "somebody", "teaching")
    assert proven.retention.run().objects == 0
    proven.uses.unpin(stored.study_uid)
    with pytest.raises(NotFound):
        proven.uses.unpin(stored.study_uid)
    assert proven.retention.run().objects == 1
    proven.close()


def test_a_view_noted_by_a_clock_that_was_wrong_gives_way(proven: Archive, clock: FakeClock) -> None:
    stored = settled(proven, clock)
    proven.uses.view({stored.study_uid: clock.now() + 365 * DAY})
    proven.uses.view({stored.study_uid: clock.now()})
    assert proven.uses.viewed_at(stored.study_uid) == clock.now()
    proven.uses.view({stored.study_uid: clock.now() - DAY})
    assert proven.uses.viewed_at(stored.study_uid) == clock.now()
    proven.close()


def test_a_large_study_goes_in_several_transactions(
    proven: Archive, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "ROWS", 2)
    slices = list(series(5))
    for one in slices:
        confirm(proven, store(proven, one).version_id)
    deliver(proven)
    clock.advance(2 * 86_400)
    change(proven, "UPDATE version SET received_at = 0")
    next((proven.settings.root).rglob(f"{slices[0].SOPInstanceUID}.dcm")).unlink()
    assert proven.retention.run().objects == 4, "a missing file does not end it"
    proven.close()


def test_shelters_keep_a_file_until_all_have_ended(proven: Archive) -> None:
    shelter, done = Shelter(proven.settings.home), threading.Event()

    def remove() -> None:
        with shelter.alone():
            done.set()

    with ExitStack() as held:
        held.enter_context(shelter.shared())
        held.enter_context(shelter.shared())
        removing = threading.Thread(target=remove)
        removing.start()
        assert not done.wait(0.1)
    removing.join(10)
    assert done.is_set()
    proven.close()
