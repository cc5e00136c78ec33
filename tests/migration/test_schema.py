"""The schema file, the migrations and the attribute table say the same; wrong versions are refused."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from sqlite_utils import Database as UtilsDatabase

from appliance.archive import database, migrations
from appliance.archive.room import Archive
from appliance.errors import ConfigurationError, SchemaMismatch
from appliance.model.attributes import Level, columns
from tests.archives import new_archive, small_settings
from tests.clocks import FakeClock

NAMES = ("0001_first", "0002_routes", "0003_filling", "0004_reading", "0005_custody")
OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite_%' ORDER BY type, name"


def objects(path: Path) -> dict[str, object]:
    """Every table and index: columns, keys, checks and options of tables; the text of indexes."""
    cx = database.connect(path)
    found: dict[str, object] = {}
    for kind, name, sql in cx.execute(OBJECTS).fetchall():
        if kind == "index":
            found[name] = " ".join(sql.split())
            continue
        columns = [tuple(row) for row in cx.execute(f"PRAGMA table_xinfo({name})").fetchall()]
        keys = sorted(tuple(row)[2:] for row in cx.execute(f"PRAGMA foreign_key_list({name})").fetchall())
        indexes = [tuple(row)[2:] for row in cx.execute(f"PRAGMA index_list({name})").fetchall()]
        options = [tuple(row)[2:] for row in cx.execute(f"PRAGMA table_list({name})").fetchall()]
        checks = sorted(re.findall(r"CHECK \([^)]*\)", sql))
        found[name] = (columns, keys, sorted(indexes), options, checks)
    cx.close()
    return found


def test_the_schema_file_equals_the_sum_of_the_migrations(tmp_path: Path) -> None:
    migrations.migrate(tmp_path / "migrated.db", tenant="default", clock=FakeClock())
    fresh = database.connect(tmp_path / "fresh.db")
    text = resources.files("appliance.archive").joinpath("schema", "schema.sql").read_text(encoding="utf-8")
    fresh.executescript(text)
    fresh.close()
    assert objects(tmp_path / "fresh.db") == objects(tmp_path / "migrated.db")
    assert len(objects(tmp_path / "fresh.db")) > 20


@pytest.mark.parametrize("level", list(Level))
def test_every_indexed_attribute_has_its_column(tmp_path: Path, level: Level) -> None:
    migrations.migrate(tmp_path / "index.db", tenant="default", clock=FakeClock())
    cx = database.connect(tmp_path / "index.db")
    there = {row["name"] for row in cx.execute(f"PRAGMA table_info({level.value})").fetchall()}
    cx.close()
    assert set(columns(level)) <= there


def test_migrating_twice_applies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    assert migrations.migrate(path, tenant="default", clock=FakeClock()) == NAMES
    assert migrations.migrate(path, tenant="default", clock=FakeClock()) == ()


def test_invariant_12_a_room_refuses_a_missing_database(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        Archive.open(small_settings(tmp_path), "scp")
    assert "appliance init" in refused.value.hint


def test_what_was_stored_before_is_found_folded_after(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    cx = database.connect(path)
    for name in ("0001.sql", "0002.sql"):
        text = resources.files("appliance.archive").joinpath("schema", name).read_text(encoding="utf-8")
        cx.executescript(text)
    cx.execute(
        "INSERT INTO study (tenant, study_uid, study_description, accession_number, cloud_patient_id, cloud_study_date,"
        " modalities, series_count, instance_count, received_at, updated_at, revision)"
        " VALUES ('default', '1.2', 'Röntgen THORAX', NULL, 'x', 'x', 'CT', 1, 1, 1, 1, 1)"
    )
    old = [step for name, step in migrations.STEPS if name == "0004_reading"]
    old[0](UtilsDatabase(cx))
    row = cx.execute("SELECT study_description_search, accession_number_search FROM study").fetchone()
    cx.close()
    assert tuple(row) == ("rontgen thorax", None)


@pytest.mark.parametrize(
    ("column", "value", "hint"),
    [("schema_version", 0, "db migrate"), ("compatible_from", 99, "that version again")],
)
def test_invariant_12_a_room_refuses_another_schema(tmp_path: Path, column: str, value: int, hint: str) -> None:
    archive = new_archive(tmp_path)
    with archive.database.write() as cx:
        cx.execute(f"UPDATE box SET {column} = ?", (value,))
    archive.close()
    with pytest.raises(SchemaMismatch) as refused:
        Archive.open(small_settings(tmp_path), "scp")
    assert hint in refused.value.hint


def test_a_newer_database_that_stays_compatible_is_served(tmp_path: Path) -> None:
    archive = new_archive(tmp_path)
    with archive.database.write() as cx:
        cx.execute("UPDATE box SET schema_version = 99")
    archive.close()
    Archive.open(small_settings(tmp_path), "scp").close()


def test_a_box_does_not_change_its_tenant(tmp_path: Path) -> None:
    new_archive(tmp_path).close()
    with pytest.raises(ConfigurationError):
        Archive.open(small_settings(tmp_path, tenant="other"), "scp")
    with pytest.raises(ConfigurationError):
        Archive.initialise(small_settings(tmp_path, tenant="other"))
