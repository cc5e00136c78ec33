"""Certificate signing requests (PKCS #10): the key comes from a stranger, and names only as suggestions."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki import keys
from pki.errors import Refused

LONGEST_BYTES = 64 * 1024
# What the parser raises for what is no request, or has parts that nobody uses.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is taken over of a request: the key, and the host names and addresses it would like to have."""

    public_key: keys.PublicKey
    dns: tuple[str, ...]
    addresses: tuple[str, ...]


def read(data: bytes) -> Request:
    """Read a request in PEM or DER. Raises Refused for what is none, is not signed by its own key, or has a weak key.

    Extensions other than the names are not even looked at: authority bits or usages cannot be asked for.
    """
    if len(data) > LONGEST_BYTES:
        raise Refused(f"the request has {len(data)} bytes", hint=f"a request has less than {LONGEST_BYTES}")
    hint = "make a new one, such as: openssl req -new -key KEY -subj /CN=NAME"
    try:
        pem = data.lstrip().startswith(b"-----")
        found = x509.load_pem_x509_csr(data) if pem else x509.load_der_x509_csr(data)
        signed = found.is_signature_valid
        public_key = keys.acceptable(found.public_key())
        dns, addresses = _names(found)
    except UNREADABLE as error:
        raise Refused(f"the request cannot be read: {error}", hint=hint) from None
    if not signed:
        raise Refused("the request is not signed by the key that it is for", hint=hint)
    return Request(public_key, dns, addresses)


def _names(request: x509.CertificateSigningRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    return (
        tuple(found.get_values_for_type(x509.DNSName)),
        tuple(str(one) for one in found.get_values_for_type(x509.IPAddress)),
    )
