"""requirements/runtime.txt: the versions that may be installed, and the digests their files may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package."""

    version: str
    sha256: tuple[str, ...]


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> dict[str, Pin]:
    """Every pin by normal name."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pins = ((match, line) for line in joined.splitlines() if (match := _PIN.match(line)))
    return {normal(match[1]): Pin(match[2], tuple(_HASH.findall(line))) for match, line in pins}
