"""Verifying a snapshot: every byte is read again and held against the manifest, the manifest against the marker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.archive.database import damage
from appliance.care.backup import copying, manifest, marker
from appliance.care.backup.gathering import Step
from appliance.care.backup.manifest import Entry
from appliance.care.backup.shelf import Snapshot

DATABASES: Final = ("index.db", "access.db")


@dataclass(slots=True)
class Verdict:
    """How much was read, and what is wrong, as (path below the snapshot, what)."""

    files: int = 0
    bytes: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)


def verify(snapshot: Snapshot, progress: Callable[[int], Step] = lambda _: lambda _: None) -> Verdict:
    """Read a snapshot to its last byte; changes nothing. Raises OSError only where its manifest cannot be read."""
    verdict, step = Verdict(), progress(snapshot.marker.files)
    wrong = fault_of_manifest(snapshot)
    if wrong:
        verdict.wrong.append((manifest.NAME, wrong))
    for entry in manifest.entries(snapshot.path / manifest.NAME):
        verdict.wrong += ((entry.path, fault) for fault in _faults(snapshot.path, entry))
        verdict.files += 1
        verdict.bytes += entry.size
        step(1)
    return verdict


def fault_of_manifest(snapshot: Snapshot) -> str:
    """Return what is wrong with the manifest itself; "" for one that is what the marker says."""
    path = snapshot.path / manifest.NAME
    try:
        found = marker.sha256_of(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found != snapshot.marker.manifest_sha256:
        return "is not the one that was written"
    # What is no line of a manifest ends it: a path that leads out of the snapshot, for one.
    lines = sum(1 for _ in manifest.entries(path))
    return "" if lines == snapshot.marker.files else f"has {lines} usable lines of {snapshot.marker.files}"


def fault_of(root: Path, entry: Entry) -> str:
    """Return what is wrong with one file, read from the disk; "" for a sound one."""
    try:
        found = copying.read(root / entry.path)
    except OSError as error:
        return "missing" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be read"
    if found.size != entry.size:
        return f"{found.size} bytes instead of {entry.size}"
    return "" if found.sha256 == entry.sha256 else "its bytes have changed"


def _faults(root: Path, entry: Entry) -> Iterator[str]:
    fault = fault_of(root, entry)
    if fault:
        yield fault
    elif entry.path in DATABASES:
        yield from damage(root / entry.path)
