"""Certificates for TLS tests: an authority of the moment, and what it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in a directory; valid for an hour."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        """Make its key and certificate; `certificate` is the PEM file to trust."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        signed = _builder(self._name, self._name, self._key).add_extension(constraints, critical=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def itself(self) -> Pair:
        """Return the authority's own certificate with its key: what is signed by nobody else."""
        pair = Pair(self.certificate, self.certificate.with_suffix(".key"))
        plain = serialization.NoEncryption()
        pair.key.write_bytes(self._key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain))
        return pair

    def issue(self, name: str, *, password: bytes | None = None, ends: dt.timedelta = HOUR, file: str = "") -> Pair:
        """Sign a certificate for 127.0.0.1 and localhost; the key is encrypted if there is a password.

        It ends in `ends` from now, which may be over; its files are called `file`, or as the name.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        signed = _builder(_name(name), self._name, key, ends).add_extension(names, critical=False)
        pair = Pair(self._folder / f"{file or name}.crt", self._folder / f"{file or name}.key")
        pair.certificate.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        wrapping = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pair.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, wrapping))
        return pair

    def revoke(self, *pairs: Pair) -> Path:
        """Write a revocation list that names these certificates, for an hour; return its PEM file."""
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        made = made.last_update(now - dt.timedelta(days=1)).next_update(now + HOUR)
        for pair in pairs:
            serial = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number
            gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - HOUR)
            made = made.add_revoked_certificate(gone.build())
        path = self._folder / "revoked.pem"
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        return path


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends: dt.timedelta = HOUR
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + ends)
    )
