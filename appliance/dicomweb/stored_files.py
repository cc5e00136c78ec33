"""Whole stored files on their way out, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.errors import ArchiveError

CHUNK: Final = 256 << 10


def read_file(path: Path, size: int, start: int = 0) -> Iterator[bytes]:
    """Yield `size` bytes of a file from `start`.

    Raises ArchiveError when it ends before: the answer then breaks off short of its announced length.
    """
    left = size
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise ArchiveError("a stored file is shorter than the index says", hint="run appliance fsck")
            left -= len(chunk)
            yield chunk
