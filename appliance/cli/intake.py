"""The import itself: files in, outcomes out, a few at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from appliance.archive.room import Archive
from appliance.cli.journal import mark_of
from appliance.cli.tree import Kind, Skipped, kind_of, open_regular
from appliance.errors import Unacceptable, Unparseable
from appliance.model.records import Origin, Result


class Fate(StrEnum):
    """What became of one file."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    QUARANTINED = "quarantined"
    NOT_DICOM = "not_dicom"
    FAILED = "failed"
    EARLIER = "imported_before"
    SKIPPED = "skipped"


FATES: dict[Result, Fate] = {
    Result.STORED: Fate.STORED,
    Result.RESTORED: Fate.STORED,
    Result.DUPLICATE: Fate.DUPLICATE,
    Result.CONFLICT: Fate.CONFLICT,
}
OF_KIND: dict[Kind, Fate] = {Kind.OTHER: Fate.NOT_DICOM, Kind.DIRECTORY_RECORD: Fate.SKIPPED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file's fate; `mark` is its line for the journal, "" when it could not be looked at."""

    path: Path
    fate: Fate
    reason: str = ""
    mark: str = ""


class Unreadable(Exception):
    """The source's own read failed; kept apart from the archive's errors, which end the import."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import as the archive wants it: `read`, whose failure is never mistaken for the archive's."""

    file: BinaryIO

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes. Raises Unreadable."""
        try:
            return self.file.read(count)
        except OSError as error:
            raise Unreadable(error.strerror or "cannot be read") from error


def take_all(
    archive: Archive, files: Iterable[Path | Skipped], origin: Origin, known: Container[str], workers: int
) -> Iterator[Outcome]:
    """Import `files` with `workers` threads; at most twice as many are waiting at any time.

    Outcomes come as they finish; files whose mark is in `known` are passed by. Raises DiskFull or
    ArchiveFailed at the first file that meets it; what was not given back may be stored, a repeat is safe.
    """
    with ThreadPoolExecutor(workers, "import") as pool:
        waiting: set[Future[Outcome]] = set()
        for file in files:
            early = passed_by(file, known)
            if isinstance(early, Outcome):
                yield early
                continue
            waiting.add(pool.submit(take, archive, *early, origin))
            if len(waiting) >= 2 * workers:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in waiting)


def passed_by(file: Path | Skipped, known: Container[str]) -> Outcome | tuple[Path, str]:
    """The outcome of a file that need not be opened, or the path and mark of one that must be."""
    if isinstance(file, Skipped):
        return Outcome(file.path, Fate.FAILED if file.failed else Fate.SKIPPED, file.reason)
    try:
        mark = mark_of(file, file.lstat())
    except OSError as error:
        return Outcome(file, Fate.FAILED, error.strerror or "cannot be read")
    return Outcome(file, Fate.EARLIER, mark=mark) if mark in known else (file, mark)


def take(archive: Archive, path: Path, mark: str, origin: Origin) -> Outcome:
    """Import one file; on return it is durable, or its outcome says why not."""
    try:
        with open_regular(path) as file:
            kind = kind_of(file)
            if kind is not Kind.DICOM:
                return Outcome(path, OF_KIND[kind], kind.value)
            stored = archive.ingest.receive_file(Source(file), origin)
    except Unparseable as error:
        return Outcome(path, Fate.QUARANTINED, error.reason)
    except Unacceptable as error:
        return Outcome(path, Fate.FAILED, error.reason)
    except (Unreadable, OSError) as error:
        return Outcome(path, Fate.FAILED, getattr(error, "strerror", None) or str(error))
    return Outcome(path, FATES[stored.result], mark=mark)
