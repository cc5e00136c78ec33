"""Private keys: the kinds we make, the kinds we sign, and their PEM."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki.errors import Damaged, Locked, Refused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
Issuing = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

PEM = serialization.Encoding.PEM
RSA_BITS = range(2048, 8193)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def _rsa(bits: int) -> Callable[[], PrivateKey]:
    return lambda: rsa.generate_private_key(65537, bits)


MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa2048": _rsa(2048),
    "rsa3072": _rsa(3072),
    "rsa4096": _rsa(4096),
}
TYPES = tuple(MAKERS)


def generate(key_type: str) -> Issuing:
    """Return a new private key of one of TYPES."""
    key = MAKERS[key_type]()
    assert not isinstance(key, ed25519.Ed25519PrivateKey)
    return key


def acceptable(key: object) -> PublicKey:
    """Return a public key that may be certified. Raises Refused for short RSA keys, rare curves and other kinds."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS and key.public_numbers().e >= 65537:
        return key
    raise Refused(f"a key of the kind {described(key)} is not signed", hint="use EC P-256 or RSA of 2048 bits or more")


def described(key: object) -> str:
    """Return a key's kind for people, such as `EC secp256r1` or `RSA 3072`."""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey")


def private_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return a key as PKCS #8 in PEM, encrypted if there is a passphrase."""
    wrapping = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, wrapping)


def public_pem(key: PrivateKey) -> bytes:
    """Return the public half in PEM."""
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_der(key: object) -> bytes:
    """Return a public key's canonical bytes, to compare keys by."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]


def is_encrypted(pem: bytes) -> bool:
    """Tell whether a PEM key needs a passphrase."""
    return b"ENCRYPTED" in pem


def load(pem: bytes, passphrase: bytes | None, what: str) -> PrivateKey:
    """Read a private key; `what` names it in errors. Raises Locked or Damaged."""
    encrypted = is_encrypted(pem)
    if encrypted and not passphrase:
        raise Locked(f"{what} is encrypted", hint="give its passphrase: --passphrase-file, or type it when asked")
    try:
        key = serialization.load_pem_private_key(pem, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise Locked(f"the passphrase does not open {what}", hint="check the passphrase and try again") from None
        raise Damaged(f"{what} is not a private key in PEM", hint="restore it from the backup") from None
    if not isinstance(key, PrivateKey):
        raise Damaged(f"{what} is a key of another kind: {described(key)}", hint="restore it from the backup")
    return key
