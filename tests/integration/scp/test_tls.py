"""DICOM over TLS: handshakes happen aside, so that a silent client holds nobody up."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest

from appliance.tls import server_context
from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import open_door
from tests.partners import dcmtk
from tests.partners.raw_scu import EXPLICIT, Aborted, RawScu
from tests.waiting import wait_until

HOST = "127.0.0.1"


@pytest.fixture
def server(pair: tuple[Path, Path]) -> ssl.SSLContext:
    return server_context(pair[0], pair[1], None, require_client=False)


@pytest.fixture
def client(pair: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pair[0]))


def test_store_and_echo_over_tls(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    with open_door(tls=server) as door:
        assert door.tls_port is not None
        contexts = ((CT, (EXPLICIT,)),)
        with RawScu(HOST, door.tls_port, contexts=contexts, tls=client) as scu:
            data = bytes(range(256)) * 8000
            assert scu.store(CT, "1.2.3", EXPLICIT, data) == 0
            assert door.ingest.received[0].data == data


def test_echoscu_over_tls(server: ssl.SSLContext, pair: tuple[Path, Path]) -> None:
    with open_door(tls=server) as door:
        assert door.tls_port is not None
        peer = dcmtk.Peer(door.tls_port)
        dcmtk.echoscu(peer, "+tla", "-ic")


def test_silent_tls_clients_hold_nobody_up(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    with open_door(tls=server, tls_timeout=0.5) as door:
        assert door.tls_port is not None
        silent = [socket.create_connection((HOST, door.tls_port), 5) for _ in range(5)]
        begun = time.monotonic()
        with RawScu(HOST, door.port) as scu:
            assert scu.echo() == 0
        with RawScu(HOST, door.tls_port, tls=client) as scu:
            assert scu.echo() == 0
        assert time.monotonic() - begun < 2
        for sock in silent:
            sock.settimeout(5)
            assert sock.recv(1) == b""
            sock.close()
        wait_until(lambda: door.server.waiting == 0)


def test_plain_dicom_on_the_tls_port_is_closed(server: ssl.SSLContext) -> None:
    with open_door(tls=server) as door:
        assert door.tls_port is not None
        done = dcmtk.echoscu(dcmtk.Peer(door.tls_port), check=False)
        assert done.returncode != 0
        wait_until(lambda: door.server.waiting == 0)


def test_a_drain_says_goodbye_inside_the_session(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    with open_door(tls=server) as door:
        assert door.tls_port is not None
        scu = RawScu(HOST, door.tls_port, tls=client).open()
        assert door.server.drain(0.0)
        with pytest.raises(Aborted) as caught:
            scu.read_pdu()
        assert caught.value.codes == (0, 0)
        scu.close()
