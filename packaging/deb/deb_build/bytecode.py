"""Compiles the libraries ahead: byte code that is believed without a look at its source, and is the same each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from deb_build.failure import BuildFailed

# Two processes on two cores. Which file goes to which is fixed: what a process compiled before can show in what it
# writes next (the marshal format knows which strings are shared).
SHARDS: Final = 2
COMMAND: Final = (
    sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
)  # fmt: skip


def compile_all(site: Path, final: str) -> None:
    """Compile every module below `site`, for a place named `final` once installed. Raises BuildFailed."""
    running = []
    for names in shares(site):
        # -s and -p: what a traceback names is where the file will be, not where it was built.
        command = [*COMMAND, "-s", str(site), "-p", final, *(str(site / name) for name in names)]
        running.append(subprocess.Popen(command, env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}))
    codes = [process.wait() for process in running]
    if any(codes):
        raise BuildFailed("a module cannot be compiled; what and why stands above")


def shares(site: Path) -> list[list[str]]:
    """Return the names at the top of `site` in shares of about the same size, always the same for the same files."""
    sizes = {path.name: _size(path) for path in site.iterdir() if path.is_dir() or path.suffix == ".py"}
    piles: list[tuple[int, list[str]]] = [(0, []) for _ in range(SHARDS)]
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        total, names = piles.pop(0)
        piles = sorted([*piles, (total + size, [*names, name])], key=lambda pile: pile[0])
    return [names for _, names in piles if names]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*.py")) if path.is_dir() else path.stat().st_size
