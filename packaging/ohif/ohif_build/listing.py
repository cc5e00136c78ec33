"""Compresses what was built, and writes the list that the appliance serves from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from ohif_build.failure import BuildFailed

LIST: Final = "files.json"
COMPRESSED: Final = (".js", ".css", ".wasm", ".json", ".html", ".svg", ".txt")
# Less than one packet gains nothing.
LEAST_BYTES: Final = 1400
INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def compress(folder: Path) -> None:
    """Put NAME.gz beside every file that becomes smaller; the same bytes on every build."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in COMPRESSED and path.stat().st_size >= LEAST_BYTES:
            packed = gzip.compress(path.read_bytes(), mtime=0)
            if len(packed) < path.stat().st_size:
                path.with_name(f"{path.name}.gz").write_bytes(packed)


def write_list(folder: Path, version: str, build: str, worker: str) -> None:
    """Write files.json: what may be served, and what the Content Security Policy has to allow."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    served = [name for name in names if not name.endswith(".gz")]
    document: dict[str, Any] = {
        "version": version,
        "build": build,
        "script_hashes": script_hashes((folder / "index.html").read_text(encoding="utf-8")),
        "decode_worker": worker,
        "files": {name: _facts(folder, name, f"{name}.gz" in names) for name in served},
    }
    (folder / LIST).write_text(json.dumps(document, indent=1) + "\n")


def script_hashes(page: str) -> list[str]:
    """Return the CSP sources of a page's inline scripts. Raises BuildFailed when there are none."""
    found = [hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(page)]
    if not found:
        raise BuildFailed("index.html has no inline scripts any more: this version is built otherwise")
    return [f"sha256-{base64.b64encode(digest).decode()}" for digest in found]


def _facts(folder: Path, name: str, packed: bool) -> dict[str, Any]:
    content = (folder / name).read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "gzip": packed}
