"""Files and directories that set-up makes: whole or not there, with owner and mode before anybody can open them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from appliance.archive.files import fsync_directory
from appliance.care.setup.step import Action, Step

PUBLIC: Final = 0o644


def file_step(part: str, path: Path, text: str, *, mode: int = PUBLIC) -> Step:
    """Return the step after which `path` holds `text`; an equal file stays as it is, whoever wrote it."""
    found = read(path)
    if found == text:
        return Step(part, str(path), Action.KEEP)

    def write() -> str:
        replace(path, text, mode=mode)
        return ""

    return Step(part, str(path), Action.MAKE if found is None else Action.CHANGE, apply=write)


def read(path: Path) -> str | None:
    """Return a file's text; None where there is none. Raises OSError for one that cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def replace(path: Path, text: str, *, mode: int = PUBLIC) -> None:
    """Put a file in place in one step, durable on return. Missing directories above it are made. Raises OSError."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def make_directory(path: Path, uid: int, gid: int, mode: int) -> None:
    """Make a directory, or give the one that is there its owner and mode. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)  # after the owner: a change of owner takes the setgid bit away
    finally:
        os.close(descriptor)


def is_as(path: Path, uid: int, gid: int, mode: int) -> bool:
    """Say whether a directory is there with this owner and mode."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    same = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, gid, mode)
    return stat.S_ISDIR(found.st_mode) and same
