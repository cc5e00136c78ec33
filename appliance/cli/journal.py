"""The import journal: which files have been imported, so that a second run passes them by quickly."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

NAME = "import.journal"


class Journal:
    """One line per imported file: a hash of path, size and time of change; a path could name a patient.

    Losing lines is harmless (the archive knows duplicates), so nothing is fsynced. Not thread-safe.
    """

    def __init__(self, path: Path) -> None:
        """Read the journal at `path`, if there is one; a torn last line matches nothing."""
        self._known = set(path.read_text("ascii", "replace").split()) if path.exists() else set()
        self._file = path.open("a", encoding="ascii")
        os.chmod(path, 0o600)
        if path.stat().st_size:
            self._file.write("\n")  # a torn last line ends here

    def __contains__(self, mark: object) -> bool:
        """Whether the file of this mark has been imported as it is now."""
        return mark in self._known

    def add(self, mark: str) -> None:
        """Remember a file whose object is durable."""
        self._known.add(mark)
        self._file.write(mark + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


def mark_of(path: Path, found: os.stat_result) -> str:
    """Hash of absolute path, size and time of change."""
    subject = f"{path.absolute()}\0{found.st_size}\0{found.st_mtime_ns}"
    return blake2b(os.fsencode(subject), digest_size=16).hexdigest()
