"""Lets packaging/papers write copyright, list of parts, manual pages and completions, and puts them in place."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deb_build.contents import BOX
from deb_build.failure import BuildFailed

# What has to come out, below the folder it is written to; the rest of man/ is taken as it is.
WANTED: Final = (
    "copyright", "sbom.cdx.json", "man/appliance.1", "man/appliance-pki.1",
    "completion/appliance", "completion/appliance-pki",
)  # fmt: skip


def write(source: Path, packages: Path, site: Path, python: Path, viewer: Path) -> None:
    """Write the papers of what is installed in `site`, with the package's own interpreter. Raises BuildFailed."""
    out = packages / "scratch" / "papers"
    # -P: the product is read as it is installed, not as it lies in the source.
    command = [str(python), "-P", "-m", "papers", "all", "--site-packages", str(site), "--ohif", str(viewer)]
    command += ["--lock", "requirements/runtime.txt", "--ohif-lock", "packaging/ohif/lock.json", "--out", str(out)]
    environ = {**os.environ, "PYTHONPATH": str(source / "packaging" / "papers")}
    if subprocess.run(command, cwd=source, env=environ, check=False).returncode:
        raise BuildFailed("packaging/papers could not write the papers; why stands above")
    missing = [name for name in WANTED if not (out / name).is_file()]
    if missing:
        raise BuildFailed(f"packaging/papers did not write {', '.join(missing)}")
    box = packages / BOX
    _copy(out / "sbom.cdx.json", box / "usr/share/doc" / BOX / "sbom.cdx.json")
    for script in sorted((out / "completion").iterdir()):
        _copy(script, box / "usr/share/bash-completion/completions" / script.name)
    # These two are for debhelper, which knows how and where.
    _copy(out / "copyright", packages / f"{BOX}.copyright")
    pages = sorted(path for path in (out / "man").iterdir())
    for page in pages:
        _copy(page, packages / "man" / page.name)
    (packages / f"{BOX}.manpages").write_text("".join(f"debian/man/{page.name}\n" for page in pages))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
