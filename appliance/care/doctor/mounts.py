"""The file system that a path lies on, as the kernel tells it (proc_pid_mountinfo(5)), and the devices below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OCTAL = re.compile(r"\\([0-7]{3})")
CRYPT = "CRYPT-"
DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: where, from what device ("8:1"), of which kind, with which options of the mount and of the disk."""

    point: str
    device: str
    kind: str
    source: str
    options: frozenset[str]

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written."""
        return "ro" in self.options


def mounts(proc: Path) -> list[Mount]:
    """Return every mount that this process sees."""
    lines = (proc / "self" / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return [_mount(line) for line in lines if " - " in line]


def _mount(line: str) -> Mount:
    first, _, second = line.partition(" - ")
    fields, (kind, source, options) = first.split(), second.split(maxsplit=2)
    point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])
    return Mount(point, fields[2], kind, source, frozenset((*fields[5].split(","), *options.split(","))))


def mount_of(path: Path, known: list[Mount]) -> Mount | None:
    """Return the mount that a path lies on: the longest that leads to it, the last of equals."""
    real = path.resolve()
    leading = [one for one in known if real.is_relative_to(one.point)]
    return max(reversed(leading), key=lambda one: len(one.point), default=None)


def leaves(sys: Path, device: str) -> Iterator[bool]:
    """Yield, for each disk that a block device ends at, whether what is written there goes through dm-crypt.

    A volume on several disks is encrypted when every one of its ways down is.
    """
    yield from _leaves(sys / "dev" / "block" / device, 0)


def _leaves(block: Path, depth: int) -> Iterator[bool]:
    if _is_crypt(block):
        yield True
        return
    below = block / "slaves"
    found = sorted(below.iterdir()) if below.is_dir() and depth < DEEPEST else []
    if not found:
        yield False
    for slave in found:
        yield from _leaves(slave, depth + 1)


def _is_crypt(block: Path) -> bool:
    try:
        return (block / "dm" / "uuid").read_text(encoding="ascii").startswith(CRYPT)
    except (OSError, UnicodeDecodeError):
        return False
