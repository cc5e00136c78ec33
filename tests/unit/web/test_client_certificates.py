"""Client certificates: whom one stands for, by fingerprint and by names that an authority has signed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.access.roles import PERMISSIONS, Role
from appliance.errors import ConfigurationError
from appliance.web.authenticators import BadProof, BearerToken, Known, Proof
from appliance.web.client_certificates import ClientCertificate, Holders, load_holders
from tests.clocks import FakeClock
from tests.unit.web.doors import door

KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("clinic", "another")}


def certificate(common: str, *uris: str, by: str = "clinic") -> x509.Certificate:
    """A client's certificate, signed by one of two authorities."""
    now, key = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder().subject_name(name_of(common)).issuer_name(name_of(by)).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1))
    if uris:
        others = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        made = made.add_extension(others, critical=False)
    return made.sign(KEYS[by], hashes.SHA256())


def authority(name: str = "clinic") -> x509.Certificate:
    """The certificate of an authority; both have the same name, as an impostor would see to."""
    now, key = dt.datetime.now(dt.UTC), KEYS[name]
    made = x509.CertificateBuilder().subject_name(name_of("clinic")).issuer_name(name_of("clinic"))
    made = made.public_key(key.public_key()).serial_number(1).not_valid_before(now)
    return made.not_valid_after(now + dt.timedelta(hours=1)).sign(key, hashes.SHA256())


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def pem(shown: x509.Certificate) -> str:
    """As nginx hands it over ($ssl_client_escaped_cert)."""
    return quote(shown.public_bytes(serialization.Encoding.PEM).decode())


def digest(shown: x509.Certificate) -> str:
    return shown.fingerprint(hashes.SHA256()).hex()


def test_an_ae_title_a_site_and_a_common_name_are_names() -> None:
    holders = Holders({"CT 1": Role.MACHINE, "clinic-7": Role.VIEWER, "probe.local": Role.MONITOR}, [authority()])
    modality = holders.find(certificate("AE CT 1", "urn:dicom-edge:ae:CT%201"))
    assert modality is not None
    assert (modality.name, modality.permissions) == ("CT 1", PERMISSIONS[Role.MACHINE])
    box = holders.find(certificate("clinic-7", "urn:dicom-edge:site:clinic-7", "urn:dicom-edge:machine:00"))
    assert box is not None
    assert (box.name, box.permissions) == ("clinic-7", PERMISSIONS[Role.VIEWER])
    probe = holders.find(certificate("probe.local"))
    assert probe is not None
    assert probe.permissions == PERMISSIONS[Role.MONITOR]
    for stranger in (certificate("CT 2"), certificate("x", "urn:other:CT%201"), certificate("ct 1")):
        assert holders.find(stranger) is None


def test_a_name_that_another_authority_has_signed_is_nobodys() -> None:
    holders = Holders({"CT 1": Role.MACHINE}, [authority()])
    assert holders.find(certificate("CT 1")) is not None
    assert holders.find(certificate("CT 1", by="another")) is None
    assert Holders({"CT 1": Role.MACHINE}, [authority("another"), authority()]).find(certificate("CT 1")) is not None


def test_a_fingerprint_is_one_certificate() -> None:
    one, other = certificate("CT 1"), certificate("CT 1")
    found = Holders({digest(one): Role.MACHINE}).find(one)
    assert found is not None
    assert (found.name, found.subject) == ("CT 1", f"certificate:{digest(one)}")
    assert Holders({digest(one): Role.MACHINE}).find(other) is None


def test_what_nginx_did_not_take_proves_nothing(clock: FakeClock) -> None:
    shown = certificate("CT 1")
    way = ClientCertificate(Holders({digest(shown): Role.MACHINE}), Known(clock.monotonic))
    assert way.identify(Proof(verify="SUCCESS", certificate=pem(shown))) is not None
    for verify in ("", "NONE"):
        assert way.identify(Proof(verify=verify, certificate=pem(shown))) is None
    for proof in (
        Proof(verify="FAILED:certificate revoked", certificate=pem(shown)),
        Proof(verify="success", certificate=pem(shown)),
        Proof(verify="SUCCESS", certificate=""),
        Proof(verify="SUCCESS", certificate="%ff"),
    ):
        with pytest.raises(BadProof):
            way.identify(proof)


def test_what_is_remembered_of_certificates_is_not_taken_for_a_token(tmp_path: Path, clock: FakeClock) -> None:
    shown = certificate("CT 1")
    with door(tmp_path) as (_, book, _):
        way = ClientCertificate(Holders({digest(shown): Role.MACHINE}), Known(clock.monotonic))
        assert way.identify(Proof(verify="SUCCESS", certificate=pem(shown))) is not None
        with pytest.raises(BadProof):
            BearerToken(book.tokens, Known(clock.monotonic)).identify(Proof(authorization=f"Bearer {pem(shown)}"))


def test_a_file_of_authorities_must_be_one(tmp_path: Path) -> None:
    place = tmp_path / "ca.pem"
    assert load_holders({}, place) is None
    for content in (None, b"", b"no certificate"):
        if content is not None:
            place.write_bytes(content)
        with pytest.raises(ConfigurationError, match="tls_ca"):
            load_holders({"CT 1": Role.MACHINE}, place)
    place.write_bytes(authority().public_bytes(serialization.Encoding.PEM))
    holders = load_holders({"CT 1": Role.MACHINE}, place)
    assert holders is not None
    assert holders.find(certificate("CT 1")) is not None
