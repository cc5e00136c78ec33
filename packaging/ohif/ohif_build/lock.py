"""Which packages are built from: names, versions and SHA-512, as the lock says."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohif_build.failure import BuildFailed

LOCK = Path(__file__).resolve().parents[1] / "lock.json"


@dataclass(frozen=True)
class Locked:
    """One package of the npm registry; `integrity` is `sha512-` and the hash in base64."""

    name: str
    version: str
    integrity: str

    @property
    def wanted(self) -> str:
        """The package as npm is asked for it."""
        return f"{self.name}@{self.version}"


def viewer() -> Locked:
    """Return the package of the viewer."""
    return Locked(**_lock()["viewer"])


def minifier(machine: str = "") -> Locked:
    """Return the package of the minifier for a machine (default: this one). Raises BuildFailed for others."""
    machine = machine or platform.machine()
    known = _lock()["minifier"]
    if machine not in known:
        raise BuildFailed(f"no minifier for {machine}: build on {' or '.join(known)} and copy the folder")
    return Locked(**known[machine])


def recipe() -> str:
    """Return 12 hexadecimal digits that change with the lock and with this build: they name what was built."""
    digest = hashlib.sha256(LOCK.read_bytes())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _lock() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(LOCK.read_text())
    return found
