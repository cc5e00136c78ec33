"""The OHIF viewer as it was built: version and digest from its lock, licence texts from its folder."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from papers.failure import PapersFailed
from papers.licence import holders
from papers.part import Hash, Part

LICENCE = "MIT"
_TEXTS = ("LICENSE*", "LICENCE*", "*.LEGAL.txt", "*.LICENSE.txt")


def read(folder: Path, lock: Path) -> Part:
    """The viewer as a part. Raises PapersFailed when its folder holds no licence text."""
    locked = json.loads(lock.read_text(encoding="utf-8"))["viewer"]
    name, version = str(locked["name"]), str(locked["version"])
    if not any(folder.glob("LICEN[CS]E*")):
        raise PapersFailed(f"the viewer in {folder} has no licence text")
    files = sorted({path for pattern in _TEXTS for path in folder.glob(pattern)})
    texts = tuple(dict.fromkeys(path.read_text(encoding="utf-8", errors="replace") for path in files))
    algorithm, _, digest = str(locked["integrity"]).partition("-")
    source = f"https://registry.npmjs.org/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    published = Hash(algorithm.upper().replace("SHA", "SHA-"), base64.b64decode(digest).hex())
    return Part(
        name=name,
        version=version,
        licence=LICENCE,
        purl=f"pkg:npm/{name.replace('@', '%40')}@{version}",
        summary="OHIF viewer: published build, its addresses moved and its scripts minified",
        holders=holders(texts),
        texts=texts,
        files=("ohif/*",),
        sources=((source, (published,)),),
    )
