"""TLS for the doors and for what the box calls, after RFC 9325 (BCP 195) and the profile of PS3.15 B.12."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from cryptography import x509

from appliance.errors import ConfigurationError
from appliance.machine import bound_to, machine_hash

# TLS 1.3 has its own list; these are for 1.2: forward secrecy and authenticated encryption only.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_CERTIFICATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----")


def server_context(
    certificate: Path, key: Path, ca: Path | None, *, require_client: bool, crl: Path | None = None
) -> ssl.SSLContext:
    """Return a context that presents `certificate` (PEM, with its chain) and speaks TLS 1.2 or later.

    With `require_client` a peer must show a certificate that `ca` (PEM) signed, and that `crl` (PEM), where
    there is one, does not list. A list that is past its own end lets nobody in: what it does not say
    cannot be known; nor does a missing one: each authority of `ca` needs its own list in `crl`. Raises
    ConfigurationError that names the file which is missing, unreadable, encrypted or does not fit.
    """
    if require_client and ca is None:
        raise ConfigurationError(
            "client certificates are required, but no authority is set",
            hint="Set scp.tls_ca to its PEM file.",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    _load_own(context, certificate, key)
    if ca is not None:
        _load_authorities(context, ca)
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
        # A session that is taken up again is not checked anew: not for its end, not against the list.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if crl is not None:
        _load_revocations(context, crl)
    return context


def client_context(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext:
    """Return a context that accepts servers of `ca` (PEM; None: the system's authorities), by their name.

    With `certificate` and `key` (PEM) it shows them when asked; `renew` reads them again. Raises
    ConfigurationError as `server_context` does, and for a certificate that is bound to another machine.
    """
    context = ssl.create_default_context() if ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    renew(context, certificate, key, ca)
    return context


def renew(context: ssl.SSLContext, certificate: Path | None, key: Path | None, ca: Path | None) -> None:
    """Read the files of a client context again, for the connections to come. Raises ConfigurationError."""
    if ca is not None:
        _load_authorities(context, ca)
    if certificate is not None and key is not None:
        _load_own(context, certificate, key)
        _of_this_machine(certificate)


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def encrypted() -> str:
        raise ConfigurationError(
            f"the private key {key} is encrypted", hint="Decrypt it; let its file's owner alone read it."
        )

    for path in (certificate, key):
        _readable(path)
    try:
        context.load_cert_chain(certificate, key, password=encrypted)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{certificate} and {key} are not a certificate and its key: {error}",
            hint="Both must be PEM, and the key must be the certificate's.",
        ) from None


def _load_authorities(context: ssl.SSLContext, ca: Path) -> None:
    _readable(ca)
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{ca} holds no authority's certificate: {error}", hint="It must be PEM.") from None


def _load_revocations(context: ssl.SSLContext, crl: Path) -> None:
    _readable(crl)
    try:
        data = crl.read_bytes()
        if _CERTIFICATE.search(data):
            raise ValueError("there is a certificate in it, which would be trusted as an authority")
        x509.load_pem_x509_crl(data)
        context.load_verify_locations(crl)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{crl} holds no revocation list: {error}", hint="It must be PEM.") from None
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _of_this_machine(certificate: Path) -> None:
    """Refuse to show a certificate that names other machines: a copied disk must not speak for the box."""
    machines = bound_to(certificate.read_bytes())
    if machines and machine_hash() not in machines:
        raise ConfigurationError(
            f"{certificate} is bound to another machine",
            hint="Issue one for this machine: appliance-pki machine prints its hash (docs/certificates.md).",
        )


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", hint="Check its path, its owner and its mode."
        ) from None
