"""What is kept of an upload beside its bytes: whose it is, what was announced, and what its sender was told."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.archive.files import FILE_MODE, as_archive_error, fsync, fsync_directory, write_all


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose upload it is: nobody else can see it."""

    site: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was announced: the length in bytes of the whole file, and its labels. `created_at`: microseconds."""

    owner: Owner
    length: int
    labels: Mapping[str, str]
    created_at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender was told: an HTTP status and a JSON text. `held`: UIDs and digest of what was stored, if any."""

    status: int
    text: str
    held: Mapping[str, str] = field(default_factory=dict)


def write_facts(path: Path, facts: Facts) -> None:
    """Write the facts of an upload; whole or not at all, durable on return. Raises DiskFull, ArchiveFailed."""
    _write(path, asdict(facts))


def read_facts(path: Path) -> Facts:
    """Read them. Raises OSError, and ValueError, KeyError or TypeError for what is none."""
    document = json.loads(path.read_bytes())
    owner = Owner(str(document["owner"]["site"]), str(document["owner"]["tenant"]))
    labels = {str(name): str(value) for name, value in dict(document["labels"]).items()}
    return Facts(owner, int(document["length"]), labels, int(document["created_at"]))


def write_answer(path: Path, answer: Answer, at: int) -> None:
    """Write what the sender was told, and when; whole or not at all, durable on return. Raises as write_facts does."""
    _write(path, asdict(answer) | {"at": at})


def read_answer(path: Path) -> tuple[Answer, int] | None:
    """Return the answer that was given, and when; None while there is none."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return Answer(int(document["status"]), str(document["text"]), dict(document["held"])), int(document["at"])


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a file that is there whole or not at all; durable on return."""
    temporary = path.with_suffix(".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            write_all(descriptor, json.dumps(document).encode())
            fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except OSError as error:
        raise as_archive_error(error, "write the facts of an upload") from error
    fsync_directory(path.parent)
