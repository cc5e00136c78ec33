"""What a task works on: a stored object, named by its path or handed over as an open file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes [offset, offset + length) of a file are an encoded data set; the whole file is a Part 10 file.

    The pool opens the file and hands the child its descriptor: a child opens no path.
    """

    path: Path
    offset: int
    length: int
    transfer_syntax_uid: str
    assumed_charset: str = ""

    @property
    def name(self) -> str:
        """What tells this file from others."""
        return str(self.path)

    def open(self) -> int:
        """Return a new descriptor for reading, which the caller closes. Raises OSError."""
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


@dataclass(frozen=True, slots=True)
class Handed:
    """The same, of a file that another process has opened; `descriptor` belongs to who made this."""

    descriptor: int
    offset: int
    length: int
    transfer_syntax_uid: str
    assumed_charset: str = ""

    @property
    def name(self) -> str:
        """What tells this file from others; a path is not known here, and would not be believed. Raises OSError."""
        facts = os.fstat(self.descriptor)
        return f"{facts.st_dev}:{facts.st_ino}:{facts.st_mtime_ns}"

    def open(self) -> int:
        """Return a duplicate, which the caller closes; both share one position. Raises OSError."""
        return os.dup(self.descriptor)
