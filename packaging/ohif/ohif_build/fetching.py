"""Fetches packages with npm, and believes only their hash."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ohif_build.failure import BuildFailed
from ohif_build.lock import Locked

INSIDE = "package/"
# A registry that is not there is known after seconds: a first look at the appliance must not wait for it.
OPTIONS = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
# Lines of npm that only a programmer reads.
CODES = frozenset({"code", "errno", "syscall"})


def fetch(package: Locked, folder: Path, seconds: float) -> Path:
    """Download a package into `folder`, verify it, and return its tarball. Raises BuildFailed."""
    npm = shutil.which("npm")
    if npm is None:
        raise BuildFailed("npm is not here: apt-get install nodejs npm (Node is needed for building only)")
    before = set(folder.glob("*.tgz"))
    try:
        subprocess.run(
            [npm, "pack", *OPTIONS, package.wanted],
            cwd=folder,
            env={**os.environ, "npm_config_update_notifier": "false"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{package.wanted} did not arrive from the npm registry in {seconds:.0f} s") from error
    except (subprocess.CalledProcessError, OSError) as error:
        reason = _reason(getattr(error, "stderr", "") or str(error))
        raise BuildFailed(f"{package.wanted} could not be fetched from the npm registry: {reason}") from error
    arrived = set(folder.glob("*.tgz")) - before
    if len(arrived) != 1:
        raise BuildFailed(f"npm said it fetched {package.wanted}, but left {len(arrived)} files")
    (tarball,) = arrived
    verify(tarball, package)
    return tarball


def verify(tarball: Path, package: Locked) -> None:
    """Raise BuildFailed unless a tarball has the hash of the lock."""
    with tarball.open("rb") as file:
        found = "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != package.integrity:
        raise BuildFailed(f"{package.wanted} is not what the lock names: {found} instead of {package.integrity}")


def unpack(tarball: Path, folder: Path, wanted: Callable[[str], str]) -> int:
    """Write the regular files of a package below `folder`; return how many.

    `wanted` is given a file's path in the package and returns where to write it, or "" for nowhere.
    """
    written = 0
    with tarfile.open(tarball) as archive:
        for member in archive:
            name = wanted(member.name.removeprefix(INSIDE)) if member.isreg() else ""
            if not name:
                continue
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise BuildFailed(f"{tarball.name} wants to write outside its folder")
            content = archive.extractfile(member)
            assert content is not None
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            written += 1
    return written


def _reason(text: str) -> str:
    """Return what npm says went wrong: its first line that is more than a code."""
    lines = [line.removeprefix("npm error ") for line in text.strip().splitlines()]
    said = [line for line in lines if line.split(" ")[0] not in CODES]
    return said[0] if said else "no reason given"
