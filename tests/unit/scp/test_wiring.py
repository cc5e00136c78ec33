"""What the settings say of certificates reaches the door."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from appliance.config import ScpSection
from appliance.config.settings import PeerEntry
from appliance.errors import ConfigurationError
from appliance.scp.certificate import ClientCertificate
from appliance.scp.listeners import Listener
from appliance.scp.main import _allow_list, _listeners
from appliance.scp.pdu import Titles
from pki import profiles
from pki.authority import create
from tests.partners.ports import free_ports

NOW = dt.datetime.now(dt.UTC)
PINNED, OTHER = "a" * 64, "b" * 64


def test_a_peers_certificates_are_held_against_what_is_shown() -> None:
    rules = _allow_list(ScpSection(peers=(PeerEntry(ae_title="CT1", certificate_sha256=(PINNED,)),)), ["192.0.2.1"])
    titles = Titles("CT1", "APPLIANCE")
    assert rules.decide(titles, "192.0.2.7", ClientCertificate(PINNED)).peer is not None
    assert rules.decide(titles, "192.0.2.7", ClientCertificate(OTHER)).peer is None
    assert rules.decide(titles, "192.0.2.7").peer is None


def test_authorities_and_list_are_asked_of_the_tls_port_alone(tmp_path: Path) -> None:
    authority = create("Clinic 7", now=NOW)
    door = authority.issue(profiles.server("localhost"), now=NOW).files()
    listed = authority.revocation_list([], number=1, now=NOW)
    content = {
        "door.crt": door["fullchain.pem"],
        "door.key": door["key.pem"],
        "ca.pem": authority.pem,
        "crl.pem": listed.public_bytes(serialization.Encoding.PEM),
    }
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    certificate, key, ca, crl = (tmp_path / name for name in content)
    port, tls_port = free_ports(2)
    scp = ScpSection(
        port=port, tls_port=tls_port, tls_certificate=certificate, tls_key=key, tls_ca=ca, tls_crl=crl
    )  # fmt: skip
    plain, shaken = _listeners(scp, {})
    plain.sock.close()
    shaken.sock.close()
    assert plain.tls is None and shaken.tls is not None
    context = shaken.tls.context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF
    assert context.cert_store_stats()["crl"] == 1


def test_every_port_of_the_configuration_is_opened() -> None:
    ports = free_ports(3)
    listeners = _listeners(ScpSection(port=ports[0], additional_ports=tuple(ports[1:])), {})
    assert _closed(listeners) == ports


def test_sockets_that_were_handed_over_stand_for_the_ports_of_the_configuration() -> None:
    handed = {"dicom": [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]}
    ports = [sock.getsockname()[1] for sock in handed["dicom"]]
    listeners = _listeners(ScpSection(port=free_ports(1)[0]), handed)
    assert _closed(listeners) == ports


@pytest.mark.parametrize("name", ["dicom", "dicom-tls"])
def test_beside_sockets_that_were_handed_over_no_port_is_opened(tmp_path: Path, name: str) -> None:
    door = create("Clinic 7", now=NOW).issue(profiles.server("localhost"), now=NOW).files()
    for file in ("fullchain.pem", "key.pem"):
        (tmp_path / file).write_bytes(door[file])
    port, tls_port = free_ports(2)
    scp = ScpSection(
        port=port, tls_port=tls_port, tls_certificate=tmp_path / "fullchain.pem", tls_key=tmp_path / "key.pem"
    )
    handed = {name: [socket.create_server(("127.0.0.1", 0))]}
    expected = handed[name][0].getsockname()[1]
    listeners = _listeners(scp, handed)
    assert [listener.tls is not None for listener in listeners] == [name == "dicom-tls"]
    assert _closed(listeners) == [expected]


def test_a_socket_of_another_name_is_an_error_and_leaves_nothing_open() -> None:
    handed = {name: [socket.create_server(("127.0.0.1", 0))] for name in ("dicom", "unknown")}
    with pytest.raises(ConfigurationError, match="unknown") as caught:
        _listeners(ScpSection(), handed)
    assert "FileDescriptorName=" in caught.value.hint
    assert all(sock.fileno() == -1 for sockets in handed.values() for sock in sockets)


def test_a_tls_socket_without_a_certificate_is_an_error_and_leaves_nothing_open() -> None:
    handed = {name: [socket.create_server(("127.0.0.1", 0))] for name in ("dicom", "dicom-tls")}
    with pytest.raises(ConfigurationError, match=r"scp\.tls_certificate") as caught:
        _listeners(ScpSection(), handed)
    assert "dicom-edge-scp-tls.socket" in caught.value.hint
    assert all(sock.fileno() == -1 for sockets in handed.values() for sock in sockets)


def test_a_port_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        ScpSection(port=11112, additional_ports=(104, 11112))


@pytest.mark.parametrize(
    ("addresses", "welcome"),
    [
        (["127.0.0.1"], True),
        (["127.0.0.1", "::1"], True),
        (["127.0.0.1", "0.0.0.0"], False),
        (["0.0.0.0", "127.0.0.1"], False),
        (["::"], False),
        (["::1", "fe80::1%eth0"], False),
    ],
)
def test_strangers_are_judged_by_the_addresses_that_are_really_listened_on(addresses: list[str], welcome: bool) -> None:
    rules = _allow_list(ScpSection(), addresses)
    assert (rules.decide(Titles("CT1", "APPLIANCE"), "192.0.2.7").peer is not None) is welcome


def _closed(listeners: Sequence[Listener]) -> list[int]:
    """Close them; return their ports."""
    ports = [listener.port for listener in listeners]
    for listener in listeners:
        listener.sock.close()
    return ports
