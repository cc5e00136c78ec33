"""Fetches the locked distributions with pip, which believes only their hashes, into a cache."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from ohif_build.building import cache

from deb_build.failure import BuildFailed
from deb_build.running import run
from deb_build.suites import Suite, machine

LOCKS: Final = ("runtime.txt", "build.txt")
# Published as source alone; pure Python, made into a wheel inside the clean root.
SOURCE_ONLY: Final = ("sdnotify",)
LIST: Final = "SHA256SUMS"
REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def fetch(requirements: Path, suite: Suite, architecture: str) -> Path:
    """Return the folder with every distribution of the locks, fetched unless it is there. Raises BuildFailed."""
    locks = [requirements / name for name in LOCKS]
    options = [word for pair in suite.tags(machine(architecture)) for word in pair]
    target = cache(f"wheels-{_key(locks, options)}")
    if (target / LIST).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "wheels"
        folder.mkdir()
        _download(folder, locks, options)
        complete(folder, [lock.read_text() for lock in locks])
        _write_list(folder)
        folder.chmod(0o755)
        try:
            folder.rename(target)
        except OSError as error:
            # Somebody else was faster; any other failure leaves no list, and is one.
            if not (target / LIST).is_file():
                raise BuildFailed(f"{target}: {error.strerror or error}") from error
    return target


def _download(folder: Path, locks: list[Path], options: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--require-hashes", "--no-deps", "--no-build-isolation", "--only-binary", ":all:"]
    for name in SOURCE_ONLY:
        command += ["--no-binary", name]
    for lock in locks:
        command += ["--requirement", str(lock)]
    run([*command, *options, "--dest", folder])


def complete(folder: Path, locks: list[str]) -> None:
    """Raise BuildFailed unless there is one file for each requirement of the locks, and nothing else."""
    wanted = {(_normal(name), version) for text in locks for name, version in REQUIREMENT.findall(text)}
    found = [_identity(path.name) for path in folder.iterdir()]
    if sorted(found) != sorted(wanted):
        amiss = ", ".join(f"{name} {version}" for name, version in sorted(wanted ^ set(found)))
        raise BuildFailed(f"pip left other files than the locks name: {amiss or 'two of one kind'}")


def _identity(file_name: str) -> tuple[str, str]:
    stem = file_name.removesuffix(".tar.gz") if file_name.endswith(".tar.gz") else file_name
    name, version = stem.split("-")[:2] if stem != file_name or stem.endswith(".whl") else (stem, "")
    return _normal(name), version


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _write_list(folder: Path) -> None:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(folder.iterdir())]
    (folder / LIST).write_text("\n".join(lines) + "\n")


def _key(locks: list[Path], options: list[str]) -> str:
    digest = hashlib.sha256("\0".join((*options, *SOURCE_ONLY)).encode())
    for lock in locks:
        digest.update(lock.read_bytes())
    return digest.hexdigest()[:12]
