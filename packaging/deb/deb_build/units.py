"""Hands the units to debhelper: which are enabled when a package comes, and forgotten when it is purged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from deb_build.contents import BOX, CENTRE, UNITS
from deb_build.failure import BuildFailed

# Who starts and stops what, and in which order around the migration, is in the packages' own scripts.
OPTIONS: Final = ("--no-start", "--no-restart-after-upgrade", "--no-stop-on-upgrade")
# The administrator enables and starts the centre once Kafka and its databases are configured.
LATER: Final = frozenset({"central.target"})


def install(packages: Path) -> None:
    """Write debhelper's snippets for every unit that something wants, then move all units below /usr.

    Raises BuildFailed.
    """
    for package in (BOX, CENTRE):
        wanted = _wanted(packages / package / UNITS)
        _debhelper(package, (), [name for name in wanted if name not in LATER])
        _debhelper(package, ("--no-enable",), [name for name in wanted if name in LATER])
        _move(packages / package)


def _wanted(folder: Path) -> list[str]:
    """Return the units of a folder that can be enabled: those with an [Install] section."""
    return [path.name for path in sorted(folder.glob("*.*")) if "\n[Install]\n" in path.read_text()]


def _debhelper(package: str, options: tuple[str, ...], units: list[str]) -> None:
    if not units:
        return
    if subprocess.run(["dh_installsystemd", f"-p{package}", *OPTIONS, *options, *units], check=False).returncode:
        raise BuildFailed("dh_installsystemd failed; why stands above")


def _move(package: Path) -> None:
    """Move units from where debhelper 13.11 looks for them to where a merged /usr has them."""
    found = package / "lib"
    if found.is_dir():
        shutil.copytree(found, package / "usr" / "lib", dirs_exist_ok=True)
        shutil.rmtree(found)
