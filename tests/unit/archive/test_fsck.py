"""fsck: each kind of damage is found; what can be mended is mended."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive import fsck
from appliance.archive.room import Archive
from appliance.clock import SystemClock
from appliance.errors import ArchiveError
from appliance.model.records import Result, Stored
from tests.archives import sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock


def one(archive: Archive) -> Stored:
    return archive.ingest.receive_file(BytesIO(part10(ct())), sender())


def kinds(report: fsck.Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def later(clock: FakeClock) -> None:
    """Files are stamped by the system's clock; move past them."""
    clock.step((SystemClock().now() - clock.now()) / 1e6 + 2 * fsck.SETTLE_SECONDS)


def test_a_sound_archive_has_no_findings(archive: Archive, clock: FakeClock) -> None:
    one(archive)
    later(clock)
    seen: list[int] = []
    report = fsck.check(archive, progress=seen.append)
    assert report.findings == []
    assert (report.files, report.versions) == (1, 1)
    assert sum(seen) == 2


def test_a_missing_file_is_found_and_the_next_copy_takes_its_place(archive: Archive) -> None:
    dataset = ct()
    stored = archive.ingest.receive_file(BytesIO(part10(dataset)), sender())
    one(archive)
    archive.reading.instances(stored.study_uid)[0].path.unlink()
    report = fsck.check(archive, repair=True)
    assert kinds(report) == ["missing", "not held"]
    assert not report.clean
    assert not archive.reading.instances(stored.study_uid)[0].held
    assert kinds(fsck.check(archive)) == ["not held"]
    assert archive.numbers.counts().not_held == archive.custody.not_held(stored.study_uid) == 1
    assert archive.ingest.receive_file(BytesIO(part10(dataset)), sender()).result is Result.RESTORED
    assert fsck.check(archive).findings == []


def test_a_changed_byte_is_found_only_by_the_deep_check(archive: Archive) -> None:
    stored = one(archive)
    path = archive.reading.instances(stored.study_uid)[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert fsck.check(archive, deep=False).findings == []
    assert kinds(fsck.check(archive)) == ["digest"]
    path.write_bytes(content[:-2])
    assert kinds(fsck.check(archive, deep=False)) == ["size"]


def test_a_damaged_file_is_kept_beside_and_listed(archive: Archive, clock: FakeClock) -> None:
    stored = one(archive)
    path = archive.reading.instances(stored.study_uid)[0].path
    path.write_bytes(path.read_bytes()[:-2])
    fsck.check(archive, repair=True)
    later(clock)
    assert path.with_name(path.name + ".damaged").exists()
    assert kinds(fsck.check(archive)) == ["damaged", "not held"]


def test_an_orphan_is_indexed_where_it_lies(archive: Archive, clock: FakeClock) -> None:
    stored = one(archive)
    path = archive.reading.instances(stored.study_uid)[0].path
    with archive.database.write() as cx:
        for table in ("delivery", "event", "instance", "version", "series", "study"):
            cx.execute(f"DELETE FROM {table}")
    assert kinds(fsck.check(archive)) == [], "a file this young may be about to get its row"
    later(clock)
    assert kinds(fsck.check(archive)) == ["orphan"]
    report = fsck.check(archive, repair=True)
    assert report.clean
    assert archive.reading.instances(stored.study_uid)[0].path == path
    assert archive.outbox.stats()["outbound"].pending == 3
    assert fsck.check(archive).findings == []


def test_an_orphan_that_is_held_elsewhere_is_dropped(archive: Archive, clock: FakeClock) -> None:
    stored = one(archive)
    path = archive.reading.instances(stored.study_uid)[0].path
    copy = path.with_name(f"{stored.sop_uid}~copy.dcm")
    copy.write_bytes(path.read_bytes())
    later(clock)
    assert fsck.check(archive, repair=True).clean
    assert path.exists()
    assert not copy.exists()


def test_an_orphan_that_is_no_dicom_file_is_left_alone(archive: Archive, clock: FakeClock) -> None:
    stray = archive.settings.root / "default" / "notes.txt"
    stray.write_text("hello")
    later(clock)
    report = fsck.check(archive, repair=True)
    assert kinds(report) == ["orphan"]
    assert not report.clean
    assert stray.exists()


def test_lost_rows_and_events_are_made_again(archive: Archive) -> None:
    stored = one(archive)
    with archive.database.write() as cx:
        for table in ("delivery", "event", "instance"):
            cx.execute(f"DELETE FROM {table}")
    assert set(kinds(fsck.check(archive))) == {"instance", "count"}
    assert fsck.check(archive, repair=True).clean
    assert len(archive.reading.instances(stored.study_uid)) == 1
    assert archive.outbox.stats()["outbound"].pending == 3
    assert fsck.check(archive).findings == []


def test_wrong_counts_are_set_right(archive: Archive) -> None:
    one(archive)
    with archive.database.write() as cx:
        cx.execute("UPDATE series SET instance_count = 7")
        cx.execute("UPDATE study SET instance_count = 9")
    assert kinds(fsck.check(archive)) == ["count", "count"]
    assert fsck.check(archive, repair=True).clean
    assert fsck.check(archive).findings == []


def test_a_file_that_cannot_be_read_is_left_alone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = one(archive)
    path = archive.reading.instances(stored.study_uid)[0].path

    def refuse(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        report = fsck.check(archive, repair=True)
    assert kinds(report) == ["unreadable"]
    assert path.exists()
    assert fsck.check(archive).findings == []


def test_an_unmounted_disk_is_not_repaired(archive: Archive) -> None:
    one(archive)
    away = archive.settings.root.with_name("away")
    archive.settings.root.rename(away)
    (archive.settings.root / "default").mkdir(parents=True)
    with pytest.raises(ArchiveError, match="nothing is repaired"):
        fsck.check(archive, repair=True)
    assert set(kinds(fsck.check(archive))) == {"missing"}
