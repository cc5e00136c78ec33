"""The openssl command: a second opinion on everything that was made."""

from __future__ import annotations

import subprocess
from pathlib import Path


def openssl(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; the caller looks at its code and what it said."""
    return subprocess.run(["openssl", *map(str, words)], text=True, capture_output=True, check=False, timeout=30)


def verdict(certificate: Path, ca: Path, *more: str | Path) -> str:
    """Return "OK", or what openssl has against a certificate under its strictest rules."""
    found = openssl("verify", "-x509_strict", "-CAfile", ca, *more, certificate)
    return "OK" if found.returncode == 0 else found.stderr
