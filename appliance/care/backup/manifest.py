"""The manifest of a snapshot: one JSON object a line for every file; objects first, in the order of their paths.

The order lets a new backup walk beside the manifest of the one before without holding either in memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance.archive.files import fsync

NAME: Final = "manifest.jsonl"
# What an interrupted run had, or an earlier round of this one.
BEFORE: Final = "manifest.before"
OBJECTS: Final = "archive"
OWNER_ONLY: Final = 0o600
QUARANTINE: Final = "quarantine"
CONFIGURATION: Final = "configuration"
IN_ORDER: Final = (f"{OBJECTS}/", f"{QUARANTINE}/")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a snapshot: `path` below it, bytes, SHA-256 of the whole file, permission bits of the original.

    `digest` is that of the data set in an object (what the index knows it by), else "".
    """

    path: str
    size: int
    sha256: str
    digest: str
    mode: int


class Journal:
    """Writes a manifest, a line at a time, each handed to the kernel at once. A context manager."""

    def __init__(self, path: Path) -> None:
        """Begin a new file at `path`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = open(os.open(path, flags, OWNER_ONLY), "w", encoding="utf-8")  # noqa: SIM115 - closed in __exit__

    def add(self, entry: Entry) -> None:
        """Append a line; not durable before `sync`."""
        facts = {**asdict(entry), "mode": f"{entry.mode:04o}"}
        self._file.write(json.dumps(facts, ensure_ascii=True, separators=(",", ":")) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Return only when every line is on disk. Raises ArchiveFailed."""
        fsync(self._file.fileno())

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._file.close()


def entries(path: Path) -> Iterator[Entry]:
    """Yield the lines of a manifest up to the first that is none: a killed run may have torn it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            entry = _entry(line)
            if entry is None:
                return
            yield entry


def _entry(line: bytes) -> Entry | None:
    try:
        facts = json.loads(line)
        entry = Entry(facts["path"], int(facts["size"]), facts["sha256"], facts["digest"], int(facts["mode"], 8))
    except (ValueError, KeyError, TypeError):
        return None
    return entry if is_inside(entry.path) else None


def is_inside(path: object) -> bool:
    """Say whether a path of a manifest stays below its snapshot; a manifest may come from anywhere."""
    if not isinstance(path, str) or not path or "\0" in path:
        return False
    return not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))


class Known:
    """What an earlier manifest has of objects and quarantine, asked for in the order of paths."""

    def __init__(self, path: Path | None) -> None:
        """Walk the manifest at `path`; without one nothing is known."""
        self._entries = _in_order(path)
        self._next = next(self._entries, None)

    def find(self, path: str) -> tuple[Entry | None, list[Entry]]:
        """Return the entry of `path`, if there is one, and those passed by on the way to it."""
        passed = []
        while self._next is not None and self._next.path < path:
            passed.append(self._next)
            self._next = next(self._entries, None)
        found = self._next
        if found is None or found.path != path:
            return None, passed
        self._next = next(self._entries, None)
        return found, passed

    def rest(self) -> Iterator[Entry]:
        """Yield what was never come to."""
        while self._next is not None:
            yield self._next
            self._next = next(self._entries, None)

    def close(self) -> None:
        """Close the file."""
        self._entries.close()


def _in_order(path: Path | None) -> Generator[Entry, None, None]:
    if path is None:
        return
    for entry in entries(path):
        if entry.path.startswith(IN_ORDER):
            yield entry


def set_aside(snapshot: Path) -> None:
    """Make what a snapshot's manifest has so far into what it had before, for the next round or run to go on from.

    Where an earlier one is set aside already, its lines behind the newer ones stay. A crash in between loses nothing.
    """
    newer, older, mixed = snapshot / NAME, snapshot / BEFORE, snapshot / f"{BEFORE}.new"
    if not newer.exists():
        return
    last = ""
    with Journal(mixed) as journal:
        for entry in _in_order(newer):
            journal.add(entry)
            last = entry.path
        for entry in _in_order(older):
            if entry.path > last:
                journal.add(entry)
    mixed.replace(older)
    newer.unlink()
