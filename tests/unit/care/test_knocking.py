"""As whom, and where, the box's own door can be knocked at from this machine."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from appliance.care import knocking
from appliance.care.knocking import SELF, caller, doors
from appliance.config import Settings
from tests.builders.certificates import Authority

HERE, ELSEWHERE = "127.0.0.1", "192.168.7.0/24"


def settings(**scp: Any) -> Settings:
    return Settings.model_validate({"scp": scp})


@pytest.mark.parametrize(
    ("scp", "wished", "calling"),
    [
        ({}, "", SELF),
        ({"accept_unknown": False}, "", ""),
        ({"accept_unknown": False, "peers": [{"ae_title": "CT1"}]}, "", "CT1"),
        ({"accept_unknown": False, "peers": [{"ae_title": "CT1", "address": ELSEWHERE}]}, "", ""),
        ({"accept_unknown": False, "peers": [{"ae_title": "A", "address": ELSEWHERE}, {"ae_title": "B"}]}, "", "B"),
        ({"accept_unknown": False, "peers": [{"ae_title": "CT1", "certificate_sha256": ["ab" * 32]}]}, "", ""),
        ({"accept_unknown": False, "peers": [{"ae_title": "CT1"}, {"ae_title": "CT2"}]}, "CT2", "CT2"),
        ({"accept_unknown": False, "peers": [{"ae_title": "CT1"}]}, "CT9", ""),
        ({"require_called_ae": True}, "", SELF),
    ],
)  # fmt: skip
def test_an_ae_title_that_the_door_lets_in_is_chosen(scp: dict[str, Any], wished: str, calling: str) -> None:
    assert caller(settings(**scp), HERE, wished) == calling


def test_every_port_is_a_door_and_every_network_means_this_machine() -> None:
    scp = {"host": "0.0.0.0", "additional_ports": [104], "tls_port": 2762, "tls_certificate": "/c", "tls_key": "/k"}
    found = doors(settings(**scp))
    assert [door.name for door in found] == ["plain:11112", "plain:104", "tls:2762"]
    assert {door.host for door in found} == {HERE}


def test_a_door_that_shows_another_certificate_is_not_ours(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, other = authority.issue("ours"), authority.issue("other")
    scp = {"tls_port": 1, "tls_certificate": ours.certificate, "tls_key": ours.key}
    settings = Settings.model_validate({"home": tmp_path, "scp": scp})
    for pair, expected in ((ours, nullcontext()), (other, pytest.raises(ssl.SSLCertVerificationError))):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
            answered = pool.submit(_shake, server, context)
            door = knocking.Door("tls", "127.0.0.1", server.getsockname()[1], True)
            with expected:
                knocking.handshake(settings, door)
            answered.result(10)


def _shake(server: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = server.accept()
    with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)
