"""The clean root: a minimal Debian with the tools of the build, a tarball in the cache; and running inside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ohif_build.building import cache

from deb_build.failure import BuildFailed
from deb_build.running import run
from deb_build.suites import TOOLS, Suite

# Manual pages and translations of the tools are for nobody here.
EXCLUDED: Final = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
# What runs in the new namespaces: no network but its own loopback, mounts that end with it. $1 root, $2 tarball,
# $3 folder that appears as /build, $4 and $5 folders that appear read-only as /wheels and /ohif; then the command.
ENTER: Final = """
set -eu
umask 022
root=$1 tarball=$2 build=$3 wheels=$4 ohif=$5
shift 5
tar --extract --directory "$root" --numeric-owner --exclude='./dev/*' --file "$tarball"
mkdir -p "$root/dev" "$root/proc" "$root/build" "$root/wheels" "$root/ohif"
for device in null zero full random urandom; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc proc "$root/proc"
mount --bind "$build" "$root/build"
mount --bind -o ro "$wheels" "$root/wheels"
mount --bind -o ro "$ohif" "$root/ohif"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 TZ=UTC "$@"
"""


def clean_root(suite: Suite, *, fresh: bool = False) -> Path:
    """Return the tarball of a release's clean root; made unless it is there, and always if `fresh`."""
    target = cache(f"root-{suite.name}-{_key(suite)}.tar.zst")
    if target.is_file() and not fresh:
        return target
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed("mmdebstrap is not here: apt-get install mmdebstrap")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / "root.tar"
        run([*_recipe(suite), made, *suite.sources], environ={"LC_ALL": "C.UTF-8"})
        run(["zstd", "--quiet", "-3", "-T0", made])
        made.with_suffix(".tar.zst").replace(target)
    return target


def _recipe(suite: Suite) -> list[str]:
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(TOOLS)]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    return [*command, '--aptopt=APT::Install-Recommends "false"', suite.name]


def _key(suite: Suite) -> str:
    return hashlib.sha256("\0".join((*_recipe(suite), *suite.sources)).encode()).hexdigest()[:12]


def run_inside(tarball: Path, build: Path, wheels: Path, ohif: Path, command: Sequence[str], log: Path) -> None:
    """Run a command in a fresh copy of a clean root, with no network; what it says goes to `log`.

    `build` appears as /build, writable; `wheels` and `ohif` read-only. The copy is gone afterwards. Raises BuildFailed.
    """
    root = Path(tempfile.mkdtemp(prefix="root-", dir=build.parent))
    as_root = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    # The mounts end with the namespace, and that with the last process in it: only then is the copy removed.
    apart = ["unshare", *as_root, "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
    try:
        run([*apart, "sh", "-c", ENTER, "sh", root, tarball, build, wheels, ohif, *command], log=log)
    finally:
        run(["unshare", *as_root, "--mount", "rm", "-rf", "--one-file-system", root])
