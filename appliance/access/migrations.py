"""The history of access.db. Small, and apart from the index: logins never contend with what arrives."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Final

from appliance.archive.database import connect, translated
from appliance.archive.files import as_archive_error
from appliance.errors import SchemaMismatch

STEPS: Final = ("0001.sql",)
# Hashes of passwords are there to be guessed at by whoever may read them.
OWNER_ONLY: Final = 0o600


def migrate(path: Path) -> None:
    """Create or upgrade the database at `path`, in one transaction. Safe to repeat, and from several processes.

    Raises SchemaMismatch for a file that a newer version of the appliance has made.
    """
    with translated():
        _keep_for_the_owner(path)
        cx = connect(path)
        try:
            cx.execute("BEGIN IMMEDIATE")
            version = cx.execute("PRAGMA user_version").fetchone()[0]
            if version > len(STEPS):
                raise SchemaMismatch(
                    f"access.db has schema {version}, made by a newer version of the appliance",
                    hint="install that version again, or move access.db away and make the accounts anew",
                )
            for name in STEPS[version:]:
                for statement in _statements(name):
                    cx.execute(statement)
            cx.execute(f"PRAGMA user_version = {len(STEPS)}")
            cx.execute("COMMIT")
        finally:
            cx.close()


def _keep_for_the_owner(path: Path) -> None:
    """Set the mode before SQLite opens the file: its log and its index take it over."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        if path.stat().st_mode & 0o777 & ~OWNER_ONLY:
            path.chmod(OWNER_ONLY)
    except OSError as error:
        raise as_archive_error(error, "open access.db") from error


def _statements(name: str) -> list[str]:
    text = resources.files("appliance.access").joinpath("schema", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]
