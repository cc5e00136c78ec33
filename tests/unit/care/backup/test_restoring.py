"""The way back: the same home, or a clear word."""

from __future__ import annotations

import grp
import json
import os
import pwd
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from appliance.access.book import Book
from appliance.access.roles import Role
from appliance.archive import fsck, migrations
from appliance.archive.database import Database, connect
from appliance.archive.restoration import NOTE, refuse_half_restored
from appliance.archive.room import Archive
from appliance.care.backup import copying, marker, shelf
from appliance.care.backup.restoring import restore
from appliance.care.backup.shelf import Snapshot
from appliance.care.backup.taking import Order, take
from appliance.care.backup.verifying import verify
from appliance.errors import ArchiveFailed, ConfigurationError, NotFound, SchemaMismatch
from appliance.lifecycle import sole_process
from tests.archives import sender
from tests.builders.instances import ct, part10
from tests.clocks import FakeClock
from tests.unit.care.backup.copies import copy, files_of, killed, newest


@pytest.fixture
def snapshot(archive: Archive, tmp_path: Path) -> Snapshot:
    """A snapshot of ten objects."""
    copy(archive, tmp_path / "out")
    return newest(tmp_path / "out")


def opened(archive: Archive, home: Path) -> Archive:
    """The archive of a restored home."""
    return Archive.open(replace(archive.settings, home=home), "test", archive.clock)


