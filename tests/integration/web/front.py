"""A box behind nginx with the site as it is shipped: whoever tests it, and what they come in with."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.access.book import Book
from appliance.access.roles import OF_TOKENS, Role
from tests.builders.certificates import Authority, Pair
from tests.integration.web.client import WebClient
from tests.integration.web.test_login import PASSWORD, REQUIRED
from tests.partners.appliance import Appliance
from tests.partners.nginx import Nginx

CERTIFICATES = """\
ssl_client_certificate {authority};
ssl_crl {revoked};
ssl_verify_client optional;
"""
# More than any disk has, and still within what the room takes.
HUGE = 1 << 55
LONGEST = 1 << 60
MODALITY = "ct1.clinic.example"


@dataclass(frozen=True)
class Front:
    """The box with its account ann, nginx before it, the clinic's authority and certificates, a token for each role."""

    box: Appliance
    nginx: Nginx
    authority: Authority
    modality: Pair
    revoked: Pair
    tokens: Mapping[str, dict[str, str]]

    def client(self, pair: Pair | None = None) -> WebClient:
        """Somebody outside."""
        return WebClient(self.nginx.url, self.nginx.trusted, pair)

    def log(self) -> str:
        """What nginx has written of requests."""
        return (self.nginx.folder / "dicom-edge-appliance.log").read_text()

    def raw(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send bytes as they are, over TLS: the status, and the first that came back."""
        context = ssl.create_default_context(cafile=str(self.nginx.trusted))
        with (
            socket.create_connection(("127.0.0.1", self.nginx.port), timeout=20) as line,
            context.wrap_socket(line, server_hostname="localhost") as secured,
        ):
            secured.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
            answer = secured.recv(65536)
        return int(answer.split(b" ", 2)[1]), answer


@contextmanager
def running() -> Iterator[Front]:
    """Start them; the folder has a short name, for the socket's sake."""
    with tempfile.TemporaryDirectory(prefix="front-") as name:
        folder = Path(name)
        (folder / "clinic").mkdir()
        authority = Authority(folder / "clinic", "Clinic")
        modality, revoked = authority.issue(MODALITY), authority.issue("old.clinic.example")
        listed = CERTIFICATES.format(authority=authority.certificate, revoked=authority.revoke(revoked))
        place = folder / "web.sock"
        settings = REQUIRED | {
            "APPLIANCE__WEB__SOCKET": str(place),
            "APPLIANCE__WEB__MAX_BODY_BYTES": str(LONGEST),
            "APPLIANCE__WEB__TLS_CA": str(authority.certificate),
            "APPLIANCE__WEB__CERTIFICATES": f'{{"{MODALITY}": "machine"}}',
        }
        with Appliance(folder / "home", settings) as box:
            box.command("init")
            with Book(box.home) as book:
                book.accounts.add("ann", Role.VIEWER, PASSWORD)
                made = {role.value: book.tokens.add(role.value, role, None) for role in OF_TOKENS}
            tokens = {role: {"Authorization": f"Bearer {token}"} for role, token in made.items()}
            box.start("web")
            box.wait_ready("web")
            with Nginx(folder / "n", place, box.home, {"client-certificates.conf": listed}) as nginx:
                yield Front(box, nginx, authority, modality, revoked, tokens)
