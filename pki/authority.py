"""The site's certificate authority: signs orders and revocation lists. Nothing here touches a disk or a clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from pki import constraints, keys, names
from pki.errors import Refused
from pki.profiles import Order

DAYS = 3652  # ten years, two leap days among them
CRL_DAYS = 90
# Clocks of consoles are minutes off; a certificate must not begin in their future.
BACKDATED = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that must not be believed any more; `reason` is a word of x509.ReasonFlags."""

    serial: int
    at: dt.datetime
    reason: str = "unspecified"


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh certificate, the private key that was made for it, and who signed it."""

    order: Order
    certificate: x509.Certificate
    key: keys.Issuing
    issuer: x509.Certificate

    def files(self) -> dict[str, bytes]:
        """The PEM files by name: cert, chain (the authority), fullchain (both) and key."""
        return {**certificate_files(self.certificate, self.issuer), "key.pem": keys.private_pem(self.key)}


@dataclass(frozen=True)
class Authority:
    """A certificate that may sign, and its key."""

    certificate: x509.Certificate
    key: keys.Issuing

    @cached_property
    def identifier(self) -> x509.AuthorityKeyIdentifier:
        """What the certificates it signs say about their issuer's key."""
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)

    @property
    def pem(self) -> bytes:
        """The certificate to trust, in PEM."""
        return self.certificate.public_bytes(keys.PEM)

    def sign(self, order: Order, public_key: keys.PublicKey, *, now: dt.datetime) -> x509.Certificate:
        """Sign what `order` says for `public_key`, for its days but never beyond the authority's own end.

        Nothing but the order enters the certificate. Raises Refused for names outside of the authority's
        constraints, weak keys, and when the authority itself is not valid now.
        """
        constraints.hold(constraints.of(self.certificate), order.dns, order.addresses)
        begin, end = self._life(order.days, now)
        builder = (
            x509.CertificateBuilder()
            .subject_name(common_name(order.common_name))
            .issuer_name(self.certificate.subject)
            .public_key(keys.acceptable(public_key))
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(encipherment=isinstance(public_key, rsa.RSAPublicKey)), critical=True)
            .add_extension(x509.ExtendedKeyUsage(order.usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(order.subject_alternative_names()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(self.identifier, critical=False)
        )
        return builder.sign(self.key, _digest(self.key))

    def issue(self, order: Order, *, now: dt.datetime, key: keys.Issuing | None = None) -> Issued:
        """Make the order's key (or take `key`) and sign for it. Raises what `sign` raises."""
        own = key or keys.generate(order.key_type)
        return Issued(order, self.sign(order, own.public_key(), now=now), own, self.certificate)

    def revocation_list(
        self, revoked: Iterable[Revoked], *, number: int, now: dt.datetime, days: int = CRL_DAYS
    ) -> x509.CertificateRevocationList:
        """Sign the list of all that is revoked; it is to be replaced within `days`, by one of a higher number."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - BACKDATED)
            .next_update(now + dt.timedelta(days=days))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(self.identifier, critical=False)
        )
        for one in sorted(revoked, key=lambda each: each.serial):
            builder = builder.add_revoked_certificate(_entry(one))
        return builder.sign(self.key, _digest(self.key))

    def _life(self, days: int, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        first, last = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if not first <= now < last:
            raise Refused(
                f"the authority is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} only",
                hint="check this machine's clock; past its end, make a new authority",
            )
        return max(now - BACKDATED, first), min(now + dt.timedelta(days=days), last)


def create(
    name: str,
    *,
    now: dt.datetime,
    key_type: str = "p256",
    days: int = DAYS,
    confined: x509.NameConstraints | None = None,
) -> Authority:
    """Make a self-signed authority that signs end entities only (path length 0); `confined` limits its names."""
    key = keys.generate(key_type)
    subject = common_name(names.title(name))
    begin = now - BACKDATED
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if confined is not None:
        builder = builder.add_extension(confined, critical=True)
    return Authority(builder.sign(key, _digest(key)), key)


def certificate_files(certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, bytes]:
    """Return the PEM files of a certificate by name: cert, chain and fullchain."""
    cert, chain = certificate.public_bytes(keys.PEM), issuer.public_bytes(keys.PEM)
    return {"cert.pem": cert, "chain.pem": chain, "fullchain.pem": cert + chain}


def common_name(name: str) -> x509.Name:
    """Return a subject of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs: bool = False, encipherment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_encipherment=encipherment,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _digest(key: keys.Issuing) -> hashes.SHA256 | hashes.SHA384:
    wide = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256
    return hashes.SHA384() if wide else hashes.SHA256()


def _entry(one: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
    # RFC 5280, 5.3.1: "unspecified" is said by leaving the reason out.
    if one.reason != x509.ReasonFlags.unspecified.name:
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags[one.reason]), critical=False)
    return builder.build()
