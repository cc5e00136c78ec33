"""Makes wheels of sources, inside the clean root: the product's own, and of what is published as source alone.

By the locked setuptools, taken from its own wheel; the same bytes each time (SOURCE_DATE_EPOCH).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deb_build.failure import BuildFailed

BUILD: Final = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def make_wheels(wheels: Path, source: Path, scratch: Path) -> list[Path]:
    """Return every wheel there is to install: those of `wheels`, and those made below `scratch`. Raises BuildFailed."""
    fetched = sorted(wheels.glob("*.whl"))
    builders = [path for path in fetched if path.name.startswith("setuptools-")]
    if len(builders) != 1:
        raise BuildFailed(f"{wheels} holds {len(builders)} versions of setuptools, not one")
    tools = scratch / "tools"
    shutil.unpack_archive(builders[0], tools, format="zip")
    made = scratch / "made"
    made.mkdir(parents=True)
    for tarball in sorted(wheels.glob("*.tar.gz")):
        _build(_unpacked(tarball, scratch), made, tools)
    _build(source, made, tools)
    return sorted([*fetched, *made.glob("*.whl")], key=lambda path: path.name)


def _unpacked(tarball: Path, scratch: Path) -> Path:
    # Its hash is the lock's, and the root is thrown away: nothing to be gained by a look at its members.
    shutil.unpack_archive(tarball, scratch / "sources")
    return scratch / "sources" / tarball.name.removesuffix(".tar.gz")


def _build(source: Path, made: Path, tools: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(tools), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-c", BUILD, str(made)]
    done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{source.name} cannot be made a wheel:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
