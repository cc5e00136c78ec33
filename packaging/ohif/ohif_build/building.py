"""Builds the viewer into a cache that outlives the working tree: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ohif_build import choosing, fetching, lock, minifying, rebasing
from ohif_build.failure import BuildFailed
from ohif_build.listing import LIST, compress, write_list


def cache(name: str = "") -> Path:
    """Return the folder of what was built from this lock by this code, whether it is there or not."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(kept) / "dicom-edge-appliance" / (name or f"ohif-{lock.viewer().version}-{lock.recipe()}")


def is_built() -> bool:
    """Whether the viewer is in the cache."""
    return (cache() / LIST).is_file()


def build(seconds: float, say: Callable[[str], None]) -> Path:
    """Build the viewer unless it is built; return its folder. Raises BuildFailed, also after `seconds`."""
    target = cache()
    if is_built():
        return target
    deadline = time.monotonic() + seconds
    viewer, minifier = lock.viewer(), lock.minifier()
    say(f"Building the OHIF viewer {viewer.version} from the npm registry ...")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            folder = _made(Path(scratch), viewer, minifier, deadline)
            _move(folder, target)
    except OSError as error:
        raise BuildFailed(f"{target}: {error.strerror or error}") from error
    return target


def _made(scratch: Path, viewer: lock.Locked, minifier: lock.Locked, deadline: float) -> Path:
    folder, tools = scratch / "ohif", scratch / "tools"
    folder.mkdir()
    viewer_tarball = fetching.fetch(viewer, scratch, _left(deadline))
    minifier_tarball = fetching.fetch(minifier, scratch, _left(deadline))
    if not fetching.unpack(viewer_tarball, folder, choosing.kept):
        raise BuildFailed(f"{viewer.wanted} holds nothing of what is expected")
    fetching.unpack(minifier_tarball, tools, lambda name: "esbuild" if name == "bin/esbuild" else "")
    worker = rebasing.decode_worker(folder)
    rebasing.rebase(folder, lock.recipe())
    minifying.minify(folder, tools / "esbuild", _left(deadline))
    compress(folder)
    write_list(folder, viewer.version, lock.recipe(), worker)
    return folder


def _move(folder: Path, target: Path) -> None:
    folder.chmod(0o755)
    try:
        folder.rename(target)
    except OSError:
        # Somebody else was faster; any other failure leaves no list, and is one.
        if not is_built():
            raise


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise BuildFailed("it took longer than allowed: run `make ohif`, which waits longer")
    return left


def link(folder: Path, place: Path) -> None:
    """Make `place` a symbolic link to `folder`, replacing an older one; a real folder there stays and is an error."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not place.is_symlink():
        raise BuildFailed(f"{place} is there already and no link of ours: move it away")
    if place.is_symlink() and place.readlink() == folder:
        return
    fresh = place.with_name(f".{place.name}.{os.getpid()}")
    fresh.symlink_to(folder, target_is_directory=True)
    fresh.replace(place)
