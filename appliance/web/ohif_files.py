"""The built OHIF viewer as a folder: what may be served from it, by the list that its build has written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import ConfigurationError

LIST = "files.json"
PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class File:
    """One file: SHA-256 of its content, and whether NAME.gz stands beside it."""

    sha256: str
    gzip: bool


@dataclass(frozen=True, slots=True)
class Viewer:
    """One build. `script_hashes` are CSP sources; `decode_worker` names the one file that may evaluate code."""

    folder: Path
    version: str
    build: str
    script_hashes: tuple[str, ...]
    decode_worker: str
    files: Mapping[str, File]


def read_viewer(folder: Path) -> Viewer | None:
    """Return the viewer that was built into `folder`, None when there is none.

    Raises ConfigurationError when what is there is not a whole build.
    """
    try:
        document = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unusable(folder, f"{LIST} cannot be read") from error
    try:
        viewer = _viewer(folder, document)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unusable(folder, f"{LIST} is not written by this version") from error
    missing = [name for name in (PAGE, viewer.decode_worker) if name not in viewer.files]
    if missing:
        raise _unusable(folder, f"{missing[0]} is missing")
    return viewer


def _viewer(folder: Path, document: Mapping[str, Any]) -> Viewer:
    files = {name: File(facts["sha256"], facts["gzip"]) for name, facts in document["files"].items()}
    hashes = tuple(document["script_hashes"])
    return Viewer(folder, document["version"], document["build"], hashes, document["decode_worker"], files)


def _unusable(folder: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"web.ohif = {folder}: {reason}", hint="run `make ohif`, or remove the folder")
