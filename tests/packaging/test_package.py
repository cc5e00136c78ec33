"""The two packages as files: sizes, contents and modes, and what lintian says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deb_build.checking import LINTIAN
from deb_build.judging import MEGABYTE, faults
from deb_build.package import read


def test_each_has_its_size_its_files_and_their_modes(package: Path, central_package: Path) -> None:
    for path in (package, central_package):
        found = read(path)
        assert list(faults(found)) == [], path.name
        print(f"{path.name}: {path.stat().st_size / MEGABYTE:.1f} MB, {found.installed_bytes / MEGABYTE:.1f} installed")


def test_lintian_has_nothing_to_say(package: Path, central_package: Path) -> None:
    done = subprocess.run([*LINTIAN, package, central_package], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
