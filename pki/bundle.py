"""What is carried to another machine: PKCS #12 for consoles, plain files for boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, KeySerializationEncryption, PrivateFormat, pkcs12

from pki import keys

ROUNDS = 50_000


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write PKCS #12: how keys and certificates are encrypted, how the whole is authenticated."""

    cipher: pkcs12.PBES
    digest: Callable[[], hashes.HashAlgorithm]


FORMS: Mapping[str, Form] = {
    "pkcs12": Form(pkcs12.PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256),
    # Windows before 10, Java before 8u301 and many consoles read only this one. It protects badly.
    "pkcs12-legacy": Form(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1),
}


def pkcs12_file(
    form: str, name: str, key: keys.Issuing, certificate: x509.Certificate, issuer: x509.Certificate, passphrase: bytes
) -> bytes:
    """Return key, certificate and authority in one file; `form` is one of FORMS, `name` what the console shows."""
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, [issuer], _encryption(FORMS[form], passphrase)
    )


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate in the binary form that some consoles want of the authority."""
    return certificate.public_bytes(Encoding.DER)


def _encryption(form: Form, passphrase: bytes) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    return builder.key_cert_algorithm(form.cipher).hmac_hash(form.digest()).build(passphrase)
