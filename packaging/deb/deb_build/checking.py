"""Checks packages that were built: once more from another place gives the same bytes; lintian; sizes and contents."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deb_build import source
from deb_build.building import SOURCE, SUMS, Order
from deb_build.failure import BuildFailed
from deb_build.judging import MEGABYTE, faults
from deb_build.package import read
from deb_build.running import run

# Everything about a builder that must not show: where, when by the clock on the wall, in whose language and group.
OTHERWISE: Final = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711"}
OTHER_UMASK: Final = 0o077
LINTIAN: Final = ("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0")


def check(tree: Path, output: Path, order: Order, say: Callable[[str], None]) -> None:
    """Check what `build` wrote to `output`. Raises BuildFailed, naming everything that is amiss."""
    packages = _built(output)
    amiss = []
    for path in packages:
        package = read(path)
        packed = path.stat().st_size / MEGABYTE
        say(f"{path.name}: {packed:.1f} MB, installed {package.installed_bytes / MEGABYTE:.1f} MB")
        amiss += [f"{path.name}: {fault}" for fault in faults(package)]
    say("lintian ...")
    amiss += _lintian(packages)
    say("building once more, from another folder, with another time zone, language and umask ...")
    amiss += _differing(packages, again(tree, output, order))
    if amiss:
        raise BuildFailed("\n".join(amiss))
    say("the same bytes")


def _built(output: Path) -> list[Path]:
    """Return the packages that the last build wrote."""
    try:
        names = [line.split()[1] for line in (output / SUMS).read_text().splitlines()]
    except OSError as error:
        raise BuildFailed(f"{output} holds no packages: make deb") from error
    return [output / name for name in names if name.endswith(".deb")]


def again(tree: Path, output: Path, order: Order) -> dict[str, str]:
    """Build from a copy of the source in another folder; return the SHA-256 of each package by its name."""
    with tempfile.TemporaryDirectory(prefix="somewhere else-") as scratch:
        copy = Path(scratch) / "a much longer name than before" / "tree"
        copy.mkdir(parents=True)
        for part in source.PARTS:
            if (tree / part).is_dir():
                shutil.copytree(tree / part, copy / part, symlinks=True)
            elif (tree / part).is_file():
                shutil.copy(tree / part, copy / part)
        made = Path(scratch) / "made"
        command = [sys.executable, "-m", "deb_build", "build", "--output", str(made), "--suite", order.suite]
        command += ["--architecture", order.architecture, "--revision", order.revision]
        environ = {**os.environ, **OTHERWISE, "SOURCE_DATE_EPOCH": (output / SOURCE).read_text().split()[1]}
        environ["PYTHONPATH"] = os.pathsep.join(str(copy / "packaging" / name) for name in ("deb", "ohif"))
        _same_source(copy, scratch, output, order)
        done = subprocess.run(command, env=environ, umask=OTHER_UMASK, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildFailed(f"the second build failed:\n{done.stderr}")
        return {path.name: _sha256(path) for path in sorted(made.glob("*.deb"))}


def _same_source(copy: Path, scratch: str, output: Path, order: Order) -> None:
    prepared = Path(scratch) / "prepared"
    moment = int((output / SOURCE).read_text().split()[1])
    source.copy(copy, prepared, revision=order.full_revision, moment=moment)
    if source.fingerprint(prepared) != (output / SOURCE).read_text().split()[0]:
        raise BuildFailed(f"the source has changed since {output} was built: make deb")


def _differing(packages: list[Path], second: dict[str, str]) -> list[str]:
    return [
        f"{path.name} has other bytes the second time" for path in packages if second.get(path.name) != _sha256(path)
    ]


def _lintian(packages: list[Path]) -> list[str]:
    try:
        run([*LINTIAN, *packages])
    except BuildFailed as error:
        return [str(error)]
    return []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
