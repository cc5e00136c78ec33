"""Builds the packages: fetch, root, build; what comes of it goes to one folder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ohif_build.building import build as build_viewer
from ohif_build.failure import BuildFailed as ViewerFailed

from deb_build import fetching, root, source
from deb_build.failure import BuildFailed
from deb_build.suites import suite

LOG: Final = "build.log"
SUMS: Final = "SHA256SUMS"
# What the packages were made of: its hash, and the time all files were given.
SOURCE: Final = "source.sha256"
RESULTS: Final = ("*.deb", "*.buildinfo", "*.changes")
# Where root.run_inside puts what was fetched.
FOLDERS: Final = {"WHEELS": "/wheels", "OHIF": "/ohif"}
VIEWER_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Order:
    """What to build: for which release, as which Debian revision, in a root made anew or not."""

    suite: str = "bookworm"
    architecture: str = "amd64"
    revision: str = "1"
    fresh: bool = False

    @property
    def full_revision(self) -> str:
        """The revision with what names the release."""
        return self.revision + suite(self.suite).suffix


def build(tree: Path, output: Path, order: Order, say: Callable[[str], None]) -> list[Path]:
    """Build the packages of a source tree; return what was written to `output`. Raises BuildFailed."""
    release = suite(order.suite)
    started = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - started:5.1f} s  {text}")

    tell("fetching what is locked ...")
    wheels = fetching.fetch(tree / "requirements", release, order.architecture)
    viewer = _viewer(tell)
    tell(f"a clean root of {release.name} ...")
    tarball = root.clean_root(release, fresh=order.fresh)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deb-build-") as scratch:
        place = Path(scratch) / "build"
        moment = source.epoch(tree)
        source.copy(tree, place / source.NAME, revision=order.full_revision, moment=moment)
        fingerprint = source.fingerprint(place / source.NAME)
        tell("building, without a network ...")
        environ = {"SOURCE_DATE_EPOCH": str(moment), "INTERPRETER": release.interpreter, "DEPENDS": release.depends}
        words = [f"{name}={value}" for name, value in (environ | FOLDERS).items()]
        command = [*words, "sh", "-c", f"cd /build/{source.NAME} && exec dpkg-buildpackage -b -d -uc"]
        try:
            root.run_inside(tarball, place, wheels, viewer, command, output / LOG)
        except BuildFailed as error:
            raise BuildFailed(f"{error}\nAll of it: {output / LOG}") from error
        results = _take(place, output)
        (output / SOURCE).write_text(f"{fingerprint} {moment}\n")
    tell("done")
    return results


def _viewer(tell: Callable[[str], None]) -> Path:
    try:
        return build_viewer(VIEWER_SECONDS, tell)
    except ViewerFailed as error:
        raise BuildFailed(f"no OHIF viewer: {error}") from error


def _take(place: Path, output: Path) -> list[Path]:
    found = sorted(path for pattern in RESULTS for path in place.glob(pattern))
    results = [Path(shutil.copyfile(path, output / path.name)) for path in found]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in results]
    (output / SUMS).write_text("\n".join(lines) + "\n")
    return [*results, output / SUMS]
