"""Making a bundle: contents, a page that says what they are, and the file."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import __version__
from appliance.care.bundle.collecting import Contents, Request, collect
from appliance.care.bundle.packing import pack
from appliance.care.bundle.pseudonyms import Pseudonyms
from appliance.clock import Clock

FOLDER: Final = "support-bundle"
README: Final = "README.txt"
SUMMARY: Final = "bundle.json"
TEXT: Final = """How a DICOM edge appliance is, for those who help it.

There are no patient data in here: what the rooms log has none, and every line and text was compared with the names,
numbers and dates of the box's index, in whatever way they may be written; what hit was left out (see bundle.json).
Secrets are masked. {uids}
What is shorter than four letters or digits (a name such as Li that stands alone, an ID such as 12) cannot be found.
AE titles and addresses of devices are as they are. Look before you send it all the same.
"""
RENAMED: Final = "UIDs have other names, the same throughout this file; those of the standard are as they are."
KEPT: Final = "UIDs are as they are (--with-uids): they lead back to patients for those who have the images."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written: its members with their sizes, what was left out of which, which parts failed."""

    path: Path
    members: dict[str, int]
    omitted: dict[str, int]
    failed: dict[str, str]


def write(path: Path, request: Request, clock: Clock) -> Bundle:
    """Make a bundle at `path`; durable on return, for its owner alone. Raises DiskFull, ArchiveFailed."""
    contents = collect(request, Pseudonyms(secrets.token_bytes(32)))
    members = {README: TEXT.format(uids=KEPT if request.with_uids else RENAMED).encode(), **contents.members}
    members[SUMMARY] = _summary(contents, request, clock)
    pack(path, members.items(), FOLDER, clock.now() // 1_000_000)
    sizes = {name: len(data) for name, data in members.items()}
    return Bundle(path, sizes, contents.omitted, contents.failed)


def _summary(contents: Contents, request: Request, clock: Clock) -> bytes:
    facts = {
        "version": __version__,
        "site": request.layout.site,
        "made_at_us": clock.now(),
        "with_uids": request.with_uids,
        "left_out": contents.omitted,
        "failed": contents.failed,
    }
    return (json.dumps(facts, indent=1) + "\n").encode()
