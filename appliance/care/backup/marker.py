"""The marker of a snapshot: written last, so that what has one is whole. It says of what and when the copy is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from appliance.archive.files import as_archive_error, fsync, fsync_directory

NAME: Final = "snapshot.json"
FORMAT: Final = 1
OWNER_ONLY: Final = 0o600
# A directory of the home that is put back empty: what is in it was never acknowledged.
SPOOL: Final = "spool"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a directory of the home was, by name, and its permission bits."""

    user: str
    group: str
    mode: int


@dataclass(frozen=True, slots=True)
class Marker:
    """What a snapshot says of itself. Times are microseconds since 1970 UTC, sizes bytes.

    `began_at` is when the databases were copied: what was acknowledged before is in it. `schema` is the index's
    version and `compatible_from` the oldest program's that may open it. `manifest_sha256` is of the file.
    `faults` are files that should be in it and are not, or that the box has lost, as (path, what). `evicted` counts
    objects that left the box by proof while the backup was taken.
    """

    version: str
    site: str
    tenant: str
    schema: int
    compatible_from: int
    began_at: int
    ended_at: int
    files: int
    bytes: int
    objects: int
    linked: int
    evicted: int
    secrets: bool
    manifest_sha256: str
    faults: tuple[tuple[str, str], ...]
    owners: Mapping[str, Owner]
    format: int = FORMAT


def write(directory: Path, marker: Marker) -> None:
    """Write the marker; durable on return. Raises DiskFull, ArchiveFailed."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(directory / NAME, flags, OWNER_ONLY), "w", encoding="utf-8") as file:
            json.dump(asdict(marker), file, indent=1)
            file.flush()
            fsync(file.fileno())
    except OSError as error:
        raise as_archive_error(error, "write a snapshot's marker") from error
    fsync_directory(directory)


def read(directory: Path) -> Marker | None:
    """Return a snapshot's marker; None where there is none that can be read."""
    try:
        facts = json.loads((directory / NAME).read_text(encoding="utf-8"))
        return _marker(facts)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _marker(facts: dict[str, Any]) -> Marker:
    owners = {name: Owner(one["user"], one["group"], int(one["mode"])) for name, one in facts["owners"].items()}
    faults = tuple((str(path), str(what)) for path, what in facts["faults"])
    return Marker(**{**facts, "owners": owners, "faults": faults})


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
