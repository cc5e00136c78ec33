"""Detached signatures under records and receipts: Ed25519, or ECDSA on P-256 with SHA-256 (the signature in DER).

They travel as base64url without padding, in ASCII.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from appliance.errors import ConfigurationError

_PUBLIC_KEY = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----\s*", re.DOTALL)

PRIVATE_HINT = "it must be an unencrypted PEM file, ECDSA P-256 or Ed25519, readable by the service"
PUBLIC_HINT = "it must be a public key in PEM, ECDSA P-256 or Ed25519: appliance-pki issue signing writes one"


class Signer:
    """Signs values with one private key."""

    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        """Take what turns a value into the bytes of its signature."""
        self._sign = sign

    def header(self, value: bytes) -> bytes:
        """Return the detached signature of `value` as it travels."""
        return base64.urlsafe_b64encode(self._sign(value)).rstrip(b"=")


class Verifier:
    """Checks signatures against one public key."""

    def __init__(self, verify: Callable[[bytes, bytes], None]) -> None:
        """Take what raises InvalidSignature unless (signature, value) fit."""
        self._verify = verify

    def holds(self, value: bytes, header: bytes) -> bool:
        """Say whether `header` is this key's signature of `value`; nonsense is none."""
        try:
            signature = base64.b64decode(header + b"=" * (-len(header) % 4), altchars=b"-_", validate=True)
            self._verify(signature, value)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def load_signer(path: Path) -> Signer:
    """Read a private key. Raises ConfigurationError, which names the file and never its content."""
    try:
        key = serialization.load_pem_private_key(_content(path, PRIVATE_HINT), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"the signature key {path} cannot be used", hint=PRIVATE_HINT) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(key.sign)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        curve_key = key
        return Signer(lambda value: curve_key.sign(value, ec.ECDSA(hashes.SHA256())))
    raise ConfigurationError(f"the signature key {path} is of another type", hint=PRIVATE_HINT)


def load_verifier(path: Path) -> Verifier:
    """Read a public key. Raises ConfigurationError, which names the file."""
    try:
        return verifier(_content(path, PUBLIC_HINT))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}", hint=PUBLIC_HINT) from None


def load_verifiers(path: Path) -> tuple[Verifier, ...]:
    """Read a file with public keys, several while one is being exchanged. Raises ConfigurationError."""
    keys = _PUBLIC_KEY.findall(_content(path, PUBLIC_HINT))
    if not keys:
        raise ConfigurationError(f"{path} holds no public key", hint=PUBLIC_HINT)
    try:
        return tuple(verifier(key) for key in keys)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}", hint=PUBLIC_HINT) from None


def verifier(pem: bytes) -> Verifier:
    """Make a verifier of a public key in PEM. Raises ConfigurationError."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError("this is no public key", hint=PUBLIC_HINT) from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Verifier(key.verify)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        curve_key = key
        return Verifier(lambda signature, value: curve_key.verify(signature, value, ec.ECDSA(hashes.SHA256())))
    raise ConfigurationError("this public key is of another type", hint=PUBLIC_HINT)


def _content(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the key {path} cannot be read: {error.strerror}", hint=hint) from None
