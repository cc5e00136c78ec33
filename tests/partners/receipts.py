"""A receiver's receipts, for tests: signed by a key of its own, served by number. Imports nothing of the appliance."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PATH = "/edge/v1/receipts"
SYNTAX = "1.2.840.10008.1.2.1"


def signed(key: Ed25519PrivateKey, text: str) -> dict[str, str]:
    """One entry of a page."""
    signature = base64.urlsafe_b64encode(key.sign(text.encode())).rstrip(b"=").decode()
    return {"receipt": text, "signature": signature}


@dataclass
class Receipts:
    """Hands out receipts by number. `key` signs; `pages` counts the requests; `status` other than 200 is an outage."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    site: str = "site-1"
    tenant: str = "default"
    entries: list[dict[str, str]] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    status: int = 200
    first: int = 1
    newest: int | None = None

    def write_key(self, path: Path, *more: Ed25519PrivateKey) -> Path:
        """Write the public keys, as a box has them."""
        keys = (self.key, *more)
        pem = [key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in keys]
        path.write_bytes(b"".join(pem))
        return path

    def text(self, number: int, **changes: Any) -> str:
        """A receipt as it is signed."""
        values = {
            "v": 1, "id": number, "site": self.site, "tenant": self.tenant, "level": "bytes_confirmed",
            "study_uid": "1.2", "series_uid": "1.2.3", "sop_uid": "1.2.3.4", "digest": "0" * 64,
            "transfer_syntax_uid": SYNTAX, "revision": 0, "at": "2026-01-02T03:04:05.000006Z",
        }  # fmt: skip
        return json.dumps({**values, **changes}, separators=(",", ":"))

    def add(self, **changes: Any) -> None:
        """Sign one more."""
        self.entries.append(signed(self.key, self.text(self.first + len(self.entries), **changes)))

    def confirm(self, instances: Iterable[Any], level: str = "bytes_confirmed", **changes: Any) -> None:
        """Sign one for each instance (anything with the attributes of a stored one)."""
        for one in instances:
            uids = {"study_uid": one.study_uid, "series_uid": one.series_uid, "sop_uid": one.sop_uid}
            syntax = one.transfer_syntax_uid
            self.add(level=level, digest=one.digest, transfer_syntax_uid=syntax, **{**uids, **changes})

    def page(self, target: str) -> tuple[int, bytes]:
        """Answer a request for `target`: status and body."""
        query = parse_qs(urlsplit(target).query)
        after, limit = int(query["after"][0]), int(query["limit"][0])
        self.asked.append((after, limit))
        numbers = range(self.first, self.first + len(self.entries))
        left = [entry for number, entry in zip(numbers, self.entries, strict=True) if number > after]
        newest = self.first + len(self.entries) - 1 if self.newest is None else self.newest
        next_, more = after + len(left[:limit]), len(left) > limit
        body = {"receipts": left[:limit], "next": next_, "more": more, "newest": newest}
        return self.status, json.dumps(body).encode()
