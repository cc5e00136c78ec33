"""`appliance db migrate` keeps a copy of the databases before it changes anything."""

from __future__ import annotations

import pytest

from appliance.archive import migrations
from appliance.care import safety_copy
from appliance.care.safety_copy import copies
from tests.integration.cli.conftest import Home


@pytest.fixture
def older(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose database lacks a step."""
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("9999_next", lambda database: None)))
    return home


def test_where_there_is_nothing_to_do_no_copy_is_made(home: Home) -> None:
    home.run("db", "migrate")
    assert copies(home.path) == []


def test_a_migration_leaves_a_way_back(older: Home) -> None:
    said = older.run("db", "migrate").stdout
    (made,) = copies(older.path)
    assert str(made) in said and "applied 9999_next" in said
    older.run("db", "migrate")
    assert copies(older.path) == [made]


def test_without_room_for_a_copy_nothing_is_migrated(older: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety_copy, "MARGIN_BYTES", 1 << 60)
    assert "no room" in older.run("db", "migrate", code=73).output
    assert older.json("db", "status", code=1)["pending"] == ["9999_next"]
    older.run("db", "migrate", "--no-backup")
    assert copies(older.path) == []
