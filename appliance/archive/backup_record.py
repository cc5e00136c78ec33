"""The note in the home of when the last backup was taken: for status, metrics and alarms."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from appliance.archive.files import as_archive_error, fsync, fsync_directory

NAME: Final = "backup.json"
# Holds no patient data, and may be written by root and read by the service.
MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class Record:
    """The last backup, and since when there is a good one. Times are microseconds since 1970 UTC.

    `good_at` is when the newest without faults was begun, None before there was one.
    """

    path: str
    began_at: int
    ended_at: int
    faults: int
    bytes: int
    good_at: int | None

    @classmethod
    def of(cls, path: Path, began_at: int, ended_at: int, faults: int, size: int) -> Self:
        """Return the record of a backup that has just been taken."""
        return cls(str(path), began_at, ended_at, faults, size, began_at if not faults else None)


def write_record(home: Path, record: Record) -> None:
    """Write it down; after one with faults the good one before still counts. Durable on return. Raises ArchiveError."""
    before = read_record(home)
    facts: dict[str, Any] = asdict(record)
    if record.good_at is None and before is not None:
        facts["good_at"] = before.good_at
    passing = home / f"{NAME}.{os.getpid()}"
    try:
        # Root may write here, where the service could have put a link to any file.
        passing.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(passing, flags, MODE), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), MODE)
            json.dump(facts, file)
            file.flush()
            fsync(file.fileno())
        passing.replace(home / NAME)
    except OSError as error:
        raise as_archive_error(error, "note the backup") from error
    fsync_directory(home)


def read_record(home: Path) -> Record | None:
    """Return what was written down; None where nothing was, or nothing that can be read."""
    try:
        return Record(**json.loads((home / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def age_seconds(record: Record | None, now: int) -> float | None:
    """Return how old the newest good backup is; None when there is none."""
    if record is None or record.good_at is None:
        return None
    return max(0.0, (now - record.good_at) / 1_000_000)
