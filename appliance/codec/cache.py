"""Decoded frames kept as files: bounded, the least recently used go first, none of it is ever missed.

A file appears whole, by rename, and bears the sum of its bytes; what is damaged, or of another program,
counts as absent. Nothing is fsynced: after a power cut the sum tells. Several processes may share the directory.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from appliance import __version__
from appliance.codec.outcome import Outcome
from appliance.failpoints import failpoint

FORMAT: Final = f"1 {__version__}"
SUFFIX: Final = ".frame"
PARTIAL: Final = ".part"
MODE: Final = 0o700
# Length of the JSON head, sum of head and data.
BEGINNING: Final = struct.Struct("<II")
LONGEST_HEAD: Final = 65536
# Of the budget: what may be written before the directory is looked through again.
SHARE: Final = 16


class FrameCache:
    """The files of one directory. Safe to share between threads. A name is a digest in hexadecimal digits."""

    def __init__(self, directory: Path, budget: int) -> None:
        """Keep at most `budget` bytes in `directory`, which is made; 0 keeps nothing. Half-written files go."""
        self._directory = directory
        self._budget = budget
        self._lock = threading.Lock()
        # As if a share had been written: the first write looks what is there.
        self._written = budget
        directory.mkdir(mode=MODE, parents=True, exist_ok=True)
        for left in directory.glob(f"*/*{PARTIAL}"):
            left.unlink(missing_ok=True)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._budget > 0

    def read(self, name: str, frame: int) -> Outcome | None:
        """Return a kept frame; None when there is none or it is damaged, which removes it."""
        path = self._path(name, frame)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        outcome = _decoded(content)
        if outcome is None:
            path.unlink(missing_ok=True)
        return outcome

    def holds(self, name: str, frame: int) -> bool:
        """Say whether there is a file for a frame; it is not read."""
        return self._path(name, frame).exists()

    def write(self, name: str, frame: int, outcome: Outcome) -> bool:
        """Keep a frame, in one step; False when it is not kept: too long for the budget, or the disk would not."""
        if len(outcome.data) > self._budget // SHARE:
            return False
        path = self._path(name, frame)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            path.parent.mkdir(mode=MODE, exist_ok=True)
            with partial.open("wb") as file:
                file.writelines(_encoded(outcome))
            failpoint("codec.before_cache_rename")
            partial.replace(path)
        except OSError:
            return False
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        self._wrote(len(outcome.data))
        return True

    def prune(self, budget: int | None = None) -> int:
        """Remove the files used least recently until the rest is within the budget; return how many went."""
        most = self._budget - self._budget // SHARE if budget is None else budget
        with self._lock:
            found = sorted(self._files())
            size, removed = sum(length for _, length, _ in found), 0
            for _, length, path in found:
                if size <= most:
                    break
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                size, removed = size - length, removed + 1
            self._written = 0
        return removed

    def size(self) -> int:
        """Return how many bytes are kept."""
        return sum(length for _, length, _ in self._files())

    def _wrote(self, length: int) -> None:
        with self._lock:
            self._written += length
            due = self._written >= self._budget // SHARE
        if due:
            self.prune()

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._directory.glob(f"*/*{SUFFIX}"):
            with suppress(OSError):
                facts = path.stat()
                yield facts.st_mtime, facts.st_size, path

    def _path(self, name: str, frame: int) -> Path:
        if not name.isalnum():
            raise ValueError("not a digest")
        return self._directory / name[:2] / f"{name[2:]}-{frame}{SUFFIX}"


def _encoded(outcome: Outcome) -> tuple[bytes, bytes, bytes]:
    head = json.dumps({"format": FORMAT, "facts": dict(outcome.facts)}).encode()
    return BEGINNING.pack(len(head), zlib.crc32(outcome.data, zlib.crc32(head))), head, outcome.data


def _decoded(content: bytes) -> Outcome | None:
    if len(content) < BEGINNING.size:
        return None
    length, sum_ = BEGINNING.unpack_from(content)
    if length > LONGEST_HEAD or zlib.crc32(memoryview(content)[BEGINNING.size :]) != sum_:
        return None
    end = BEGINNING.size + length
    head: dict[str, Any] = json.loads(content[BEGINNING.size : end])
    return Outcome(head["facts"], content[end:]) if head["format"] == FORMAT else None
