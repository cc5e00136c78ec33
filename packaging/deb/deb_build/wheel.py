"""Installs one wheel into a virtual environment, without pip: the format is PEP 427, and nothing in it runs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from deb_build.failure import BuildFailed
from deb_build.pruning import kept

# Where the parts of NAME.data go: the libraries to the others; programs, headers and manuals are not installed.
LIBRARIES: Final = frozenset({"purelib", "platlib"})
DROPPED: Final = frozenset({"scripts", "headers", "data"})
HASH: Final = "sha256="


@dataclass(frozen=True)
class Installed:
    """What came of one wheel: its metadata folder's name, files kept and dropped."""

    name: str
    kept: int
    dropped: int


def install(wheel: Path, site: Path) -> Installed:
    """Unpack a wheel below `site` (site-packages), but for what nobody runs; every file's hash is verified.

    Writes RECORD anew, of what is there. Raises BuildFailed.
    """
    with zipfile.ZipFile(wheel) as archive:
        record = _record_name(archive)
        lines = list(csv.reader(io.StringIO(archive.read(record).decode())))
        hashes = {line[0]: line[1] for line in lines}
        written: list[tuple[str, str, int]] = []
        files = sorted(name for name in archive.namelist() if not name.endswith("/") and name != record)
        for name in files:
            place = _place(name)
            content = archive.read(name)
            _verify(wheel.name, name, content, hashes.get(name, ""))
            if place and kept(place):
                _write(site, place, content)
                written.append((place, _hash(content), len(content)))
    folder = str(PurePosixPath(record).parent)
    _write(site, f"{folder}/INSTALLER", b"deb_build\n")
    written.append((f"{folder}/INSTALLER", _hash(b"deb_build\n"), len(b"deb_build\n")))
    text = "".join(f"{_quoted(place)},{digest},{size}\n" for place, digest, size in sorted(written))
    _write(site, record, (text + f"{_quoted(record)},,\n").encode())
    return Installed(folder, len(written), len(files) - len(written) + 1)


def _record_name(archive: zipfile.ZipFile) -> str:
    found = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD") and name.count("/") == 1]
    if len(found) != 1:
        raise BuildFailed(f"{archive.filename} is no wheel: it has {len(found)} RECORD files")
    return found[0]


def _place(name: str) -> str:
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts:
        raise BuildFailed(f"{name} wants to be written outside its folder")
    if not parts[0].endswith(".data"):
        return name
    if parts[1] in LIBRARIES:
        return str(PurePosixPath(*parts[2:]))
    if parts[1] in DROPPED:
        return ""
    raise BuildFailed(f"{name}: what is {parts[1]} in a wheel?")


def _verify(wheel: str, name: str, content: bytes, wanted: str) -> None:
    # PEP 427: signatures of RECORD are not in RECORD; everything else is.
    if PurePosixPath(name).name in {"RECORD.jws", "RECORD.p7s"}:
        return
    if not wanted.startswith(HASH) or _hash(content) != wanted:
        raise BuildFailed(f"{wheel}: {name} is not what the wheel's own RECORD says")


def _hash(content: bytes) -> str:
    return HASH + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _write(site: Path, place: str, content: bytes) -> None:
    target = site / place
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise BuildFailed(f"two distributions hold {place}")
    target.write_bytes(content)
