"""The source as it is built: a copy with its own modes and times, and the debian/ folder in its place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deb_build.failure import BuildFailed

# What the packages are made of. Nothing else is copied, so nothing else can change their bytes.
PARTS: Final = (
    "appliance", "pki", "systemd", "packaging", "requirements", "docs",
    "setup.cfg", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md",
)  # fmt: skip
SKIPPED: Final = shutil.ignore_patterns("__pycache__", "*.py[co]", "*.egg-info", ".*")
VERSION: Final = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
RELEASED: Final = re.compile(r"^## .*?(\d{4}-\d{2}-\d{2})", re.MULTILINE)
NAME: Final = "dicom-edge-appliance"
MAINTAINER: Final = "DICOM edge appliance maintainers <maintainers@dicom-edge.invalid>"


def version(tree: Path) -> str:
    """Return the product's version. Raises BuildFailed."""
    found = VERSION.search((tree / "appliance" / "__init__.py").read_text())
    if found is None:
        raise BuildFailed("appliance/__init__.py names no __version__")
    return found[1]


def epoch(tree: Path) -> int:
    """Return the time every file gets, in seconds: SOURCE_DATE_EPOCH, the last commit's, or the last release's."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or _committed(tree)
    if given:
        return int(given)
    released = RELEASED.search((tree / "CHANGELOG.md").read_text())
    if released is None:
        raise BuildFailed("no commit and no dated release to take the time from: set SOURCE_DATE_EPOCH (seconds)")
    return int(datetime.fromisoformat(released[1]).replace(tzinfo=UTC).timestamp())


def _committed(tree: Path) -> str:
    if not (tree / ".git").exists():
        return ""
    command = ["git", "-c", "safe.directory=*", "-C", str(tree), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def copy(tree: Path, target: Path, *, revision: str, moment: int) -> None:
    """Copy the source to `target`, ready for dpkg-buildpackage, each file with the same time. Raises BuildFailed."""
    target.mkdir(parents=True)
    for part in PARTS:
        place = tree / part
        if place.is_dir():
            shutil.copytree(place, target / part, ignore=SKIPPED, symlinks=True)
        elif place.is_file():
            shutil.copyfile(place, target / part)
    shutil.copytree(target / "packaging" / "debian", target / "debian")
    (target / "debian" / "changelog").write_text(changelog(version(tree), revision, moment))
    settle(target, moment)


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of what is below a folder: names, modes, contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = os.readlink(path).encode() if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{path.lstat().st_mode:o}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def changelog(number: str, revision: str, moment: int) -> str:
    """Return debian/changelog: one entry, which points to the real one."""
    when = datetime.fromtimestamp(moment, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"{NAME} ({number}-{revision}) unstable; urgency=medium\n\n"
        f"  * Version {number}. What changed is in CHANGELOG.md beside this file.\n\n"
        f" -- {MAINTAINER}  {when}\n"
    )


def settle(folder: Path, moment: int) -> None:
    """Give everything below a folder the modes and the time that do not depend on who copied it."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)
