"""What the authority signs, judged by openssl and by real TLS handshakes."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki import keys, names, profiles
from pki.authority import Authority, Issued, Revoked, create
from pki.constraints import constraints
from pki.errors import Refused
from pki.profiles import Order
from tests.unit.pki.conftest import NOW
from tests.unit.pki.openssl import openssl, verdict

MACHINE = "ab" * 32
ORDERS = {
    "server": profiles.server("pacs.clinic.example", dns=["viewer.clinic.example"], addresses=["10.0.0.7", "fd00::7"]),
    "dicom": profiles.server("pacs.local", addresses=["::1"], both=True),
    "box": profiles.box("clinic-7", MACHINE),
    "modality": profiles.modality("CT.1 (a/b)", addresses=["192.168.1.4"], key_type="p256"),
}


def written(folder: Path, authority: Authority, issued: Issued) -> dict[str, Path]:
    """Write an issued certificate's files and the authority's; return them by name."""
    files = {**issued.files(), "ca.pem": authority.pem}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in files}


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    """One extension's value."""
    return certificate.extensions.get_extension_for_class(kind).value


@pytest.mark.parametrize("name", ORDERS)
def test_openssl_accepts_every_profile_under_its_strictest_rules(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    files = written(tmp_path, authority, authority.issue(ORDERS[name], now=NOW))
    purposes = {"server": ["sslserver"], "dicom": ["sslserver", "sslclient"]}.get(name, ["sslclient"])
    for purpose in purposes:
        assert verdict(files["cert.pem"], files["ca.pem"], "-purpose", purpose) == "OK"


@pytest.mark.parametrize(
    ("name", "purpose"), [("server", "sslclient"), ("box", "sslserver"), ("modality", "sslserver")]
)
def test_a_certificate_serves_for_nothing_else(tmp_path: Path, authority: Authority, name: str, purpose: str) -> None:
    files = written(tmp_path, authority, authority.issue(ORDERS[name], now=NOW))
    assert "unsuitable certificate purpose" in verdict(files["cert.pem"], files["ca.pem"], "-purpose", purpose)


def test_an_authority_signs_end_entities_only(authority: Authority) -> None:
    found = authority.certificate
    assert extension(found, x509.BasicConstraints) == x509.BasicConstraints(ca=True, path_length=0)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
    assert found.not_valid_after_utc - found.not_valid_before_utc > dt.timedelta(days=3650)
    issued = authority.issue(ORDERS["box"], now=NOW).certificate
    assert extension(issued, x509.BasicConstraints) == x509.BasicConstraints(ca=False, path_length=None)
    identifier = extension(found, x509.SubjectKeyIdentifier)
    assert isinstance(identifier, x509.SubjectKeyIdentifier)
    assert extension(issued, x509.AuthorityKeyIdentifier) == authority.identifier
    assert authority.identifier.key_identifier == identifier.digest


def test_openssl_refuses_what_a_leaf_signs(tmp_path: Path, authority: Authority) -> None:
    leaf = authority.issue(ORDERS["dicom"], now=NOW)
    rogue = Authority(leaf.certificate, leaf.key).issue(ORDERS["box"], now=NOW)
    files = written(tmp_path, authority, rogue)
    found = openssl("verify", "-CAfile", files["ca.pem"], "-untrusted", files["chain.pem"], files["cert.pem"])
    assert found.returncode != 0 and "invalid CA certificate" in found.stderr


def test_a_stolen_authority_cannot_speak_for_the_world(tmp_path: Path, authority: Authority) -> None:
    unconfined = Authority(authority.certificate, authority.key)
    bank = Order("server", "www.bank.example", "p256", 90, dns=("www.bank.example",))
    with pytest.raises(Refused, match=r"www\.bank\.example is outside"):
        unconfined.issue(bank, now=NOW)
    elsewhere = Order("server", "pacs.local", "p256", 90, addresses=("192.0.2.7",))
    with pytest.raises(Refused, match=r"192\.0\.2\.7 is outside"):
        unconfined.issue(elsewhere, now=NOW)
    forged = _signed_without_looking(authority, bank)
    (tmp_path / "cert.pem").write_bytes(forged.public_bytes(keys.PEM))
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    assert "permitted subtree violation" in verdict(tmp_path / "cert.pem", tmp_path / "ca.pem")


def _signed_without_looking(authority: Authority, order: Order) -> x509.Certificate:
    free = create("Clinic 7", now=NOW)
    shape = free.issue(order, now=NOW).certificate
    builder = x509.CertificateBuilder(
        issuer_name=authority.certificate.subject,
        subject_name=shape.subject,
        public_key=shape.public_key(),
        serial_number=shape.serial_number,
        not_valid_before=shape.not_valid_before_utc,
        not_valid_after=shape.not_valid_after_utc,
        extensions=[one for one in shape.extensions if not isinstance(one.value, x509.AuthorityKeyIdentifier)],
    ).add_extension(authority.identifier, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def test_an_authority_without_constraints_certifies_any_name() -> None:
    free = create("Any", now=NOW)
    issued = free.issue(profiles.server("www.bank.example", addresses=["192.0.2.7"]), now=NOW)
    assert common_name(issued.certificate) == "www.bank.example"


def test_further_domains_and_networks_are_taken_up() -> None:
    wide = create("Wide", now=NOW, confined=constraints(["b.example"], ["192.0.2.0/24", "2001:db8::/32"]))
    order = profiles.server("a.b.example", addresses=["192.0.2.7", "2001:db8::7"])
    assert common_name(wide.issue(order, now=NOW).certificate) == "a.b.example"
    for name in ("ab.example", "notb.example", "example"):
        with pytest.raises(Refused):
            wide.issue(profiles.server(name), now=NOW)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=16
    )
)
def test_every_ae_title_makes_a_certificate_that_names_it_and_that_no_site_is_called(
    authority: Authority, title: str
) -> None:
    if not title.strip():
        return
    order = profiles.modality(title, addresses=["192.168.1.4"], key_type="p256")
    found = authority.issue(order, now=NOW).certificate
    alternative = extension(found, x509.SubjectAlternativeName)
    assert isinstance(alternative, x509.SubjectAlternativeName)
    (uri,) = alternative.get_values_for_type(x509.UniformResourceIdentifier)
    assert names.ae_of(uri) == title.strip(" ")
    with pytest.raises(Refused):
        names.site_id(common_name(found))


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name."""
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


@pytest.mark.parametrize("host", ["clinic-7", "pacs", "clinic-7.clinic.example"])
def test_no_server_is_called_like_a_site_but_a_box_is(authority: Authority, host: str) -> None:
    wide = create("Any", now=NOW)
    found = wide.issue(profiles.server(host, both=True), now=NOW).certificate
    with pytest.raises(Refused):
        names.site_id(common_name(found))
    assert common_name(authority.issue(ORDERS["box"], now=NOW).certificate) == "clinic-7"


def test_a_box_names_its_site_and_its_machine(authority: Authority) -> None:
    found = extension(authority.issue(ORDERS["box"], now=NOW).certificate, x509.SubjectAlternativeName)
    assert isinstance(found, x509.SubjectAlternativeName)
    assert [one.value for one in found] == ["urn:dicom-edge:site:clinic-7", f"urn:dicom-edge:machine:{MACHINE}"]


@pytest.mark.parametrize(
    ("order", "days", "kind"),
    [
        (profiles.server("pacs.local"), 397, "EC secp256r1"),
        (profiles.box("clinic-7", MACHINE), 397, "EC secp256r1"),
        (profiles.modality("CT1", addresses=["10.0.0.1"]), 3650, "RSA 3072"),
        (profiles.server("pacs.local", days=825, key_type="p384"), 825, "EC secp384r1"),
    ],
)
def test_lifetime_and_key_follow_the_profile(authority: Authority, order: Order, days: int, kind: str) -> None:
    issued = authority.issue(order, now=NOW)
    assert issued.certificate.not_valid_after_utc == NOW + dt.timedelta(days=days)
    assert issued.certificate.not_valid_before_utc == authority.certificate.not_valid_before_utc
    assert keys.described(issued.key) == kind


@pytest.mark.parametrize(
    ("profile", "days"), [("server", 826), ("server", 0), ("box", 826), ("modality", 3651), ("modality", -1)]
)
def test_no_certificate_lives_too_long(profile: str, days: int) -> None:
    makers = {
        "server": lambda: profiles.server("pacs.local", days=days),
        "box": lambda: profiles.box("clinic-7", MACHINE, days=days),
        "modality": lambda: profiles.modality("CT1", addresses=["10.0.0.1"], days=days),
    }
    with pytest.raises(Refused, match="cannot last"):
        makers[profile]()


def test_nothing_outlives_its_authority(authority: Authority) -> None:
    end = authority.certificate.not_valid_after_utc
    late = authority.issue(ORDERS["modality"], now=end - dt.timedelta(days=30)).certificate
    assert late.not_valid_after_utc == end
    for moment in (end, authority.certificate.not_valid_before_utc - dt.timedelta(seconds=1)):
        with pytest.raises(Refused, match="the authority is valid from"):
            authority.issue(ORDERS["box"], now=moment)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP192R1()),
        ed25519.Ed25519PrivateKey.generate(),
        dsa.generate_private_key(1024),
        rsa.generate_private_key(3, 2048),
    ],
    ids=["short", "curve", "ed25519", "dsa", "exponent"],
)
def test_weak_and_strange_keys_are_not_signed(authority: Authority, key: object) -> None:
    with pytest.raises(Refused, match="is not signed"):
        authority.sign(ORDERS["box"], key.public_key(), now=NOW)  # type: ignore[attr-defined]


@pytest.mark.parametrize("key_type", ["p256", "p384", "rsa3072"])
def test_every_kind_of_authority_signs_certificates_and_lists(tmp_path: Path, key_type: str) -> None:
    other = create("Other", now=NOW, key_type=key_type)
    issued = other.issue(ORDERS["box"], now=NOW)
    files = written(tmp_path, other, issued)
    crl = tmp_path / "crl.pem"
    for revoked, expected in ([], "OK"), ([Revoked(issued.certificate.serial_number, NOW, "superseded")], "revoked"):
        found = other.revocation_list(revoked, number=7, now=NOW)
        crl.write_bytes(found.public_bytes(serialization.Encoding.PEM))
        assert expected in verdict(files["cert.pem"], files["ca.pem"], "-crl_check", "-CRLfile", crl)
    said = openssl("crl", "-noout", "-text", "-in", crl).stdout
    assert "Superseded" in said and "X509v3 CRL Number" in said


def test_an_expired_list_and_one_of_a_stranger_are_refused(tmp_path: Path, authority: Authority) -> None:
    files = written(tmp_path, authority, authority.issue(ORDERS["box"], now=NOW))
    crl = tmp_path / "crl.pem"
    old = authority.revocation_list([], number=1, now=NOW - dt.timedelta(hours=3), days=0)
    crl.write_bytes(old.public_bytes(serialization.Encoding.PEM))
    assert "CRL has expired" in verdict(files["cert.pem"], files["ca.pem"], "-crl_check", "-CRLfile", crl)
    strange = create("Clinic 7", now=NOW).revocation_list([], number=1, now=NOW)
    crl.write_bytes(strange.public_bytes(serialization.Encoding.PEM))
    assert verdict(files["cert.pem"], files["ca.pem"], "-crl_check", "-CRLfile", crl) != "OK"


def shake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Let the two greet each other in memory; return the server's side. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up, server_hostname=host)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


def contexts(folder: Path, authority: Authority, client: Order) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that wants client certificates, checked against a list, and a client that shows one."""
    (folder / "server").mkdir()
    (folder / "client").mkdir()
    own = written(folder / "server", authority, authority.issue(ORDERS["server"], now=NOW))
    issued = authority.issue(client, now=NOW)
    theirs = written(folder / "client", authority, issued)
    crl = authority.revocation_list([], number=1, now=NOW)
    (folder / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(own["ca.pem"]))
    server.load_verify_locations(folder / "crl.pem")
    server.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(own["fullchain.pem"], own["key.pem"])
    caller = ssl.create_default_context(cafile=str(theirs["ca.pem"]))
    caller.verify_flags |= ssl.VERIFY_X509_STRICT
    caller.load_cert_chain(theirs["fullchain.pem"], theirs["key.pem"])
    return server, caller


@pytest.mark.parametrize("host", ["pacs.clinic.example", "pacs.local", "viewer.clinic.example", "10.0.0.7", "fd00::7"])
def test_a_browser_accepts_the_server_by_each_of_its_names(tmp_path: Path, authority: Authority, host: str) -> None:
    server, client = contexts(tmp_path, authority, ORDERS["box"])
    peer = shake(server, client, host).getpeercert()
    assert peer is not None and ("URI", "urn:dicom-edge:site:clinic-7") in peer["subjectAltName"]


@pytest.mark.parametrize("host", ["clinic.example", "10.0.0.8", "www.pacs.clinic.example"])
def test_a_browser_accepts_it_by_no_other_name(tmp_path: Path, authority: Authority, host: str) -> None:
    server, client = contexts(tmp_path, authority, ORDERS["box"])
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client, host)


def test_a_server_certificate_is_not_taken_from_a_client(tmp_path: Path, authority: Authority) -> None:
    server, client = contexts(tmp_path, authority, ORDERS["server"])
    with pytest.raises(ssl.SSLError):
        shake(server, client, "pacs.local")
