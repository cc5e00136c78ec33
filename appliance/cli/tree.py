"""Files below the paths an import was given: regular ones only, no symbolic link followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

PREAMBLE = 128
MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
MEDIA_STORAGE_SOP_CLASS = b"\x02\x00\x02\x00UI"
PEEK = 1024


class Kind(StrEnum):
    """What a file is, as far as its beginning tells."""

    DICOM = "dicom"
    DIRECTORY_RECORD = "dicomdir"
    OTHER = "not_dicom"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something below the path that is not taken: a link, a device, or (`failed`) what cannot be read."""

    path: Path
    reason: str
    failed: bool = False


def walk(paths: Iterable[Path]) -> Iterator[Path | Skipped]:
    """Every regular file below `paths`, folders in order of name; what is not taken comes as Skipped."""
    waiting = [Path(path) for path in reversed(list(paths))]
    while waiting:
        path = waiting.pop()
        try:
            mode = path.lstat().st_mode
            inner = sorted(path.iterdir(), reverse=True) if stat.S_ISDIR(mode) else []
        except OSError as error:
            yield Skipped(path, error.strerror or "cannot be read", failed=True)
            continue
        if stat.S_ISLNK(mode):
            yield Skipped(path, "symbolic link")
        elif stat.S_ISDIR(mode):
            waiting.extend(inner)
        elif stat.S_ISREG(mode):
            yield path
        else:
            yield Skipped(path, "not a regular file")


def open_regular(path: Path) -> BinaryIO:
    """Open `path` for reading, never through a link and never blocking on a device. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a regular file")
    return os.fdopen(handle, "rb")


def kind_of(file: BinaryIO) -> Kind:
    """Tell a DICOM file (PS3.10) by its mark and a DICOMDIR by its class; the file is rewound after."""
    beginning = file.read(PREAMBLE + PEEK)
    file.seek(0)
    if beginning[PREAMBLE : PREAMBLE + 4] != b"DICM":
        return Kind.OTHER
    at = beginning.find(MEDIA_STORAGE_SOP_CLASS, PREAMBLE + 4)
    length = int.from_bytes(beginning[at + 6 : at + 8], "little") if at >= 0 else 0
    sop_class = beginning[at + 8 : at + 8 + length].rstrip(b"\0 ")
    return Kind.DIRECTORY_RECORD if sop_class == MEDIA_STORAGE_DIRECTORY else Kind.DICOM
