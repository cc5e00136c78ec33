"""UIDs under other names: they lead back to patients, but lines about one object should still be found together."""

from __future__ import annotations

import hashlib
import re
from typing import Final

# Of the standard itself: transfer syntaxes and SOP classes, nobody's.
STANDARD: Final = "1.2.840.10008."
# Five components and more: fewer are an IP address or a version.
_UID: Final = re.compile(r"(?<![\w.])[0-2](?:\.\d+){4,}(?!\w)")
LENGTH: Final = 12


class Pseudonyms:
    """One bundle's names for UIDs. The key is kept nowhere, so nobody can try out UIDs against another bundle."""

    def __init__(self, key: bytes) -> None:
        """Take random bytes, new for each bundle."""
        self._key = key

    def applied(self, text: str) -> str:
        """Return the text with every UID replaced but those of the standard."""
        return _UID.sub(lambda found: self._name(found[0]), text)

    def _name(self, uid: str) -> str:
        if uid.startswith(STANDARD):
            return uid
        digest = hashlib.blake2b(uid.encode(), key=self._key, digest_size=16).hexdigest()
        return f"uid-{digest[:LENGTH]}"


def uids(text: str) -> list[str]:
    """Return the UIDs in a text that are not the standard's."""
    return [uid for uid in _UID.findall(text) if not uid.startswith(STANDARD)]
