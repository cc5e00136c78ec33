"""The build after this one: the same package with a higher version and one step more in the history of its schema."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

VERSION = "99.0.0"
STEP = "ALTER TABLE box ADD COLUMN note TEXT NOT NULL DEFAULT 'of the next build';\n"


def next_build(package: Path, folder: Path) -> Path:
    """Return the package that a later release would be, made from `package` below `folder`."""
    tree = folder / "tree"
    _run("dpkg-deb", "--raw-extract", str(package), str(tree))
    _edit(tree / "DEBIAN" / "control", r"^Version: .*$", f"Version: {VERSION}-1")
    (site,) = tree.glob("usr/lib/dicom-edge-appliance/venv/lib/python3*/site-packages/appliance")
    _edit(site / "__init__.py", r'__version__ = ".*"', f'__version__ = "{VERSION}"')
    migrations = site / "archive" / "migrations.py"
    _edit(migrations, r"^(SCHEMA_VERSION|COMPATIBLE_FROM) = (\d+)$", lambda found: f"{found[1]} = {int(found[2]) + 1}")
    _edit(migrations, r"^\)\n\Z", '    ("9999_next", _from_file("9999.sql")),\n)\n')
    (site / "archive" / "schema" / "9999.sql").write_text(STEP)
    # Its byte code is not checked against the source, on purpose: here it would be the old one.
    for stale in (*site.glob("__pycache__/__init__.*"), *site.glob("archive/__pycache__/migrations.*")):
        stale.unlink()
    return _built(tree, folder / f"dicom-edge-appliance_{VERSION}-1_amd64.deb")


def renumbered(package: Path, version: str, folder: Path) -> Path:
    """Return `package` with another version and nothing else changed, made below `folder`."""
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    _run("dpkg-deb", "--raw-extract", str(package), str(tree))
    _edit(tree / "DEBIAN" / "control", r"^Version: .*$", f"Version: {version}-1")
    if package.name.startswith("dicom-edge-central"):
        _edit(tree / "DEBIAN" / "control", r"dicom-edge-appliance \(= .*?\)", f"dicom-edge-appliance (= {version}-1)")
    name, _, rest = package.name.partition("_")
    return _built(tree, folder / f"{name}_{version}-1_{rest.rpartition('_')[2]}")


def _built(tree: Path, package: Path) -> Path:
    _run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(package))
    return package


def _edit(path: Path, pattern: str, new: object) -> None:
    text, count = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)  # type: ignore[call-overload]
    assert count, f"{path} has no {pattern}"
    path.write_text(text)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
