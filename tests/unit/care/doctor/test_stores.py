"""Databases, accounts, backups."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.access.book import Book
from appliance.access.roles import Role
from appliance.archive import migrations
from appliance.care.doctor import stores
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.archives import new_archive
from tests.unit.care.doctor.boxes import box, mended


def initialised(tmp_path: Path, **settings: object) -> Box:
    new_archive(tmp_path / "home").close()
    return box(tmp_path, settings)


def test_a_home_without_a_database(tmp_path: Path) -> None:
    mended(stores.schema(box(tmp_path), ""), State.FAULT, "no database", "appliance init")
    assert stores.soundness(box(tmp_path), "").state is State.SKIPPED
    mended(stores.login(box(tmp_path), ""), State.FAULT, "no accounts", "appliance init")
    assert not (tmp_path / "home").exists()


def test_a_sound_database(tmp_path: Path) -> None:
    found = initialised(tmp_path)
    mended(stores.schema(found, ""), State.OK, "tenant default", "")
    mended(stores.soundness(found, ""), State.OK, "sound", "")
    assert stores.log(found, "").state is State.OK


def test_a_database_of_another_tenant(tmp_path: Path) -> None:
    found = initialised(tmp_path, site={"tenant": "south"})
    mended(stores.schema(found, ""), State.FAULT, "says south", "site.tenant")


def test_a_database_without_its_schema(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "index.db").touch()
    mended(stores.schema(box(tmp_path), ""), State.FAULT, "schema 0", "appliance db migrate")


def test_a_database_of_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = migrations.SchemaState(99, 98, "default", ())
    monkeypatch.setattr(migrations, "state", lambda _path: newer)
    mended(stores.schema(initialised(tmp_path), ""), State.FAULT, "of a newer version", "restore the backup")


def test_a_database_that_sqlite_finds_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "QUICK", "SELECT 'row 1 missing from index'")
    mended(stores.soundness(initialised(tmp_path), ""), State.FAULT, "damaged", "restore a backup")


def test_a_damaged_database(tmp_path: Path) -> None:
    found = initialised(tmp_path)
    path = tmp_path / "home" / "index.db"
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 40] = b"\x55" * (4096 * 38)
    path.write_bytes(data)
    verdict = stores.soundness(found, "")
    assert verdict.state is State.FAULT
    assert "docs/operations.md" in verdict.mend


def test_somebody_must_be_able_to_log_in(tmp_path: Path) -> None:
    found = initialised(tmp_path)
    with Book(found.settings.home) as book:
        mended(stores.login(found, ""), State.FAULT, "no administrator", "appliance user add")
        book.setup.make()
        mended(stores.login(found, ""), State.WARNING, "set-up code waits", "within a day")
        book.accounts.add("eva", Role.ADMIN, "a good long sentence")
        mended(stores.login(found, ""), State.OK, "1 administrators", "")
        book.accounts.disable("eva")
        mended(stores.login(found, ""), State.WARNING, "set-up code waits", "within a day")


def test_backups(tmp_path: Path) -> None:
    mended(stores.backup(box(tmp_path), ""), State.WARNING, "nobody", "backup.directory")
    away = {"backup": {"directory": tmp_path / "backups"}}
    mended(stores.backup(box(tmp_path, away), ""), State.WARNING, "there is none", "appliance backup")


@pytest.mark.parametrize(
    ("days", "faults", "state", "what"),
    [
        (1, (), State.OK, "1.0 days old"),
        (3, (), State.WARNING, "3.0 days old"),
        (1, (("a", "gone"),), State.WARNING, "lacks 1 files"),
    ],
)
def test_how_old_and_how_whole_the_newest_backup_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    faults: tuple[tuple[str, str], ...],
    state: State,
    what: str,
) -> None:
    found = box(tmp_path, {"backup": {"directory": tmp_path}})
    marker = SimpleNamespace(began_at=found.clock.now() - days * 86_400_000_000, faults=faults)
    monkeypatch.setattr(stores, "snapshots", lambda _directory: [SimpleNamespace(marker=marker)])
    mended(stores.backup(found, ""), state, what, "")
