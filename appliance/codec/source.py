"""What a task works on: a stored object, named by the process that may open it."""

from __future__ import annotations

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
