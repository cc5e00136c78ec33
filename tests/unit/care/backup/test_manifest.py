"""Manifests: torn ones, and what an interrupted run leaves for the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.care.backup import manifest
from appliance.care.backup.manifest import Entry, Journal, Known


def entry(path: str) -> Entry:
    """A line for a path."""
    return Entry(path, 3, "a" * 64, "b" * 64, 0o640)


def written(path: Path, *paths: str) -> None:
    """Write a manifest of these paths."""
    with Journal(path) as journal:
        for one in paths:
            journal.add(entry(one))


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path / "m", "archive/a", "archive/b")
    assert list(manifest.entries(tmp_path / "m")) == [entry("archive/a"), entry("archive/b")]


def test_a_torn_line_ends_it(tmp_path: Path) -> None:
    written(tmp_path / "m", "archive/a", "archive/b")
    data = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(data[:-20])
    assert [one.path for one in manifest.entries(tmp_path / "m")] == ["archive/a"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "archive/../x", "archive//x", "", "a\0b", "./x"])
def test_a_path_that_leads_out_is_no_line(path: str) -> None:
    assert not manifest.is_inside(path)


def test_known_files_are_found_in_order_and_those_passed_by_are_told(tmp_path: Path) -> None:
    written(tmp_path / "m", "archive/a", "archive/c", "archive/d", "quarantine/q", "index.db")
    known = Known(tmp_path / "m")
    assert known.find("archive/b") == (None, [entry("archive/a")])
    assert known.find("archive/c") == (entry("archive/c"), [])
    assert [one.path for one in known.rest()] == ["archive/d", "quarantine/q"]
    known.close()


def test_what_two_interrupted_runs_have_copied_is_kept_together(tmp_path: Path) -> None:
    written(tmp_path / manifest.BEFORE, "archive/a", "archive/b", "archive/c")
    written(tmp_path / manifest.NAME, "archive/a", "archive/a2")
    manifest.set_aside(tmp_path)
    found = [one.path for one in manifest.entries(tmp_path / manifest.BEFORE)]
    assert found == ["archive/a", "archive/a2", "archive/b", "archive/c"]
    manifest.set_aside(tmp_path)
    assert not (tmp_path / manifest.NAME).exists()
