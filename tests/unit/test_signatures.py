"""Public keys of one file: several while one is being exchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from appliance.errors import ConfigurationError
from appliance.signatures import load_signer, load_verifiers, verifier

RARE = b"""-----BEGIN PUBLIC KEY-----
ME4wEAYHKoZIzj0CAQYFK4EEACADOgAEvCZ2b7QcdYnj3v06bXc+K4xs3bPuCXjb
lTGA/Zs4cnWAGWMsmXs1ZbJusufhRBRiwHNqOZXGjuE=
-----END PUBLIC KEY-----
"""  # secp224k1

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def public(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signature(key: Private, folder: Path, value: bytes) -> bytes:
    path = folder / "private.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return load_signer(path).header(value)


def test_each_key_of_a_file_counts_with_comments_between(tmp_path: Path) -> None:
    keys: list[Private] = [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())]
    path = tmp_path / "receiver.pem"
    path.write_bytes(b"# old\n" + public(keys[0]).replace(b"\n", b"\r\n") + b"# new\n" + public(keys[1]).rstrip())
    verifiers = load_verifiers(path)
    for number, key in enumerate(keys):
        signed = signature(key, tmp_path, b"text")
        assert [one.holds(b"text", signed) for one in verifiers] == [number == 0, number == 1]
        assert not any(one.holds(b"other", signed) for one in verifiers)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"key"])
def test_a_file_without_a_usable_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "receiver.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"receiver\.pem"):
        load_verifiers(path)


def test_one_unusable_key_among_good_ones_is_an_error_and_not_passed_by(tmp_path: Path) -> None:
    path = tmp_path / "receiver.pem"
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(public(ed25519.Ed25519PrivateKey.generate()) + public(other))
    with pytest.raises(ConfigurationError):
        load_verifiers(path)


def test_a_key_on_a_curve_that_is_not_known_here_is_an_error_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "rare.pem"
    with pytest.raises(ConfigurationError):
        verifier(RARE)
    path.write_bytes(RARE)
    with pytest.raises(ConfigurationError, match=r"rare\.pem"):
        load_verifiers(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent"):
        load_verifiers(tmp_path / "absent.pem")
