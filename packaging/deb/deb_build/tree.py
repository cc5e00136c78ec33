"""`python3 -m deb_build.tree install|units|finish`: the steps of debian/rules, inside the clean root."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from deb_build import contents, links, own, papering, units, venv
from deb_build.failure import BuildFailed

PACKAGES: Final = Path("debian").resolve()
BOX: Final = PACKAGES / contents.BOX
VIEWER: Final = "usr/share/dicom-edge-appliance/ohif"


def install() -> None:
    """Fill the packages' folders. Reads WHEELS, OHIF and INTERPRETER from the environment."""
    source, scratch, interpreter = Path.cwd(), PACKAGES / "scratch", os.environ["INTERPRETER"]
    wheels = own.make_wheels(Path(os.environ["WHEELS"]), source, scratch)
    made = venv.make(BOX, wheels, interpreter)
    venv.try_out(made)
    for one in made.installed:
        print(f"{one.name}: {one.kept} files, {one.dropped} left out")
    shutil.copytree(os.environ["OHIF"], BOX / VIEWER)
    contents.install(source, PACKAGES)
    papering.write(source, PACKAGES, made.site, made.python, BOX / VIEWER)
    shutil.rmtree(scratch)


def finish() -> None:
    """Set modes that dh_fixperms has just flattened, and make links relative."""
    contents.fix_modes(PACKAGES)
    links.relate(BOX / venv.PLACE, BOX)


def enable() -> None:
    """See units.install."""
    units.install(PACKAGES)


STEPS: Final = {"install": install, "units": enable, "finish": finish}


def main(arguments: list[str] | None = None) -> int:
    """Do one step; returns 0, or 1 with the reason on standard error."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    try:
        STEPS[name]()
    except BuildFailed as error:
        print(f"deb_build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
