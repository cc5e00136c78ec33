"""What a client's certificate says of it, and the allow-list's use of that."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from appliance.scp.access import AllowList, Peer
from appliance.scp.certificate import ClientCertificate, read_certificate
from appliance.scp.pdu import Titles
from pki import profiles
from pki.authority import Authority, common_name, create

NOW = dt.datetime.now(dt.UTC)
HERE = "192.0.2.7"
MINE = "a" * 64


def titles(calling: str) -> Titles:
    return Titles(calling, "APPLIANCE")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create("Clinic 7", now=NOW)


def der(authority: Authority, order: profiles.Order) -> bytes:
    return authority.issue(order, now=NOW).certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("title", ["CT1", "CT 1", "A%B/C:D"])
def test_a_modalitys_certificate_names_its_title_and_address(authority: Authority, title: str) -> None:
    found = read_certificate(der(authority, profiles.modality(title, addresses=[HERE], key_type="p256")))
    assert found.ae_titles == (title,) and found.addresses == (HERE,) and len(found.fingerprint) == 64


def test_a_servers_own_addresses_bind_no_caller(authority: Authority) -> None:
    found = read_certificate(der(authority, profiles.server("pacs.example", addresses=["10.0.0.1"], both=True)))
    assert found.ae_titles == () and found.addresses == ()


def test_what_cannot_be_read_is_for_nobody() -> None:
    found = read_certificate(b"\x30\x03\x02\x01\x05")
    assert not found.is_for("CT1") and not found.is_for("")


@pytest.mark.parametrize("names", ["3004a3023000", "30057a7a"])  # an X.400 address; rubbish
def test_a_certificate_whose_names_cannot_be_read_is_for_nobody(authority: Authority, names: str) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex(names))
    found = read_certificate(_signed(authority, strange))
    assert not any(found.is_for(title) for title in ("CT1", ""))


def test_a_boxs_certificate_for_the_centre_opens_no_dicom_door(authority: Authority) -> None:
    found = read_certificate(der(authority, profiles.box("clinic-8", "0" * 64)))
    assert not any(found.is_for(title) for title in ("CT1", "CLINIC-8", ""))


@pytest.mark.parametrize("uris", [["urn:dicom-edge:ae:"], ["urn:dicom-edge:ae:CT1"]])
def test_a_caller_without_a_title_is_nobody_a_certificate_names(authority: Authority, uris: list[str]) -> None:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
    assert not read_certificate(_signed(authority, names)).is_for("")


def _signed(authority: Authority, names: x509.ExtensionType) -> bytes:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name("x"))
        .issuer_name(authority.certificate.subject)
        .public_key(authority.key.public_key())
        .serial_number(5)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("certificate", "calling", "address", "admitted"),
    [
        (ClientCertificate(MINE, ("CT1",), (HERE,)), "CT1", HERE, True),
        (ClientCertificate(MINE, ("CT1",), (HERE,)), "CT2", HERE, False),
        (ClientCertificate(MINE, ("CT1",), (HERE,)), "CT1", "192.0.2.8", False),
        (ClientCertificate(MINE, ("CT1",)), "CT1", "192.0.2.8", True),
        (ClientCertificate(MINE), "PINNED", HERE, True),
        (ClientCertificate("b" * 64), "PINNED", HERE, False),
        (None, "PINNED", HERE, False),
        (None, "OTHER", HERE, True),
    ],
)
def test_title_address_and_certificate_belong_together(
    certificate: ClientCertificate | None, calling: str, address: str, admitted: bool
) -> None:
    rules = AllowList("APPLIANCE", (Peer("PINNED", HERE, certificates=(MINE,)),), accept_unknown=True)
    admission = rules.decide(titles(calling), address, certificate)
    assert (admission.peer is not None) == admitted == (admission.reason == "")


def test_of_several_entries_the_one_whose_certificate_is_shown_counts() -> None:
    peers = (Peer("CT1", certificates=("b" * 64,), assumed_charset="gbk"), Peer("CT1", certificates=(MINE,)))
    admission = AllowList("APPLIANCE", peers, accept_unknown=False).decide(titles("CT1"), HERE, ClientCertificate(MINE))
    assert admission.peer is peers[1]
