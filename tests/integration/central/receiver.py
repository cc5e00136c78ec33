"""A receiver behind a real nginx, with sites that have certificates and tokens; and a client for both doors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from appliance.archive.database import Database
from appliance.central.registry import certificate_digest as digest_of
from appliance.dicomweb.multipart import closing, part_head
from appliance.model.receipts import Receipt, parse, parse_page
from appliance.signatures import load_verifier
from tests.builders.certificates import Authority, Pair
from tests.partners.centre import Centre
from tests.partners.nginx import CentralNginx

BOUNDARY = "5e2f0b"
TOKEN = "a-token-of-clinic-9"
# No broker is there: what would be published stays in the outbox, to be looked at.
TOPICS = """
[sync.sinks.records]
kind = "kafka"
profile = "receiver"
bootstrap_servers = ["127.0.0.1:9"]
required = false
"""
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def stow_body(*parts: bytes) -> bytes:
    """Return a whole store request's body."""
    head = part_head(BOUNDARY, {"Content-Type": "application/dicom"})
    return b"".join(head + part for part in parts) + closing(BOUNDARY)


@dataclass(frozen=True)
class Sender:
    """Someone who sends: `pair` is shown as client certificate, `token` as bearer token; `url` is the root."""

    url: str
    trusted: Path | None = None
    pair: Pair | None = None
    token: str = ""

    def ask(self, method: str, path: str, *, data: bytes = b"", **headers: str) -> requests.Response:
        """Send one request on a connection of its own; underscores in the names of headers stand for hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            fields.setdefault("Authorization", f"Bearer {self.token}")
        pair = (str(self.pair.certificate), str(self.pair.key)) if self.pair else None
        verify: bool | str = str(self.trusted) if self.trusted else True
        with requests.Session() as session:
            return session.request(
                method, self.url + path, data=data, headers=fields, cert=pair, verify=verify, timeout=30
            )

    def store(self, *files: bytes, **headers: str) -> requests.Response:
        """Store Part 10 files."""
        return self.ask("POST", "/dicom-web/studies", data=stow_body(*files), Content_Type=TYPE, **headers)

    def receipts(self, public_key: Path, after: int = 0, limit: int = 100) -> list[Receipt]:
        """Fetch one page and verify every signature."""
        answer = self.ask("GET", f"/edge/v1/receipts?after={after}&limit={limit}")
        assert answer.status_code == 200, answer.text
        page, key = parse_page(answer.content), load_verifier(public_key)
        for one in page.receipts:
            assert key.holds(one.text.encode(), one.signature.encode())
        found = [parse(one.text) for one in page.receipts]
        assert page.next == (found[-1].id if found else after)
        return found


@dataclass(frozen=True)
class Site:
    """The centre of a test, and everything one may try to come in with."""

    centre: Centre
    nginx: CentralNginx
    authority: Authority
    stranger: Authority

    def sender(self, pair: Pair | None = None, token: str = "") -> Sender:
        """Someone outside, on the way through nginx."""
        return Sender(self.nginx.url, self.nginx.trusted, pair, token)

    def local(self, token: str = "") -> Sender:
        """Someone at the TCP door."""
        return Sender(self.centre.url, None, None, token)

    def refusals(self, site: str = "") -> Mapping[str, int]:
        """How many refusals the list of callers has by reason, of one site ("-" for none) or of all."""
        counts: dict[str, int] = {}
        for row in self.centre.callers():
            if site in ("", row["ae_title"]):
                counts[row["reason"]] = counts.get(row["reason"], 0) + row["count"]
        return counts

    def records(self) -> list[dict[str, Any]]:
        """What the receiver's sync room has told its directory sink."""
        found = []
        for path in sorted((self.centre.home / "outbound").rglob("*.jsonl")):
            found += [json.loads(line) for line in path.read_text().splitlines()]
        return found

    def published(self, kind: str) -> list[dict[str, Any]]:
        """The records of one kind that wait for the receiver's Kafka sink."""
        database = Database(self.centre.home / "index.db")
        try:
            with database.read() as cx:
                rows = cx.execute(
                    "SELECT e.payload FROM delivery d JOIN event e ON e.id = d.event_id"
                    " WHERE d.sink = 'records' AND e.kind = ?",
                    (kind,),
                ).fetchall()
        finally:
            database.close()
        return [json.loads(row[0]) for row in rows]


def certificate_digest(pair: Pair) -> str:
    """SHA-256 of a certificate, as the registry pins it."""
    return digest_of(pair.certificate.read_text())


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Start a receiver with three sites behind nginx: clinic-7 and clinic-8 (north), clinic-9 (south, token)."""
    authority = Authority(folder, "Sites")
    (folder / "other").mkdir()
    stranger = Authority(folder / "other", "Stranger")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    with Centre(folder / "c", TOPICS) as centre:
        centre.admit("clinic-7", "north")
        centre.admit("clinic-8", "north")
        centre.admit("clinic-9", "south", token_sha256=(digest,))
        centre.start()
        centre.wait_ready()
        with CentralNginx(folder / "n", centre.socket, authority.certificate) as nginx:
            yield Site(centre, nginx, authority, stranger)
