"""What the settings say of certificates reaches the door."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from appliance.config import ScpSection
from appliance.config.settings import PeerEntry
from appliance.scp.certificate import ClientCertificate
from appliance.scp.main import _allow_list, _listeners
from appliance.scp.pdu import Titles
from pki import profiles
from pki.authority import create
from tests.partners.ports import free_ports

NOW = dt.datetime.now(dt.UTC)
PINNED, OTHER = "a" * 64, "b" * 64


def test_a_peers_certificates_are_held_against_what_is_shown() -> None:
    rules = _allow_list(ScpSection(peers=(PeerEntry(ae_title="CT1", certificate_sha256=(PINNED,)),)))
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
    plain, shaken = _listeners(scp)
    plain.sock.close()
    shaken.sock.close()
    assert plain.tls is None and shaken.tls is not None
    context = shaken.tls.context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF
    assert context.cert_store_stats()["crl"] == 1
