"""Upload-Metadata of a resumable upload (tus 1.0, creation): which instance comes, as the sender says."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from appliance.errors import PeerError
from appliance.model.uid import is_valid_uid

MOST_CHARACTERS: Final = 4096
MOST_PAIRS: Final = 16
UIDS: Final = ("study_uid", "series_uid", "sop_uid", "transfer_syntax_uid")
REQUIRED: Final = ("sop_uid", "digest")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Announced:
    """What the sender says will come; "" for what it leaves open. `digest`: SHA-256 (hex) behind group 2."""

    sop_uid: str
    digest: str
    study_uid: str = ""
    series_uid: str = ""
    transfer_syntax_uid: str = ""

    def labels(self) -> Mapping[str, str]:
        """Return it as names and texts."""
        return asdict(self)


def parse_metadata(text: str) -> Announced:
    """Read the header's value; unknown names are passed over. Raises PeerError in plain words, without the value."""
    if len(text) > MOST_CHARACTERS:
        raise PeerError(f"Upload-Metadata is longer than {MOST_CHARACTERS} characters")
    found: dict[str, str] = {}
    pairs = [pair.strip(" ") for pair in text.split(",")] if text else []
    if len(pairs) > MOST_PAIRS:
        raise PeerError(f"Upload-Metadata has more than {MOST_PAIRS} entries")
    for pair in pairs:
        name, _, value = pair.partition(" ")
        if name in found:
            raise PeerError("Upload-Metadata names something twice")
        found[name] = _decoded(value)
    missing = [name for name in REQUIRED if not found.get(name)]
    if missing:
        raise PeerError(f"Upload-Metadata does not tell {missing[0]}", hint="see docs/forwarding-stow.md")
    if not _DIGEST.fullmatch(found["digest"]):
        raise PeerError("the digest is no SHA-256 in 64 hexadecimal digits, written small")
    for name in UIDS:
        if found.get(name) and not is_valid_uid(found[name]):
            raise PeerError(f"{name} is not a UID (PS3.5 9.1)")
    return Announced(**{name: found.get(name, "") for name in (*UIDS, "digest")})


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise PeerError("a value of Upload-Metadata is not ASCII text in Base64") from None
