"""Signing requests: the key is theirs, everything else is ours."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from pki import profiles, request
from pki.authority import Authority, common_name
from pki.errors import Refused
from tests.unit.pki.conftest import NOW

KEY = ec.generate_private_key(ec.SECP256R1())


def asked(
    key: object = KEY, *extensions: x509.ExtensionType, form: serialization.Encoding = serialization.Encoding.PEM
) -> bytes:
    """A request of a key, with extensions."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name("anything"))
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(form)  # type: ignore[arg-type]


NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("pacs.clinic.example"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.7")),
        x509.RFC822Name("a@b.example"),
    ]
)


@pytest.mark.parametrize("form", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_key_and_wished_names_are_read(form: serialization.Encoding) -> None:
    found = request.read(asked(KEY, NAMES, form=form))
    assert found.public_key == KEY.public_key()
    assert found.dns == ("pacs.clinic.example",) and found.addresses == ("10.0.0.7",)
    assert request.read(asked()).dns == ()


def test_nothing_but_the_key_gets_into_the_certificate(authority: Authority) -> None:
    greedy = asked(
        KEY,
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CODE_SIGNING]),
        NAMES,
    )
    order = profiles.box("clinic-7", "ab" * 32)
    found = authority.sign(order, request.read(greedy).public_key, now=NOW)
    plain = authority.sign(order, KEY.public_key(), now=NOW)
    assert list(found.extensions) == list(plain.extensions)
    assert found.subject == plain.subject


def test_a_request_signed_by_another_key_is_refused() -> None:
    own, other = (asked(rsa.generate_private_key(65537, 2048), form=serialization.Encoding.DER) for _ in range(2))
    with pytest.raises(Refused, match="not signed by the key"):
        request.read(own[:-256] + other[-256:])


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 1024), ed25519.Ed25519PrivateKey.generate()])
def test_a_weak_or_strange_key_is_refused(key: object) -> None:
    with pytest.raises(Refused, match="is not signed"):
        request.read(asked(key))


def test_parts_that_the_parser_does_not_know_are_refused() -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex("3004a3023000"))
    plain = asked(form=serialization.Encoding.DER)
    for data in (asked(KEY, strange), plain.replace(b"\x02\x01\x00", b"\x02\x01\x05", 1)):
        with pytest.raises(Refused, match="cannot be read"):
            request.read(data)


@given(st.binary(max_size=300))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        request.read(data)
    assert refusal.value.hint


@pytest.mark.parametrize(
    "data", [b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", b"x" * 70_000]
)
def test_broken_and_huge_ones_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        request.read(data)
