"""Facts of machine, disk and program. No names of people, no environment: both may hold what is nobody's business."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from appliance import __version__, places
from appliance.archive.database import Connection

OS_RELEASE: Final = Path("/etc/os-release")
MEMORY: Final = Path("/proc/meminfo")
UPTIME: Final = Path("/proc/uptime")
MOUNTS: Final = Path("/proc/self/mounts")
PSEUDO: Final = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "debugfs", "tracefs", "securityfs",
                           "bpf", "pstore", "configfs", "fusectl", "nsfs", "autofs", "binfmt_misc"})  # fmt: skip
PAPERS: Final = (places.SHARE, Path("/usr/share/doc/dicom-edge-appliance"))
# Rows are counted, never shown.
TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


def versions() -> dict[str, Any]:
    """Return the versions of program, Python, libraries and system."""
    return {
        "appliance": __version__,
        "python": sys.version.split()[0],
        "kernel": platform.release(),
        "machine": platform.machine(),
        "system": dict(_pairs(OS_RELEASE, "=")),
        "packages": dict(sorted((one.metadata["Name"], one.version) for one in distributions())),
    }


def machine(home: Path) -> dict[str, Any]:
    """Return processors, memory, load, uptime, mounts, and the file system that the home is on."""
    found = os.statvfs(home)
    memory = dict(_pairs(MEMORY, ":"))
    return {
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "memory": {name: memory.get(name) for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")},
        "uptime_seconds": float(_read(UPTIME).split()[0]) if _read(UPTIME) else None,
        "home": {
            "path": str(home),
            "bytes": found.f_blocks * found.f_frsize,
            "free_bytes": found.f_bavail * found.f_frsize,
            "inodes": found.f_files,
            "free_inodes": found.f_favail,
            "sizes": dict(_sizes(home)),
        },
        "mounts": list(_mounts()),
    }


def counts(cx: Connection) -> dict[str, int]:
    """Return how many rows each table of an index has."""
    names = [str(row[0]) for row in cx.execute(TABLES).fetchall()]
    return {name: int(cx.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names}


def papers() -> Iterator[tuple[str, bytes]]:
    """Yield the lists of components that the package has brought, by file name: they are of the program alone."""
    for directory in PAPERS:
        for path in sorted(directory.glob("*.cdx.json*")):
            yield path.name, path.read_bytes()


def _sizes(home: Path) -> Iterator[tuple[str, int]]:
    """Yield the sizes of the files that lie in the home itself."""
    for path in sorted(home.iterdir()):
        if path.is_file() and not path.is_symlink():
            yield path.name, path.stat().st_size


def _mounts() -> Iterator[str]:
    for line in _read(MOUNTS).splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[2] not in PSEUDO:
            yield " ".join(fields[:4])


def _pairs(path: Path, between: str) -> Iterator[tuple[str, str]]:
    for line in _read(path).splitlines():
        name, found, value = line.partition(between)
        if found:
            yield name.strip(), value.strip().strip('"')


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
