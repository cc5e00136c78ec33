"""The copy of the databases before a migration: sound, durable, two of them, and refused where there is no room."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from appliance.access.book import Book
from appliance.archive.database import connect, frozen
from appliance.care import safety_copy
from appliance.care.safety_copy import copies, keep_copy
from appliance.errors import ArchiveFailed, DiskFull
from tests.archives import new_archive
from tests.clocks import FakeClock

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an index and accounts."""
    new_archive(tmp_path).close()
    Book(tmp_path).close()
    return tmp_path


def test_a_copy_holds_what_the_database_held_while_it_was_open(home: Path) -> None:
    cx = connect(home / "index.db")
    cx.execute("UPDATE box SET revision = 4711")
    try:
        made = keep_copy(home, home / "index.db", schema=5, clock=FakeClock())
    finally:
        cx.close()
    assert sorted(path.name for path in made.iterdir()) == ["access.db", "index.db"]
    with frozen(made / "index.db") as copy:
        assert copy.execute("SELECT revision FROM box").fetchone()[0] == 4711
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}


def test_the_newest_two_are_kept(home: Path) -> None:
    clock = FakeClock()
    made = []
    for schema in (9, 10, 11):
        made.append(keep_copy(home, home / "index.db", schema=schema, clock=clock))
        clock.advance(60)
    assert copies(home) == made[1:]


def test_what_a_killed_run_left_goes_and_counts_for_nothing(home: Path) -> None:
    left = home / "backups" / "before-migration-4-17.unfinished"
    left.mkdir(parents=True)
    made = keep_copy(home, home / "index.db", schema=5, clock=FakeClock())
    assert list((home / "backups").iterdir()) == [made]


def test_without_room_nothing_is_written_and_the_way_out_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 1 << 40, 1 << 20))
    with pytest.raises(DiskFull, match="no room") as caught:
        keep_copy(home, home / "index.db", schema=5, clock=FakeClock())
    assert "--no-backup" in caught.value.hint
    assert list((home / "backups").iterdir()) == []


def test_a_copy_that_is_not_sound_is_no_copy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety_copy, "damage", lambda path: ["row 7 missing from index"])
    with pytest.raises(ArchiveFailed, match="not sound"):
        keep_copy(home, home / "index.db", schema=5, clock=FakeClock())
    assert copies(home) == []
    assert list((home / "backups").iterdir()) == []
