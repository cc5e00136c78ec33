"""Snapshots: whole, linked with the one before, and true to what happens while they are taken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from appliance.access.book import Book
from appliance.archive import fsck
from appliance.archive.backup_record import age_seconds, read_record
from appliance.archive.database import Database
from appliance.archive.room import Archive
from appliance.care.backup import configuration, inventory, manifest, marker, shelf, taking
from appliance.care.backup.configuration import Found
from appliance.care.backup.restoring import restore
from appliance.care.backup.taking import Order
from appliance.care.backup.verifying import verify
from appliance.errors import AlreadyRunning, ConfigurationError, Unparseable
from appliance.model.attributes import Level
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock
from tests.unit.archive.evicting import box, settled
from tests.unit.care.backup.copies import copy, files_of, killed, newest, while_copying

BACK = "UPDATE version SET blob_kind = 'file', blob_path = ?, evicted_at = NULL WHERE id = ?"


def versions(archive: Archive) -> list[str]:
    """The paths of all files that the index names."""
    with archive.database.read() as cx:
        return [row[0] for row in cx.execute("SELECT blob_path FROM version WHERE blob_path IS NOT NULL").fetchall()]


def test_a_snapshot_holds_every_object_and_is_sound(archive: Archive, tmp_path: Path) -> None:
    taken = copy(archive, tmp_path / "out")
    assert files_of(taken.path) == files_of(archive.settings.home)
    assert taken.marker.objects == 10 and not taken.marker.faults
    verdict = verify(newest(tmp_path / "out"))
    assert verdict.files == 11 and not verdict.wrong


def test_nobody_else_may_read_a_snapshot(archive: Archive, tmp_path: Path) -> None:
    taken = copy(archive, tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in taken.path.rglob("*") if path.is_file()} == {0o600}


def test_what_has_not_changed_is_linked_and_not_copied(archive: Archive, tmp_path: Path) -> None:
    first = copy(archive, tmp_path / "out")
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    second = copy(archive, tmp_path / "out")
    assert (second.marker.objects, second.marker.linked) == (11, 10)
    links = [path.stat().st_nlink for path in (second.path / "archive").rglob("*.dcm")]
    assert sorted(links) == [1] + [2] * 10
    third = copy(archive, tmp_path / "out", full=True)
    assert third.marker.linked == 0
    assert {path.stat().st_nlink for path in (third.path / "archive").rglob("*.dcm")} == {1}
    assert files_of(first.path).keys() < files_of(third.path).keys()


def test_what_cannot_be_linked_is_copied(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(archive, tmp_path / "out")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("a file system without links")

    monkeypatch.setattr(os, "link", refused)
    taken = copy(archive, tmp_path / "out")
    assert taken.marker.linked == 0 and taken.marker.objects == 10
    assert not verify(newest(tmp_path / "out")).wrong


def test_accounts_and_quarantine_are_in_it(archive: Archive, tmp_path: Path) -> None:
    with Book(archive.settings.home), pytest.raises(Unparseable):
        archive.ingest.receive_file(BytesIO(part10(ct(StudyInstanceUID=None))), sender())
    taken = copy(archive, tmp_path / "out")
    paths = [entry.path for entry in manifest.entries(taken.path / manifest.NAME)]
    assert "access.db" in paths
    assert len([path for path in paths if path.startswith("quarantine/default/")]) == 1
    assert not taken.marker.faults
    again = copy(archive, tmp_path / "out")
    assert again.marker.linked == 11


def test_invariant_what_was_evicted_meanwhile_is_recorded_as_evicted(tmp_path: Path, clock: FakeClock) -> None:
    archive = box(tmp_path / "home", clock)
    stored = [settled(archive, clock) for _ in range(4)]
    progress = while_copying(lambda: archive.retention.run())
    taken = copy(archive, tmp_path / "out", progress=progress)
    assert taken.marker.evicted == 3 and not taken.marker.faults
    archive.close()
    restore(newest(tmp_path / "out"), tmp_path / "back", clock=clock)
    back = Archive.open(replace(archive.settings, home=tmp_path / "back"), "test", clock)
    with back.database.read() as cx:
        rows = cx.execute("SELECT evicted_at, blob_path FROM version ORDER BY id").fetchall()
        lines = cx.execute("SELECT count(*) FROM custody WHERE fact = 'evicted'").fetchone()[0]
        waiting = cx.execute("SELECT count(*) FROM delivery WHERE state = 'pending'").fetchone()[0]
    assert fsck.check(back).clean
    back.close()
    assert len([row for row in rows if row["evicted_at"] and row["blob_path"] is None]) == 3
    assert (lines, waiting, len(rows)) == (3, 0, len(stored))


def test_what_a_person_deletes_meanwhile_is_not_in_it(archive: Archive, tmp_path: Path) -> None:
    victim = sorted(versions(archive))[-1]
    sop_uid = victim.rpartition("/")[2].removesuffix(".dcm")

    def delete() -> None:
        archive.deletions.delete(Level.INSTANCE, sop_uid, reason="wrong patient", by="me", force=True)

    taken = copy(archive, tmp_path / "out", progress=while_copying(delete))
    assert taken.marker.objects == 9 and not taken.marker.faults
    assert victim not in files_of(taken.path)


def test_what_was_copied_and_then_deleted_goes_again(archive: Archive, tmp_path: Path) -> None:
    first, *_, last = sorted(versions(archive))

    def delete() -> None:
        for path in (first, last):
            sop_uid = path.rpartition("/")[2].removesuffix(".dcm")
            archive.deletions.delete(Level.INSTANCE, sop_uid, reason="wrong patient", by="me", force=True)

    taken = copy(archive, tmp_path / "out", progress=while_copying(delete, after=2))
    assert taken.marker.objects == 8
    assert files_of(taken.path) == files_of(archive.settings.home)


def test_what_is_lost_or_damaged_is_named_and_the_rest_is_there(archive: Archive, tmp_path: Path) -> None:
    lost, damaged, *_ = sorted(versions(archive))
    (archive.settings.root / lost).unlink()
    path = archive.settings.root / damaged
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    taken = copy(archive, tmp_path / "out", keep=1)
    assert [name for name, _ in taken.marker.faults] == [f"archive/{lost}", f"archive/{damaged}"]
    assert taken.marker.objects == 8
    record = read_record(archive.settings.home)
    assert record is not None and record.faults == 2 and age_seconds(record, archive.clock.now()) is None


def test_what_is_lost_here_is_kept_from_the_snapshot_before(archive: Archive, tmp_path: Path) -> None:
    good = copy(archive, tmp_path / "out")
    lost = versions(archive)[0]
    (archive.settings.root / lost).unlink()
    taken = copy(archive, tmp_path / "out", keep=1)
    assert lost in files_of(taken.path)
    assert [name for name, _ in taken.marker.faults] == [f"archive/{lost}"]
    assert taken.pruned == () and good.path.is_dir()
    record = read_record(archive.settings.home)
    assert record is not None and record.good_at == good.marker.began_at


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("backup.after_databases=kill", 0),
        ("backup.before_object=kill@6", 5),
        ("backup.before_marker=kill", 10),
        ("backup.after_marker=kill", 10),
    ],
)
def test_a_killed_run_counts_for_nothing_and_the_next_goes_on_from_it(
    archive: Archive, tmp_path: Path, place: str, left: int
) -> None:
    order = Order(archive.settings, tmp_path / "out")
    name, _, fault = place.partition("=")
    archive.database.close()
    assert killed(lambda: taking.take(order, archive.clock), {name: fault})
    assert not shelf.snapshots(tmp_path / "out")
    (partial,) = shelf.unfinished(tmp_path / "out")
    before = {path.name: path.stat().st_ino for path in (partial / "archive").rglob("*.dcm")}
    assert len(before) == left
    taken = copy(archive, tmp_path / "out")
    after = {path.name: path.stat().st_ino for path in (taken.path / "archive").rglob("*.dcm")}
    assert before.items() <= after.items() and len(after) == 10
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".backup.lock", taken.path.name]
    assert sorted(path.name for path in taken.path.iterdir()) == ["archive", "index.db", "manifest.jsonl", marker.NAME]
    assert not verify(newest(tmp_path / "out")).wrong


def test_older_snapshots_go_by_number_and_by_age(archive: Archive, tmp_path: Path, clock: FakeClock) -> None:
    names = [copy(archive, tmp_path / "out").path.name for _ in range(4)]
    taken = copy(archive, tmp_path / "out", keep=2)
    assert set(taken.pruned) == set(names[:3])
    clock.advance(10 * 86_400)
    late = copy(archive, tmp_path / "out", keep_days=7)
    assert [one.name for one in shelf.snapshots(tmp_path / "out")] == [late.path.name]
    assert not verify(newest(tmp_path / "out")).wrong


def test_the_last_good_snapshot_stays_whatever_the_rules_say(archive: Archive, tmp_path: Path) -> None:
    good = copy(archive, tmp_path / "out")
    (archive.settings.root / versions(archive)[0]).unlink()
    for _ in range(3):
        copy(archive, tmp_path / "out", keep=1)
    shelf.prune(tmp_path / "out", archive.clock.now(), 1, None)
    names = [one.name for one in shelf.snapshots(tmp_path / "out")]
    assert len(names) == 2 and good.path.name in names


def test_everything_is_on_disk_before_the_marker_says_so(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    afterwards: set[int] = set()
    fsync, write = os.fsync, marker.write

    def remembered(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        afterwards.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def checked(directory: Path, facts: marker.Marker) -> None:
        # SQLite sees to its own files.
        found = [path for path in directory.rglob("*") if path.suffix != ".db" and path.stat().st_ino not in synced]
        assert found == []
        afterwards.clear()
        write(directory, facts)

    (tmp_path / "etc/pki/live").mkdir(parents=True)
    (tmp_path / "etc/pki/live/box.crt").write_text("")
    monkeypatch.setattr(os, "fsync", remembered)
    monkeypatch.setattr(marker, "write", checked)
    found = Found(tmp_path / "etc/pki/live/box.crt", "pki/live/box.crt")
    for _ in range(2):  # the second one has links
        taken = copy(archive, tmp_path / "out", configuration=(found,))
        after = {path.stat().st_ino for path in (taken.path / marker.NAME, taken.path, tmp_path / "out")}
        assert after <= afterwards


def test_a_clock_that_fell_back_costs_no_snapshot(archive: Archive, tmp_path: Path, clock: FakeClock) -> None:
    old = copy(archive, tmp_path / "out")
    clock.advance(-10 * 365 * 86_400)
    taken = copy(archive, tmp_path / "out", keep=1)
    assert taken.path.is_dir() and taken.pruned == (old.path.name,)
    assert newest(tmp_path / "out").path == taken.path
    assert copy(archive, tmp_path / "out").marker.linked == 10


def test_what_was_evicted_and_came_back_meanwhile_is_in_it(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = box(tmp_path / "home", clock)
    for _ in range(4):
        settled(archive, clock)
    (tmp_path / "kept").mkdir()
    shutil.copytree(archive.settings.root, tmp_path / "kept/archive")
    let_go = inventory.let_go

    def sent_again(live: Database, index: Path, versions: Sequence[int], since: int) -> list[str]:
        """All that went is here again, just before it is recorded as gone."""
        if versions:
            shutil.copytree(tmp_path / "kept/archive", archive.settings.root, dirs_exist_ok=True)
            with live.write() as cx:
                for version, path in paths.items():
                    cx.execute(BACK, (path, version))
        return let_go(live, index, versions, since)

    with archive.database.read() as cx:
        paths = {row["id"]: row["blob_path"] for row in cx.execute("SELECT id, blob_path FROM version").fetchall()}
    monkeypatch.setattr(inventory, "let_go", sent_again)
    taken = copy(archive, tmp_path / "out", progress=while_copying(lambda: archive.retention.run()))
    assert taken.marker.objects == 4 and not taken.marker.faults and not taken.marker.evicted
    archive.close()


def test_a_link_in_the_home_is_not_followed_by_what_notes_the_backup(archive: Archive, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    (archive.settings.home / f"backup.json.{os.getpid()}").symlink_to(other)
    copy(archive, tmp_path / "out")
    assert other.read_text() == "theirs"
    assert read_record(archive.settings.home) is not None


def test_two_boxes_do_not_share_a_directory(archive: Archive, tmp_path: Path, clock: FakeClock) -> None:
    copy(archive, tmp_path / "out")
    other = new_archive(tmp_path / "other", clock, site="site-2")
    with pytest.raises(ConfigurationError, match="site-1"):
        copy(other, tmp_path / "out")
    other.close()


def test_two_runs_do_not_meet(archive: Archive, tmp_path: Path) -> None:
    copy(archive, tmp_path / "out")
    with shelf.locked(tmp_path / "out", alone=False), pytest.raises(AlreadyRunning):
        copy(archive, tmp_path / "out")


def test_a_place_inside_the_home_is_refused_and_one_beside_it_warned_of(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(ConfigurationError, match="inside"):
        shelf.check_place(home / "backups", home)
    (tmp_path / "link").symlink_to(home)
    with pytest.raises(ConfigurationError, match="inside"):
        shelf.check_place(tmp_path / "link" / "backups", home)
    with pytest.raises(ConfigurationError, match="inside"):
        shelf.check_place(home / "backups", tmp_path / "link")
    assert "same file system" in shelf.check_place(tmp_path / "not" / "yet", home)
    assert not shelf.check_place(Path("/dev/shm"), home)


def test_keys_and_credentials_stay_here_unless_they_are_asked_for(archive: Archive, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    for name, text in (
        ("appliance.toml", "[site]\n"),
        ("pki/box.crt", "-----BEGIN CERTIFICATE-----\n"),
        ("pki/odd.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n"),
        ("pki/box.key", "x"),
        ("credentials/kafka", "secret"),
        ("hidden", "named by the settings"),
    ):
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(text)
    found = tuple(Found(path, str(path.relative_to(etc))) for path in sorted(etc.rglob("*")) if path.is_file())
    secrets = frozenset({etc / "hidden"})
    taken = copy(archive, tmp_path / "out", configuration=found, secrets=secrets)
    kept = {path.name for path in (taken.path / "configuration").rglob("*") if path.is_file()}
    assert kept == {"appliance.toml", "box.crt"} and taken.kept_back == 4 and not taken.marker.secrets
    taken = copy(archive, tmp_path / "out", configuration=found, secrets=secrets, with_secrets=True)
    kept = {path.name for path in (taken.path / "configuration").rglob("*") if path.is_file()}
    assert len(kept) == 6 and taken.marker.secrets
    assert (taken.path / "configuration/pki/box.key").stat().st_mode & 0o777 == 0o600


def test_of_a_configuration_somewhere_only_the_named_files_go_in(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    for name in ("my.toml", "diary.txt", "conf.d/50.toml"):
        (tmp_path / name).write_text("")
    assert [found.name for found in configuration.files(tmp_path / "my.toml")] == ["my.toml", "conf.d/50.toml"]


def test_a_home_without_objects_can_be_copied(tmp_path: Path, clock: FakeClock) -> None:
    archive = new_archive(tmp_path / "home", clock)
    assert copy(archive, tmp_path / "out").marker.files == 1
    archive.close()
