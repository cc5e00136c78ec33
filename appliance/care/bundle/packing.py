"""The file of a bundle: a gzipped tar for its owner alone, whole or not there."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from appliance.archive.files import as_archive_error, fsync, fsync_directory

OWNER_ONLY: Final = 0o600


def pack(path: Path, members: Iterable[tuple[str, bytes]], folder: str, now: int) -> None:
    """Write members below `folder`; durable on return. Raises DiskFull, ArchiveFailed.

    `now` is seconds since 1970. Nobody else may read the file, while it is written neither.
    """
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        try:
            with open(descriptor, "wb") as file:
                with tarfile.open(fileobj=file, mode="w:gz") as archive:
                    for name, data in members:
                        archive.addfile(_header(f"{folder}/{name}", len(data), now), io.BytesIO(data))
                file.flush()
                fsync(file.fileno())
            passing.replace(path)
        except BaseException:
            passing.unlink(missing_ok=True)
            raise
        fsync_directory(path.absolute().parent)
    except OSError as error:
        raise as_archive_error(error, "write the bundle") from error


def _header(name: str, size: int, now: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, now, OWNER_ONLY
    return header
