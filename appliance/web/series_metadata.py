"""The metadata of whole series, kept as files so that a viewer need not wait for thousands of parses.

A file belongs to one revision of its series and to one version of the program: anything else counts
as absent, and so does a file that is damaged. It holds no host name; a mark stands in its place, made
of random digits so that no data set can contain it. Losing a file costs time only, so nothing is fsynced.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from appliance import __version__
from appliance.archive.reading import StoredSeries
from appliance.failpoints import failpoint

FORMAT: Final = f"1 {__version__}"
LEVEL: Final = 1
SUFFIX: Final = ".ndjson.gz"
PARTIAL: Final = ".part"
MODE: Final = 0o700
_DAMAGED: Final = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError)

# What a reader is given: one document of the series, as JSON, with addresses in it.
Taker = Callable[[bytes], None]


class Line(NamedTuple):
    """One document as JSON, and whether it is whole."""

    json: bytes
    whole: bool


# Makes the lines of a series, with the given text as the root of every address.
Maker = Callable[[str], Iterator[Line]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read: how many documents, how many of them not whole."""

    documents: int
    broken: int


class SeriesMetadata:
    """The files of one box. Safe to share between threads of one process."""

    def __init__(self, directory: Path, budget: int) -> None:
        """Keep at most `budget` bytes in `directory`, which is made; what a crash left half written goes."""
        self._directory = directory
        self._budget = budget
        self._pruning = threading.Lock()
        directory.mkdir(mode=MODE, parents=True, exist_ok=True)
        for left in directory.glob(f"*{PARTIAL}"):
            left.unlink(missing_ok=True)

    def fresh(self, series: StoredSeries) -> bool:
        """Say whether there is a file of this revision; it is not read to its end."""
        try:
            with gzip.open(self._path(series), "rb") as file:
                return bool(_head(file.readline())["revision"] == series.revision)
        except _DAMAGED:
            return False

    def read(self, series: StoredSeries, root: str, take: Taker) -> Kept | None:
        """Hand every document to `take`, with `root` in its addresses; None where there is no sound file.

        The damage of a file may show only at its end: `take` may have been called by then.
        """
        path = self._path(series)
        try:
            with gzip.open(path, "rb") as file:
                kept = _read(file, series.revision, root.encode(), take)
            os.utime(path)
        except FileNotFoundError:
            return None
        except _DAMAGED:
            path.unlink(missing_ok=True)
            return None
        return kept

    def write(self, series: StoredSeries, make: Maker) -> bool:
        """Keep what `make` makes, in one step at the end; False when the disk would not have it.

        Errors of `make` pass through and leave nothing behind.
        """
        mark = secrets.token_hex(16)
        path = self._path(series)
        partial = path.with_name(f"{path.name}.{mark[:8]}{PARTIAL}")
        try:
            with gzip.open(partial, "wb", compresslevel=LEVEL) as file:
                _write(file, series.revision, mark, make(mark))
            failpoint("metadata.before_rename")
            partial.replace(path)
        except OSError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def prune(self) -> int:
        """Remove the files read least recently until the rest is within the budget; return how many went."""
        with self._pruning:
            found = sorted(self._files(), key=lambda entry: entry[0])
            size, removed = sum(bytes_ for _, bytes_, _ in found), 0
            for _, bytes_, path in found:
                if size <= self._budget:
                    break
                path.unlink(missing_ok=True)
                size, removed = size - bytes_, removed + 1
        return removed

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self._directory.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                yield facts.st_mtime, facts.st_size, path

    def _path(self, series: StoredSeries) -> Path:
        name = hashlib.sha256(f"{series.tenant}\n{series.study_uid}\n{series.series_uid}".encode()).hexdigest()
        return self._directory / f"{name[:48]}{SUFFIX}"


def _head(line: bytes) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(line)
    if head["format"] != FORMAT:
        raise ValueError("made by another version")
    return head


def _read(file: gzip.GzipFile, revision: int, root: bytes, take: Taker) -> Kept | None:
    head = _head(file.readline())
    if head["revision"] != revision:
        return None
    mark, last = head["mark"].encode("ascii"), b""
    for line in file:
        # One line behind: the last one is no document but the sums.
        if last:
            take(last.rstrip(b"\n").replace(mark, root))
        last = line
    sums = json.loads(last)
    return Kept(sums["documents"], sums["broken"])


def _write(file: gzip.GzipFile, revision: int, mark: str, lines: Iterator[Line]) -> None:
    file.write(_line({"format": FORMAT, "revision": revision, "mark": mark}))
    documents = broken = 0
    for line in lines:
        file.write(line.json + b"\n")
        documents += 1
        broken += not line.whole
    file.write(_line({"documents": documents, "broken": broken}))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
