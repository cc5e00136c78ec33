"""Moves the viewer from `/`, which its publishers built it for, to where the appliance serves it.

Every replacement must be found: a new version that writes these things otherwise stops the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ohif_build.failure import BuildFailed

# Where the routes of the viewer begin. Below it a folder named after the build holds the files.
MOUNT: Final = "/ohif/"
PUBLIC_PATH: Final = '__webpack_require__.p = "/"'
# The viewer leaves service workers of older versions behind; there are none, and the policy allows none.
SERVICE_WORKER: Final = '<script rel="preload" as="script" type="module" src="/init-service-worker.js"></script>'
CONFIGURATION: Final = "/app-config.js"
WORKER: Final = re.compile(r"new Worker\(new URL\([^;]{0,60}__webpack_require__\.u\((\d+)\)")
# What Emscripten writes into a codec that binds classes.
CODEC: Final = 'new Function("body"'


def rebase(folder: Path, build: str) -> None:
    """Rewrite every file of `folder` that names a place. Raises BuildFailed when there is nothing to rewrite."""
    files = f"{MOUNT}{build}/"
    scripts = sorted(folder.glob("*.js"))
    count = sum(_replace(path, PUBLIC_PATH, f'__webpack_require__.p = "{files}"') for path in scripts)
    _found(count, PUBLIC_PATH, "the bundles")
    styles = sorted(folder.glob("*.css"))
    _found(sum(_replace(path, "url(/", f"url({files}") for path in styles), "url(/", "the style sheets")
    _found(_replace(folder / "manifest.json", '"/assets/', f'"{files}assets/'), '"/assets/', "manifest.json")
    _rebase_page(folder / "index.html", files)


def _rebase_page(page: Path, files: str) -> None:
    for wanted, text in (
        (SERVICE_WORKER, ""),
        ('window.PUBLIC_URL="/"', f'window.PUBLIC_URL="{MOUNT}"'),
        ('href="/', f'href="{files}'),
        ('src="/', f'src="{files}'),
        ('content="/assets/', f'content="{files}assets/'),
        # The appliance's own, not the viewer's: it stands outside the folder of the build.
        (f'src="{files}{CONFIGURATION[1:]}"', f'src="{MOUNT}{CONFIGURATION[1:]}"'),
    ):
        _found(_replace(page, wanted, text), wanted, page.name)


def _replace(path: Path, wanted: str, text: str) -> int:
    content = path.read_text(encoding="utf-8")
    count = content.count(wanted)
    if count:
        path.write_text(content.replace(wanted, text), encoding="utf-8")
    return count


def _found(count: int, wanted: str, place: str) -> None:
    if not count:
        raise BuildFailed(f"{wanted} is not in {place}: this version is built otherwise, see docs/ohif.md")


def decode_worker(folder: Path) -> str:
    """Return the name of the worker that decodes images. Raises BuildFailed unless there is exactly one.

    Its codecs build functions from text, which only its own response allows. Call before minifying.
    """
    scripts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js"))}
    started = {found[1] for text in scripts.values() for found in WORKER.finditer(text)}
    names = [name for name, text in scripts.items() if name.split(".")[0] in started and CODEC in text]
    if len(names) != 1:
        raise BuildFailed(f"one worker should hold the codecs; found: {', '.join(names) or 'none'}")
    return names[0]
