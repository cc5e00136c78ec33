"""The import journal: survives a torn line, knows a file by path, size and time."""

from __future__ import annotations

import os
from pathlib import Path

from appliance.cli.journal import Journal, mark_of


def test_marks_survive_the_process(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.add("a" * 32)
    with Journal(tmp_path / "j") as journal:
        assert "a" * 32 in journal
        assert "b" * 32 not in journal


def test_a_torn_last_line_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("a" * 32 + "\n" + "b" * 7)
    with Journal(tmp_path / "j") as journal:
        journal.add("c" * 32)
    with Journal(tmp_path / "j") as journal:
        assert "a" * 32 in journal and "c" * 32 in journal
        assert "b" * 32 not in journal


def test_the_journal_names_nobody_and_is_the_owners(tmp_path: Path) -> None:
    file = tmp_path / "Doe^Jane"
    file.write_bytes(b"x")
    with Journal(tmp_path / "j") as journal:
        journal.add(mark_of(file, file.stat()))
    assert "Doe" not in (tmp_path / "j").read_text()
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600


def test_a_changed_file_has_another_mark(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    before = mark_of(file, file.stat())
    os.utime(file, ns=(1, 1))
    assert mark_of(file, file.stat()) != before
    assert mark_of(tmp_path / "g", file.stat()) != mark_of(file, file.stat())
