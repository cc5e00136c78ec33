"""Telling programs that read certificates that there are others now: once after each change, and until it worked.

What was in force when they were last told stands in the file `told`, so that neither a run that died after a renewal
nor a certificate issued by hand is passed over.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from pki import disk
from pki.layout import Layout

TOLD = "told"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that could not be run, or ended with an error."""

    command: str
    reason: str


def in_force(layout: Layout) -> str:
    """Return a hash over which generation of each lineage is live, and over the revocation list. May raise OSError."""
    found = hashlib.sha256()
    for link in sorted(layout.live.iterdir()) if layout.live.is_dir() else ():
        if link.is_symlink():
            found.update(f"{link.name} {os.readlink(link)}\n".encode())
    if layout.crl.is_file():
        found.update(layout.crl.read_bytes())
    return found.hexdigest()


def is_told(layout: Layout) -> bool:
    """Say whether programs were told of what is in force. May raise OSError."""
    try:
        return (layout.root / TOLD).read_text(encoding="ascii").strip() == in_force(layout)
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def tell(layout: Layout, commands: Sequence[Sequence[str]]) -> list[Failure]:
    """Run each command; return those that failed. Only when all did well are they taken for told. May raise OSError.

    Only inside `layout.changing()`. The commands are run as they are, without a shell.
    """
    now = in_force(layout)
    failed = [failure for command in commands if (failure := _run(command))]
    if not failed:
        disk.replace(layout.root / TOLD, f"{now}\n".encode())
    return failed


def _run(command: Sequence[str]) -> Failure | None:
    said = " ".join(command)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
    except OSError as error:
        return Failure(said, error.strerror or str(error))
    except subprocess.TimeoutExpired:
        return Failure(said, f"it did not end within {SECONDS} seconds")
    return Failure(said, f"it ended with {done.returncode}") if done.returncode else None