def change(home: Path, statement: str) -> int:
    """Change the accounts' database; return how many rows that was."""
    access = Database(home / "access.db")
    with access.write() as cx:
        count = cx.execute(statement).rowcount
    access.close()
    return count


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_restored_home_is_as_it_was(archive: Archive, snapshot: Snapshot, tmp_path: Path) -> None:
    result = restore(snapshot, tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(archive.settings.home)
    back = opened(archive, tmp_path / "back")
    assert fsck.check(back).clean
    back.close()
    assert result.files == 11 and not result.wrong and result.set_aside is None
    for name in (".", "archive", "index.db"):
        assert (tmp_path / "back" / name).stat().st_mode == (archive.settings.home / name).stat().st_mode
    refuse_half_restored(tmp_path / "back")


def test_a_snapshot_is_untouched_by_its_restoration(snapshot: Snapshot, tmp_path: Path) -> None:
    restore(snapshot, tmp_path / "back")
    assert not verify(snapshot).wrong


def test_deliveries_go_on_after_a_restoration(archive: Archive, tmp_path: Path) -> None:
    assert archive.outbox.claim("outbound", rows=5, bytes_=1 << 30, lease_seconds=60) is not None
    copy(archive, tmp_path / "out")
    restore(newest(tmp_path / "out"), tmp_path / "back")
    archive.clock.advance(3600)  # type: ignore[attr-defined]
    back = opened(archive, tmp_path / "back")
    back.outbox.release_all("outbound")
    assert back.outbox.stats()["outbound"].pending == 22
    back.close()


def test_a_home_that_is_not_empty_is_refused_or_set_aside(archive: Archive, snapshot: Snapshot, tmp_path: Path) -> None:
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    home = archive.settings.home
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(snapshot, home)
    archive.database.close()
    result = restore(snapshot, home, force=True)
    assert result.set_aside is not None and len(files_of(result.set_aside)) == 11
    assert len(files_of(home)) == 10


def test_a_home_in_use_is_not_set_aside(archive: Archive, snapshot: Snapshot) -> None:
    with sole_process(archive.settings.home, "scp"), pytest.raises(ConfigurationError, match="in use"):
        restore(snapshot, archive.settings.home, force=True)


@pytest.mark.parametrize("fault", ["restore.before_object=kill@6", "restore.before_index=kill"])
def test_a_killed_restoration_leaves_nothing_that_starts_and_is_gone_on_with(
    archive: Archive, snapshot: Snapshot, tmp_path: Path, fault: str
) -> None:
    home = tmp_path / "back"
    archive.database.close()
    name, _, action = fault.partition("=")
    assert killed(lambda: restore(snapshot, home), {name: action})
    assert (home / NOTE).exists() and not (home / "index.db").exists()
    with pytest.raises(SchemaMismatch, match="not ended"):
        refuse_half_restored(home)
    before = {path.name: path.stat().st_ino for path in (home / "archive").rglob("*.dcm")}
    assert before
    restore(snapshot, home)
    after = {path.name: path.stat().st_ino for path in (home / "archive").rglob("*.dcm")}
    assert before.items() <= after.items()
    assert files_of(home) == files_of(archive.settings.home)
    assert sorted(path.name for path in home.iterdir()) == ["archive", "index.db", "spool"]
    back = opened(archive, home)
    assert fsck.check(back).clean
    back.close()


def test_a_damaged_object_is_left_out_and_named(archive: Archive, snapshot: Snapshot, tmp_path: Path) -> None:
    victim = sorted((snapshot.path / "archive").rglob("*.dcm"))[3]
    flip(victim)
    path = str(victim.relative_to(snapshot.path))
    assert verify(snapshot).wrong == [(path, "its bytes have changed")]
    result = restore(snapshot, tmp_path / "back")
    assert result.wrong == [(path, "its copy is damaged")] and result.files == 10
    assert len(files_of(tmp_path / "back")) == 9


@pytest.mark.parametrize("name", ["index.db", "manifest.jsonl"])
def test_a_damaged_index_or_manifest_is_refused(snapshot: Snapshot, tmp_path: Path, name: str) -> None:
    flip(snapshot.path / name)
    assert verify(snapshot).wrong
    with pytest.raises(ArchiveFailed):
        restore(snapshot, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_is_missing_in_a_snapshot_is_found(snapshot: Snapshot) -> None:
    victim = sorted((snapshot.path / "archive").rglob("*.dcm"))[0]
    victim.unlink()
    assert verify(snapshot).wrong == [(str(victim.relative_to(snapshot.path)), "missing")]


def test_a_snapshot_from_elsewhere_changes_nothing_outside_and_brings_no_special_bits(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    ours = snapshot.marker.owners
    hostile = {**ours, "../outside": replace(ours["."], mode=0o777), "archive": replace(ours["archive"], mode=0o6750)}
    path = snapshot.path / "manifest.jsonl"
    path.write_text(path.read_text().replace('"mode":"0640"', '"mode":"6775"'))
    facts = replace(snapshot.marker, owners=hostile, manifest_sha256=marker.sha256_of(path))
    restore(Snapshot(snapshot.path, facts), tmp_path / "back")
    assert outside.stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "back/archive").stat().st_mode & 0o7777 == 0o2750
    modes = {path.stat().st_mode & 0o7777 for path in (tmp_path / "back/archive").rglob("*.dcm")}
    assert modes == {0o664}


def test_a_manifest_that_leads_out_is_refused_even_where_its_marker_agrees(snapshot: Snapshot, tmp_path: Path) -> None:
    path = snapshot.path / "manifest.jsonl"
    line = json.dumps({"path": "../evil", "size": 0, "sha256": "", "digest": "", "mode": "0640"})
    path.write_text(line + "\n" + path.read_text())
    files = snapshot.marker.files + 1
    agreeing = replace(snapshot, marker=replace(snapshot.marker, files=files, manifest_sha256=marker.sha256_of(path)))
    assert verify(agreeing).wrong == [("manifest.jsonl", f"has 0 usable lines of {files}")]
    with pytest.raises(ArchiveFailed, match="usable"):
        restore(agreeing, tmp_path / "back")


def test_a_disk_that_keeps_something_else_than_was_written_is_found_out(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(source: Path, target: Path, *, mode: int) -> copying.Copied:
        found = copy_file(source, target, mode=mode)
        if source == victim:
            flip(target)
        return found

    victim, copy_file = sorted((snapshot.path / "archive").rglob("*.dcm"))[2], copying.copy
    monkeypatch.setattr(copying, "copy", forgetful)
    result = restore(snapshot, tmp_path / "back")
    assert result.wrong == [(str(victim.relative_to(snapshot.path)), "its bytes have changed")]


def test_who_only_reads_leaves_no_lock_behind(tmp_path: Path) -> None:
    with shelf.locked(tmp_path, alone=False), pytest.raises(NotFound):
        shelf.chosen(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_a_link_to_another_disk_stays_one(snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "disk/box").mkdir(parents=True)
    (tmp_path / "disk/box/old").write_text("")
    home = tmp_path / "linked"
    home.symlink_to(tmp_path / "disk/box")
    result = restore(snapshot, home, force=True)
    assert home.is_symlink() and (tmp_path / "disk/box/index.db").is_file()
    assert result.set_aside == tmp_path / "disk/box.before-1" and (result.set_aside / "old").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user for it")
def test_whoever_is_not_root_gives_files_to_the_group_that_they_are_in(
    archive: Archive, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    os.chown(archive.settings.root, 0, grp.getgrnam("daemon").gr_gid)
    archive.settings.root.chmod(0o2750)
    copy(archive, tmp_path / "out")
    for place in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        os.chown(place, 65534, 65534)
    for above in (tmp_path, *tmp_path.parents):
        if above == Path(tempfile.gettempdir()):
            break
        above.chmod(0o755)
    # What it imports on the way may lie where only root reads.
    restore(newest(tmp_path / "out"), tmp_path / "first")
    (tmp_path / "back").mkdir()
    os.chown(tmp_path / "back", 65534, 65534)
    archive.database.close()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([grp.getgrnam("daemon").gr_gid])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            restore(newest(tmp_path / "out"), tmp_path / "back")
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    restored = tmp_path / "back/archive"
    assert restored.stat().st_mode & 0o7777 == 0o2750
    for path in (restored, *restored.rglob("*")):
        assert (path.owner(), path.group()) == ("nobody", "daemon")


def test_a_snapshot_of_a_newer_program_is_refused(snapshot: Snapshot, tmp_path: Path) -> None:
    later = migrations.SCHEMA_VERSION + 1
    newer = Snapshot(snapshot.path, replace(snapshot.marker, schema=later, compatible_from=later))
    with pytest.raises(SchemaMismatch, match=f"schema {later}"):
        restore(newer, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_snapshot_with_accounts_of_a_newer_program_is_refused(archive: Archive, tmp_path: Path) -> None:
    with Book(archive.settings.home):
        copy(archive, tmp_path / "out")
    cx = connect(newest(tmp_path / "out").path / "access.db")
    cx.execute("PRAGMA user_version = 999")
    cx.close()
    with pytest.raises(SchemaMismatch, match="accounts"):
        restore(newest(tmp_path / "out"), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_snapshot_of_an_older_program_is_migrated(
    archive: Archive, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = migrations.STEPS
    home = tmp_path / "older"
    home.mkdir()
    monkeypatch.setattr(migrations, "STEPS", steps[:-1])
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", len(steps) - 1)
    migrations.migrate(home / "index.db", tenant="default", clock=clock)
    take(Order(replace(archive.settings, home=home), tmp_path / "out"), clock)
    monkeypatch.undo()
    result = restore(newest(tmp_path / "out"), tmp_path / "back", clock=clock)
    assert result.migrated == (steps[-1][0],)
    opened(archive, tmp_path / "back").close()


def test_sessions_have_ended_and_accounts_are_back(archive: Archive, tmp_path: Path, clock: FakeClock) -> None:
    with Book(archive.settings.home, clock) as book:
        book.accounts.add("ada", Role.VIEWER, "correct horse battery staple")
    sessions = "INSERT INTO session SELECT 'hash', id, 0, 0, '' FROM account"
    change(archive.settings.home, sessions)
    copy(archive, tmp_path / "out")
    restore(newest(tmp_path / "out"), tmp_path / "back")
    with Book(tmp_path / "back", clock) as book:
        assert book.accounts.count() == 1
    assert change(tmp_path / "back", "DELETE FROM session") == 0


def test_a_manifest_cannot_lead_out_of_the_home(snapshot: Snapshot, tmp_path: Path) -> None:
    lines = (snapshot.path / "manifest.jsonl").read_text().splitlines()
    first = {**json.loads(lines[0]), "path": "archive/../../escaped"}
    (snapshot.path / "manifest.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    facts = replace(snapshot.marker, manifest_sha256=marker.sha256_of(snapshot.path / "manifest.jsonl"))
    with pytest.raises(ArchiveFailed):
        restore(Snapshot(snapshot.path, facts), tmp_path / "back")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_a_home_back_to_its_owner(archive: Archive, tmp_path: Path) -> None:
    home = archive.settings.home
    daemon, mail = pwd.getpwnam("daemon").pw_uid, grp.getgrnam("mail").gr_gid
    for path in (home, *home.rglob("*")):
        os.chown(path, daemon, mail if path.is_relative_to(home / "archive") else 1)
    (home / "archive").chmod(0o2750)
    copy(archive, tmp_path / "out")
    restore(newest(tmp_path / "out"), tmp_path / "back")
    for path in (tmp_path / "back", *(tmp_path / "back").rglob("*")):
        found = path.stat()
        assert found.st_uid == daemon, path
        assert found.st_gid == (mail if path.is_relative_to(tmp_path / "back" / "archive") else 1), path
    assert (tmp_path / "back" / "archive").stat().st_mode & 0o7777 == 0o2750
