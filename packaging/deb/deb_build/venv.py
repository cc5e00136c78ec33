"""Makes the virtual environment as the package holds it: Debian's interpreter, the locked wheels, two programs."""

from __future__ import annotations

import configparser
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deb_build import bytecode, links, wheel
from deb_build.failure import BuildFailed

PLACE: Final = "usr/lib/dicom-edge-appliance/venv"
OWN: Final = "dicom_edge_appliance"
# What installs packages has no place in a package: nothing may change what was built and tested together.
LEFT_OUT: Final = frozenset({"pip", "setuptools"})
# -I: no PYTHON* variable, nobody's site-packages and not the folder one stands in decide what root runs.
PROGRAM: Final = """#!/{place}/bin/python3 -I
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""
# Every module of the product, with all that it imports, and the decoders it finds by name when it runs.
TRIAL: Final = """
import importlib, pkgutil
for name in ("appliance", "pki"):
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
for name in ("gdcm", "openjpeg", "rle", "jpeg_ls", "PIL._imaging", "numpy.linalg", "psycopg_binary.pq", "argon2"):
    importlib.import_module(name)
"""
CONFIGURATION: Final = "home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n"


@dataclass(frozen=True)
class Made:
    """An environment: its interpreter, its site-packages, and what was installed there."""

    python: Path
    site: Path
    installed: tuple[wheel.Installed, ...]


def make(package: Path, wheels: list[Path], interpreter: str) -> Made:
    """Make the environment below a package's folder. Raises BuildFailed."""
    venv = package / PLACE
    site = venv / "lib" / interpreter / "site-packages"
    programs = venv / "bin"
    site.mkdir(parents=True)
    programs.mkdir()
    (venv / "pyvenv.cfg").write_text(CONFIGURATION.format(version=interpreter.removeprefix("python")))
    (programs / interpreter).symlink_to(f"/usr/bin/{interpreter}")
    for name in ("python", "python3"):
        (programs / name).symlink_to(interpreter)
    chosen = [path for path in sorted(wheels) if path.name.split("-")[0] not in LEFT_OUT]
    installed = tuple(wheel.install(path, site) for path in chosen)
    links.merge_libraries(site)
    _add_programs(package, site, programs)
    bytecode.compile_all(site, f"/{PLACE}/lib/{interpreter}/site-packages")
    return Made(programs / "python3", site, installed)


def try_out(made: Made) -> None:
    """Import the whole product in the environment, before anybody installs it. Raises BuildFailed."""
    if subprocess.run([made.python, "-I", "-B", "-c", TRIAL], check=False).returncode:
        raise BuildFailed("what was installed cannot be imported: a library lacks a file, or was pruned of one")


def _add_programs(package: Path, site: Path, programs: Path) -> None:
    found = list(site.glob(f"{OWN}-*.dist-info/entry_points.txt"))
    if len(found) != 1:
        raise BuildFailed("the product's own wheel is not among the wheels, or names no programs")
    entries = configparser.ConfigParser(delimiters=("=",))
    entries.read_string(found[0].read_text())
    links = package / "usr" / "bin"
    links.mkdir(parents=True)
    for name, target in sorted(entries["console_scripts"].items()):
        module, function = target.split(":")
        program = programs / name
        program.write_text(PROGRAM.format(place=PLACE, module=module, function=function))
        program.chmod(0o755)
        (links / name).symlink_to(f"../{PLACE.removeprefix('usr/')}/bin/{name}")
