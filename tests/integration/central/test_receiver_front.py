"""The receiver's nginx beside another server of the same port, whose clients come from another authority."""

from __future__ import annotations

import socket
import ssl

from tests.builders.certificates import Authority, Pair
from tests.integration.central.receiver import Site
from tests.partners.nginx import CentralNginx

OTHER = """
server {{
    listen 127.0.0.1:{port} ssl http2;
    server_name another.example;
    ssl_certificate     {pair.certificate};
    ssl_certificate_key {pair.key};
    ssl_client_certificate {authority};
    ssl_verify_client optional;
    location / {{ return 204; }}
}}
"""
REQUEST = b"GET /edge/v1/receipts HTTP/1.1\r\nHost: receiver.example\r\nConnection: close\r\n\r\n"


def test_a_certificate_that_another_server_of_the_port_takes_is_none_here(site: Site) -> None:
    folder = site.centre.folder / "two"
    folder.mkdir()
    theirs = Authority(folder, "Another")
    nginx = CentralNginx(folder / "n", site.centre.socket, site.authority.certificate)
    shipped = folder / "n" / "site.conf"
    other = OTHER.format(port=nginx.port, pair=theirs.issue("another.example"), authority=theirs.certificate)
    # Ahead of ours, as in a directory that is read by the alphabet: of equals, the first is the default.
    shipped.write_text(other + shipped.read_text())
    with nginx:
        pair = theirs.issue("clinic-7")
        answers = {name: _status(nginx, name, pair) for name in ("", "another.example", "receiver.example")}
    assert answers == {"": b"403", "another.example": b"421", "receiver.example": b"403"}


def _status(nginx: CentralNginx, name: str, pair: Pair) -> bytes:
    """The status of a request for receipts, over a handshake that names `name`, with a client certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(pair.certificate, pair.key)
    with (
        socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as line,
        context.wrap_socket(line, server_hostname=name or None) as secured,
    ):
        secured.sendall(REQUEST)
        return secured.recv(4096).split(b" ")[1]
