"""A bare Debian as a folder: what a technician finds on a fresh machine, made by mmdebstrap.

Kept as a tarball in a cache outside of the working tree. What our package depends on lies in its apt cache, so that
a machine without any network can install it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

SUITE: Final = os.environ.get("DEB_SUITE", "bookworm")
# What every Debian with systemd has, and nothing that ours needs.
INCLUDED: Final = "systemd,systemd-sysv,dbus,udev,iproute2,apt-utils,debconf-utils"
MINUTES: Final = 10
RECIPE: Final = "1"
QUIET: Final = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def bare(package: Path, *others: Path) -> Path:
    """Return the tarball of a bare Debian that can install `package` and `others` without a network."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    wanted = "\n".join(depends(one) for one in (package, *others))
    digest = hashlib.sha256(f"{RECIPE}\n{SUITE}\n{INCLUDED}\n{wanted}".encode()).hexdigest()[:12]
    tarball = Path(kept) / "dicom-edge-appliance" / f"debian-{SUITE}-{digest}.tar"
    tarball.parent.mkdir(parents=True, exist_ok=True)
    with tarball.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        if not tarball.is_file():
            with tempfile.TemporaryDirectory(dir=tarball.parent) as scratch:
                _made(Path(scratch), package, *others).replace(tarball)
    return tarball


def depends(package: Path) -> str:
    """Return what a .deb says it depends on."""
    fields = ("Depends", "Pre-Depends", "Recommends")
    return _run("dpkg-deb", "--field", str(package), *fields)


def unpacked(tarball: Path, folder: Path) -> Path:
    """Unpack into `folder`, owners and capabilities as they are; return it."""
    folder.mkdir(parents=True)
    _run("tar", "--extract", "--file", str(tarball), "--directory", str(folder), "--numeric-owner", "--xattrs")
    return folder


def _made(scratch: Path, *packages: Path) -> Path:
    root, tarball = scratch / "root", scratch / "root.tar"
    _run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(root))
    # mmdebstrap leaves no lists behind; without them nothing can be looked up later.
    inside = root / "tmp" / "wanted"
    inside.mkdir()
    names = [Path(shutil.copy(package, inside)).relative_to(root) for package in packages]
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    (root / "etc/apt/apt.conf.d/99keep").write_text('Binary::apt::APT::Keep-Downloaded-Packages "true";\n')
    _run("chroot", str(root), "apt-get", "--quiet", "update")
    _run(
        "chroot", str(root), "apt-get", "--quiet", "--yes", "--download-only", "--no-install-recommends", "install",
        *(f"/{name}" for name in names),
    )  # fmt: skip
    policy.unlink()
    shutil.rmtree(inside)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    _run("tar", "--create", "--file", str(tarball), "--directory", str(root), "--numeric-owner", "--xattrs", ".")
    return tarball


def _run(*command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=MINUTES * 60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
