"""One upload on disk: what was announced, the bytes that have come, and at last what became of it.

A directory of its own holds

    facts.json   whose it is, its length, what was announced of it; without this file there is no upload
    bytes        what has come; anything behind the mark is not counted
    mark         how many bytes are on disk, and when the last of them came
    answer.json  what the sender was told at the end; the bytes are gone then

The bytes are fsynced before the mark, and the mark before the sender hears of it: an offset that was
acknowledged is true after a crash of process or machine. The mark is written in place: it is far
shorter than a sector, which a disk writes whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Self

from appliance.archive.files import DIRECTORY_MODE, FILE_MODE, as_archive_error, fsync, fsync_directory, write_all
from appliance.archive.group2 import ByteStream
from appliance.archive.upload_facts import Answer, Facts, read_answer, read_facts, write_answer, write_facts
from appliance.errors import ArchiveError, ArchiveFailed, PeerError
from appliance.failpoints import failpoint

FACTS: Final = "facts.json"
BYTES: Final = "bytes"
MARK: Final = "mark"
ANSWER: Final = "answer.json"
BLOCK: Final = 256 << 10
CHECK_EVERY_BYTES: Final = 64 << 20


class WrongOffset(PeerError):
    """The piece does not begin where the upload has come to."""

    retryable = True


class Upload:
    """One upload. Whoever calls `append`, `finish` or `remove` holds `writing`."""

    def __init__(self, directory: Path, facts: Facts, offset: int, touched_at: int, answer: Answer | None) -> None:
        """Use `make` or `load`."""
        self._directory = directory
        self.facts = facts
        self.offset = offset
        self.touched_at = touched_at
        self.answer = answer
        self.gone = False
        self.writing = threading.Lock()

    @property
    def name(self) -> str:
        """Its name, which nobody can guess."""
        return self._directory.name

    @property
    def complete(self) -> bool:
        """Whether all bytes are there, or were."""
        return self.offset == self.facts.length

    @classmethod
    def make(cls, directory: Path, facts: Facts) -> Self:
        """Make an upload without bytes; durable on return. Raises DiskFull, ArchiveFailed."""
        upload = cls(directory, facts, 0, facts.created_at, None)
        try:
            directory.mkdir(mode=DIRECTORY_MODE)
            os.close(os.open(directory / BYTES, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        except OSError as error:
            raise as_archive_error(error, "begin an upload") from error
        upload._write_mark(0, facts.created_at)
        failpoint("upload.before_facts")
        write_facts(directory / FACTS, facts)
        fsync_directory(directory.parent)
        return upload

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """Return the upload of a directory; None for what a crash left half made or half removed.

        Raises ArchiveError for what cannot be read just now: it may be whole.
        """
        try:
            facts = read_facts(directory / FACTS)
            ended = read_answer(directory / ANSWER)
            if ended is not None:
                (directory / BYTES).unlink(missing_ok=True)
                return cls(directory, facts, facts.length, ended[1], ended[0])
            offset, touched_at = _mark((directory / MARK).read_bytes())
            size = (directory / BYTES).stat().st_size
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None
        except OSError as error:
            raise as_archive_error(error, "take up an upload") from error
        return cls(directory, facts, min(offset, size, facts.length), touched_at, None)

    def append(self, offset: int, stream: ByteStream, *, now: Callable[[], int], room: Callable[[], None]) -> int:
        """Append what `stream` gives, up to the announced length; return the offset reached, durable.

        `room` is asked now and then, and raises when the disk is too full. When stream or disk end it
        early, what had come is kept all the same, and the error goes on. Raises WrongOffset, DiskFull,
        ArchiveFailed, and whatever the stream raises.
        """
        if offset != self.offset or self.answer is not None:
            raise WrongOffset(f"the upload has come to {self.offset}", hint="ask for the offset and go on there")
        room()
        try:
            descriptor = os.open(self._directory / BYTES, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise as_archive_error(error, "go on with an upload") from error
        try:
            self._append(descriptor, stream, now, room)
        finally:
            os.close(descriptor)
        return self.offset

    def _append(
        self, descriptor: int, stream: ByteStream, now: Callable[[], int], room: Callable[[], None]
    ) -> None:  # fmt: skip
        writer = _Writer(descriptor, self.offset, self.facts.length)
        try:
            writer.take(stream, room)
        except ArchiveFailed:
            raise
        except BaseException:
            self._acknowledge(writer, now())
            raise
        self._acknowledge(writer, now())

    def _acknowledge(self, writer: _Writer, now: int) -> None:
        failpoint("upload.before_fsync")
        fsync(writer.descriptor)
        failpoint("upload.after_fsync")
        self._write_mark(writer.position, now)
        self.offset, self.touched_at = writer.position, now
        failpoint("upload.after_mark")

    def open(self) -> BinaryIO:
        """Open the bytes for reading. Raises ArchiveError when they cannot be."""
        try:
            return (self._directory / BYTES).open("rb")
        except OSError as error:
            raise as_archive_error(error, "read an upload") from error

    def finish(self, answer: Answer, now: int) -> None:
        """Keep the answer, durable on return, and let go of the bytes. Raises DiskFull, ArchiveFailed."""
        failpoint("upload.before_answer")
        write_answer(self._directory / ANSWER, answer, now)
        failpoint("upload.after_answer")
        self.answer, self.offset, self.touched_at = answer, self.facts.length, now
        (self._directory / BYTES).unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget it and its bytes: the facts go first, so that a crash leaves no half upload. Safe to repeat."""
        self.gone = True
        remove(self._directory)

    def _write_mark(self, offset: int, now: int) -> None:
        try:
            descriptor = os.open(self._directory / MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                os.pwrite(descriptor, f"{offset:020d} {now:020d}\n".encode(), 0)
                fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise as_archive_error(error, "note how far an upload has come") from error


class _Writer:
    """Appends blocks to an open file; `position` is behind the last whole block."""

    def __init__(self, descriptor: int, position: int, end: int) -> None:
        self.descriptor = descriptor
        self.position = position
        self._end = end

    def take(self, stream: ByteStream, room: Callable[[], None]) -> None:
        """Write what comes, behind what counts: what an interruption left there goes."""
        try:
            os.ftruncate(self.descriptor, self.position)
            os.lseek(self.descriptor, self.position, os.SEEK_SET)
        except OSError as error:
            raise as_archive_error(error, "go on with an upload") from error
        checked = self.position
        while self.position < self._end and (block := stream.read(min(BLOCK, self._end - self.position))):
            if self.position - checked >= CHECK_EVERY_BYTES:
                checked = self.position
                room()
            self._write(block)

    def _write(self, block: bytes) -> None:
        try:
            failpoint("upload.write")
            write_all(self.descriptor, block)
        except OSError as error:
            raise as_archive_error(error, "write an upload") from error
        self.position += len(block)


def remove(directory: Path) -> None:
    """Remove an upload's directory, its facts first. Raises nothing: what stays is removed at the next start."""
    try:
        (directory / FACTS).unlink(missing_ok=True)
        fsync_directory(directory)
    except (OSError, ArchiveError):
        pass
    shutil.rmtree(directory, ignore_errors=True)


def _mark(text: bytes) -> tuple[int, int]:
    offset, touched_at = text.split()
    return int(offset), int(touched_at)
