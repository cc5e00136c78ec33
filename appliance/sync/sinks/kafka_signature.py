"""The site's signature under a record's value: tells a reader of a shared topic which site wrote it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from appliance.sync.sinks.contract import Misconfigured

Sign = Callable[[bytes], bytes]

HINT = "signature_key_file must be an unencrypted PEM file, ECDSA P-256 or Ed25519, readable by the service"


class Signer:
    """Signs values with one private key: Ed25519, or ECDSA on P-256 with SHA-256 (the signature in DER)."""

    def __init__(self, sign: Sign) -> None:
        """Take what turns a value into the bytes of its signature."""
        self._sign = sign

    def header(self, value: bytes) -> bytes:
        """Return the detached signature of `value`: base64url without padding, in ASCII."""
        return base64.urlsafe_b64encode(self._sign(value)).rstrip(b"=")


def load_signer(path: Path) -> Signer:
    """Read the site's private key. Raises Misconfigured, which names the file and never its content."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise Misconfigured(f"the signature key {path} cannot be read: {error.strerror}", hint=HINT) from None
    except (ValueError, TypeError):
        raise Misconfigured(f"the signature key {path} cannot be used", hint=HINT) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(key.sign)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        curve_key = key
        return Signer(lambda value: curve_key.sign(value, ec.ECDSA(hashes.SHA256())))
    raise Misconfigured(f"the signature key {path} is of another type", hint=HINT)
