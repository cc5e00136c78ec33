"""One topic as numbered files of JSON lines: `<topic>/<topic>-NNNNNN.jsonl`, whole lines only."""

from __future__ import annotations

import os
import re

from appliance.archive.files import FILE_MODE, DirectoryTree, fsync, fsync_directory, write_all
from appliance.failpoints import failpoint

ROTATE_BYTES = 64 << 20
TAIL_BYTES = 1 << 16


class TopicLines:
    """The newest file of a topic, open for appending. One writer, which the caller's lock ensures."""

    def __init__(self, tree: DirectoryTree, topic: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        """Take the sink's tree; files are made or mended at the first append."""
        self._tree = tree
        self._directory = tree.root / topic
        self._topic = topic
        self._rotate_bytes = rotate_bytes
        self._name = re.compile(rf"{re.escape(topic)}-([0-9]{{6,}})\.jsonl")
        self._descriptor = -1
        self._path = self._directory
        self._number = 0
        self._size = 0
        self._distrusted = 0

    def append(self, data: bytes) -> None:
        """Add whole lines with one write; durable on return. Raises OSError or ArchiveError.

        After an error the file ends with the last whole line of an earlier batch, or that is
        mended before the next write. A file whose fsync failed is never written again.
        """
        self._prepare(len(data))
        try:
            write_all(self._descriptor, data)
            failpoint("directory.lines_written")
        except OSError:
            self._cut_back()
            raise
        try:
            fsync(self._descriptor)
        except BaseException:
            # A file that was empty holds nothing to worry about, and would be followed by ever more of them.
            self._distrusted = self._number if self._size else self._distrusted
            self._cut_back()
            raise
        self._size += len(data)

    def close(self) -> None:
        """Close the file. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _prepare(self, coming: int) -> None:
        if self._descriptor >= 0 and self._is_gone():
            self.close()
            self._distrusted = self._number
        if self._descriptor < 0:
            self._open(max(self._newest(), self._distrusted + 1))
        if self._size and self._size + coming > self._rotate_bytes:
            self.close()
            self._open(self._number + 1)

    def _is_gone(self) -> bool:
        """Say whether somebody took the file away: nobody would look at what is appended to it."""
        try:
            return not os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return True

    def _newest(self) -> int:
        self._tree.ensure(self._directory)
        matches = (self._name.fullmatch(entry) for entry in os.listdir(self._directory))
        return max((int(match[1]) for match in matches if match), default=1)

    def _open(self, number: int) -> None:
        path = self._directory / f"{self._topic}-{number:06d}.jsonl"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, FILE_MODE)
        try:
            self._path, self._number = path, number
            self._size = mend_tail(self._descriptor)
            fsync_directory(self._directory)
        except BaseException:
            self.close()
            raise

    def _cut_back(self) -> None:
        """Remove what an unfinished write left; the next opening does it where this fails."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            pass
        finally:
            self.close()


def mend_tail(descriptor: int) -> int:
    """Cut the file behind its last newline, where a killed writer left half a line; return its size.

    The cut is durable on return. Raises OSError or ArchiveError.
    """
    size = os.fstat(descriptor).st_size
    whole = _whole_bytes(descriptor, size)
    if whole < size:
        os.ftruncate(descriptor, whole)
    fsync(descriptor)
    return whole


def _whole_bytes(descriptor: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - TAIL_BYTES)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
