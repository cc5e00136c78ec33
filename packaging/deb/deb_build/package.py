"""Reads a .deb as it is: its files with modes and owners, its control fields, its scripts."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from deb_build.failure import BuildFailed


@dataclass(frozen=True)
class Entry:
    """One path of a package, without the leading `./`; `link` is where a symbolic link points to."""

    path: str
    mode: int
    owner: str
    is_folder: bool
    link: str


@dataclass(frozen=True)
class Package:
    """What a .deb holds."""

    path: Path
    fields: dict[str, str]
    entries: tuple[Entry, ...]
    control: frozenset[str]

    @property
    def installed_bytes(self) -> int:
        """What it takes on a disk, as dpkg counts (Installed-Size, in KiB)."""
        return int(self.fields["Installed-Size"]) * 1024


def read(path: Path) -> Package:
    """Return what a .deb holds. Raises BuildFailed."""
    fields = {}
    for line in _dpkg_deb("--field", path).decode().splitlines():
        name, colon, value = line.partition(": ")
        if colon and not name.startswith(" "):
            fields[name] = value
    with tarfile.open(fileobj=io.BytesIO(_dpkg_deb("--ctrl-tarfile", path))) as control:
        scripts = frozenset(name.removeprefix("./") for name in control.getnames())
    with tarfile.open(fileobj=io.BytesIO(_dpkg_deb("--fsys-tarfile", path))) as files:
        entries = tuple(
            Entry(one.name.removeprefix("./"), one.mode, f"{one.uname}:{one.gname}", one.isdir(), one.linkname)
            for one in files
        )
    return Package(path, fields, entries, scripts)


def _dpkg_deb(option: str, path: Path) -> bytes:
    done = subprocess.run(["dpkg-deb", option, str(path)], capture_output=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{path} is no package: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
