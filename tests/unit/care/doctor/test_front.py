"""nginx, asked as a browser asks: a server of TLS in its place."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from appliance.care.doctor import certificates, front
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.builders.certificates import Authority, Pair
from tests.partners.ports import free_ports
from tests.unit.care.doctor.boxes import mended, packaged, put


@contextmanager
def serving(pair: Pair, status: int) -> Iterator[int]:
    """Answer every request with a status; yield the port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.headers["Host"].startswith("box.example") else 599)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def told(tmp_path: Path, pair: Pair, address: str) -> Box:
    """A box whose proxy is told to listen there, and whose room web is this process."""
    found = packaged(tmp_path, {"runtime": tmp_path / "run"})
    put(found, "/etc/pki/web.pem", pair.certificate.read_text())
    put(found, "/etc/pki/web.key", pair.key.read_text())
    text = f"listen {address} ssl http2;\nlisten 127.0.0.1:80;\nserver_name box.example;\n"
    text += "ssl_certificate /etc/pki/web.pem;\nssl_certificate_key /etc/pki/web.key;\n"
    put(found, front.PARTS / "50-installation.conf", text)
    (tmp_path / "run").mkdir()
    facts = {"room": "web", "pid": os.getpid(), "at": time.time_ns() // 1000}
    (tmp_path / "run" / "web.json").write_text(json.dumps(facts))
    return found


@pytest.mark.parametrize(
    ("status", "state", "what", "mend"),
    [
        (200, State.OK, "answer as box.example", ""),
        (421, State.FAULT, "does not know the name box.example", "web.allowed_hosts"),
        (502, State.FAULT, "does not reach room web", "dicom-edge-web.socket"),
        (404, State.FAULT, "404", "nginx -t"),
    ],
)
def test_what_a_browser_would_get(tmp_path: Path, status: int, state: State, what: str, mend: str) -> None:
    pair = Authority(tmp_path).issue("box")
    with serving(pair, status) as port:
        found = told(tmp_path, pair, f"0.0.0.0:{port}")
        (address,) = front.addresses(found)
        mended(front.pages(found, address), state, what, mend)


def test_a_certificate_that_was_renewed_and_not_taken_up(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with serving(authority.issue("old"), 200) as port:
        found = told(tmp_path, authority.issue("new"), f"127.0.0.1:{port}")
        mended(front.pages(found, f"127.0.0.1:{port}"), State.WARNING, "another certificate", "systemctl reload nginx")


def test_nobody_there_and_a_room_that_is_not_to_be_woken(tmp_path: Path) -> None:
    found, port = told(tmp_path, Authority(tmp_path).issue("box"), "127.0.0.1:1"), free_ports(1)[0]
    mended(front.pages(found, f"127.0.0.1:{port}"), State.FAULT, "nobody answers", "systemctl restart nginx")
    (tmp_path / "run" / "web.json").unlink()
    assert front.pages(found, f"127.0.0.1:{port}").state is State.SKIPPED


def test_the_proxys_certificate_must_fit_its_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    found = told(tmp_path, authority.issue("box"), "127.0.0.1:1")
    name = "nginx /etc/pki/web.pem"
    assert name in certificates.named(found)
    put(found, "/etc/pki/web.key", authority.issue("other").key.read_text())
    mended(certificates.certificate(found, name), State.FAULT, "is not the key of", "go together")
