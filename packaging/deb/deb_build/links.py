"""Symbolic links of the virtual environment: one copy of a library where a wheel brings several; relative ones."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def merge_libraries(site: Path) -> int:
    """Make every further name of a library a link to its longest one; return how many.

    Wheels cannot hold links, so what was libx.so -> libx.so.1 -> libx.so.1.2 when it was built came as three copies.
    """
    merged = 0
    for folder in sorted({path.parent for path in site.rglob("lib*.so.*")}):
        kept: dict[str, Path] = {}
        for path in sorted(folder.glob("lib*.so*"), key=lambda path: (-len(path.name), path.name)):
            first = kept.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
            if first is not path and first.name.startswith(path.name):
                path.unlink()
                path.symlink_to(first.name)
                merged += 1
    return merged


def relate(venv: Path, package: Path) -> None:
    """Make absolute links of `venv` relative, as Debian's policy wants them (10.5): from the package's root."""
    for path in sorted(venv.rglob("*")):
        if path.is_symlink() and path.readlink().is_absolute():
            target = os.path.relpath(path.readlink(), Path("/") / path.parent.relative_to(package))
            path.unlink()
            path.symlink_to(target)
