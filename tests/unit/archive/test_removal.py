"""Removal: a file goes only as the one that was seen, and while no row names its path."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from appliance.archive import fsck
from appliance.archive.database import Row
from appliance.archive.layout import DAMAGED
from appliance.archive.placement import Placement
from appliance.archive.removal import Remover
from appliance.archive.room import Archive
from appliance.archive.shelter import LOCK, TURN
from appliance.model.attributes import Level
from appliance.model.records import Result, Stored
from tests.builders.instances import ct
from tests.clocks import FakeClock
from tests.unit.archive.evicting import box, change, store
from tests.waiting import wait_until

SECONDS = 20


class Sending(threading.Thread):
    """A door that has put its file in place, and has not recorded it before it may `go`."""

    def __init__(self, archive: Archive, dataset: Dataset) -> None:
        super().__init__()
        self.stored: Stored | None = None
        self.placed, self.going = threading.Event(), threading.Event()
        self._archive, self._dataset, self._record = archive, dataset, archive.ingest._record
        archive.ingest._record = self._slowly  # type: ignore[method-assign, assignment]

    def run(self) -> None:
        self.stored = store(self._archive, self._dataset)

    def _slowly(self, *values: Any) -> Stored:
        if threading.current_thread() is self:
            self.placed.set()
            assert self.going.wait(SECONDS)
        return self._record(*values)

    def end(self) -> Stored:
        """Let it go, and return what it was told."""
        self.going.set()
        self.join(SECONDS)
        assert self.stored is not None
        return self.stored


@contextmanager
def sending(archive: Archive, dataset: Dataset) -> Iterator[Sending]:
    """Make a door that is not left waiting when the test fails."""
    door = Sending(archive, dataset)
    try:
        yield door
    finally:
        if door.ident is not None:
            door.going.set()
            door.join(SECONDS)


def is_taken(archive: Archive, name: str) -> bool:
    """Say whether somebody is alone in the shelter (LOCK), or waits to be (TURN)."""
    descriptor = os.open(archive.settings.home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holds(archive: Archive, stored: Stored) -> bool:
    """Say whether a row names a file with these very bytes."""
    with archive.database.read() as cx:
        row = cx.execute("SELECT * FROM version WHERE id = ?", (stored.version_id,)).fetchone()
    path = archive.settings.root / (row["blob_path"] or "none")
    return path.is_file() and hashlib.sha256(path.read_bytes()[row["blob_offset"] :]).hexdigest() == stored.digest


@pytest.fixture
def archive(tmp_path: Path, clock: FakeClock) -> Archive:
    """A box; the test closes it."""
    return box(tmp_path / "home", clock)


def test_a_file_that_a_row_names_stays_and_goes_once_none_does(archive: Archive) -> None:
    path = archive.reading.instances(store(archive).study_uid)[0].path
    remover = Remover(archive.settings, archive.database)
    seen = remover.see(str(path.relative_to(archive.settings.root)))
    assert seen is not None
    assert remover.remove([seen]) == set()
    assert path.exists()
    change(archive, "UPDATE version SET blob_kind = 'evicted', blob_path = NULL")
    assert remover.remove([seen]) == {path.parent}
    assert remover.remove([seen]) == set(), "a repeat is safe"
    assert not path.exists()
    archive.close()


def test_another_file_that_has_got_the_name_meanwhile_stays(archive: Archive) -> None:
    """A door has put it there, and will name it in a row in a moment."""
    path, another = archive.settings.root / "one.dcm", archive.settings.root / "another.dcm"
    path.write_bytes(b"1")
    another.write_bytes(b"2")
    remover = Remover(archive.settings, archive.database)
    seen = remover.see("one.dcm")
    assert seen is not None
    os.replace(another, path)
    assert remover.remove([seen]) == set()
    assert path.read_bytes() == b"2"
    archive.close()


def test_what_is_not_there_is_not_seen(archive: Archive) -> None:
    assert Remover(archive.settings, archive.database).see("none.dcm") is None
    archive.close()


def test_a_file_that_was_found_damaged_is_set_aside_only_as_itself_and_only_if_no_row_names_it(
    archive: Archive,
) -> None:
    path = archive.reading.instances(store(archive).study_uid)[0].path
    remover = Remover(archive.settings, archive.database)
    seen = remover.see(str(path.relative_to(archive.settings.root)))
    assert seen is not None
    remover.set_aside(seen)
    assert path.exists(), "a row names it"
    change(archive, "UPDATE version SET blob_kind = 'evicted', blob_path = NULL")
    other = path.with_name("other")
    other.write_bytes(b"other")
    path.rename(path.with_name("moved"))
    other.rename(path)
    remover.set_aside(seen)
    assert path.read_bytes() == b"other", "another file has got its name"
    path.with_name("moved").replace(path)
    remover.set_aside(seen)
    assert not path.exists()
    assert path.with_name(path.name + DAMAGED).exists()
    archive.close()


def test_a_name_that_a_deletion_has_freed_is_its_next_owners_and_no_damaged_file(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same content is sent again and found; then it is deleted, and another content gets its name.

    The first sender misses its bytes. What stands there now is not theirs, and its door has not recorded it yet.
    """
    dataset = ct()
    uid, holds_bytes = store(archive, dataset).sop_uid, Placement.holds_bytes
    another = deepcopy(dataset)
    another.PatientComments = "another content"
    with sending(archive, another) as other:

        def meanwhile(placement: Placement, known: Row) -> bool:
            monkeypatch.undo()
            archive.deletions.delete(Level.INSTANCE, uid, reason="a test", by="test", force=True)
            archive.deletions.undelete(Level.INSTANCE, uid, by="test")
            other.start()
            assert other.placed.wait(SECONDS)
            return holds_bytes(placement, known)

        monkeypatch.setattr(Placement, "holds_bytes", meanwhile)
        again = store(archive, dataset)
        assert again.result is Result.RESTORED
        assert holds(archive, other.end())
    assert holds(archive, again)
    assert not list(archive.settings.root.rglob(f"*{DAMAGED}"))
    archive.close()


def test_a_file_is_not_removed_between_its_placement_and_its_row(archive: Archive) -> None:
    """Another door may have taken it over, and may want to withdraw it now."""
    dataset = ct()
    remover = Remover(archive.settings, archive.database)
    with sending(archive, dataset) as door:
        door.start()
        assert door.placed.wait(SECONDS)
        (path,) = archive.settings.root.rglob(f"{dataset.SOPInstanceUID}.dcm")
        seen = remover.see(str(path.relative_to(archive.settings.root)))
        assert seen is not None
        removing = threading.Thread(target=remover.remove, args=([seen],))
        removing.start()
        wait_until(lambda: not removing.is_alive() or is_taken(archive, TURN))
        stored = door.end()
        removing.join(SECONDS)
        assert not removing.is_alive()
        assert holds(archive, stored)
    archive.close()


def test_a_repair_does_not_rename_what_a_door_has_just_put_where_a_file_was_missing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ct()
    archive.reading.instances(store(archive, dataset).study_uid)[0].path.unlink()
    other, fault, judged = store(archive), fsck._fault, []
    with sending(archive, dataset) as door:
        door.going.set()

        def meanwhile(path: Path, row: Row, *, deep: bool) -> tuple[str, str] | None:
            found = fault(path, row, deep=deep)
            judged.extend([] if found is None else [found])
            if found is not None and len(judged) == 2:  # under the write lock
                door.start()
                wait_until(lambda: door.placed.is_set() or is_taken(archive, LOCK))
            return found

        monkeypatch.setattr(fsck, "_fault", meanwhile)
        fsck.check(archive, repair=True)
        assert holds(archive, door.end())
    assert holds(archive, other)
    archive.close()
