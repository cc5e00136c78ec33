"""The box's own DICOM door, as a peer on this machine reaches it: where, as whom, and by TLS with what."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from appliance import tls
from appliance.config import Settings
from appliance.dimse.client import Peer
from appliance.errors import ConfigurationError
from appliance.model.records import ConflictPolicy
from appliance.scp.access import AllowList, accepts_unknown
from appliance.scp.access import Peer as KnownPeer
from appliance.scp.pdu import Titles

SELF = "SELFTEST"
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Door:
    """One port of the DICOM door: `name` for people, "plain" or "tls"."""

    name: str
    host: str
    port: int
    is_tls: bool


def doors(settings: Settings) -> Sequence[Door]:
    """Return the ports that the configuration names, the first plain one first."""
    scp = settings.scp
    host = ANYWHERE.get(scp.host, scp.host)
    plain = [Door(f"plain:{port}", host, port, False) for port in (scp.port, *getattr(scp, "additional_ports", ()))]
    secured = [] if scp.tls_port is None else [Door(f"tls:{scp.tls_port}", host, scp.tls_port, True)]
    return (*plain, *secured)


def caller(settings: Settings, host: str, wished: str = "") -> str:
    """Return the AE title to call as from this machine, "" when the door would refuse every one we know.

    `wished` is tried alone. Otherwise one of our own where strangers are let in, then the first peer of
    `scp.peers` that may call from here; one that is bound to its certificate is never taken.
    """
    scp = settings.scp
    known = tuple(
        KnownPeer(peer.ae_title, peer.address, conflict_policy=ConflictPolicy(peer.conflict_policy),
                  certificates=peer.certificate_sha256)
        for peer in scp.peers
    )  # fmt: skip
    rules = AllowList(scp.ae_title, known, accepts_unknown(scp.accept_unknown, scp.host), scp.require_called_ae)
    wishes = (wished,) if wished else (SELF, *(peer.ae_title for peer in known))
    address = "127.0.0.1" if host == "localhost" else host
    return next((title for title in wishes if _is_let_in(rules, title, address)), "")


def _is_let_in(rules: AllowList, title: str, address: str) -> bool:
    try:
        return rules.decide(Titles(calling=title, called=rules.ae_title), address).peer is not None
    except ValueError:  # a host name, whose address the door will see differently
        return rules.decide(Titles(calling=title, called=rules.ae_title), "127.0.0.1").peer is not None


def peer(settings: Settings, door: Door, calling_ae: str) -> Peer:
    """Return the door as the DIMSE client wants it. Raises ConfigurationError for files that cannot be used."""
    context = own_context(settings) if door.is_tls else None
    return Peer(door.host, door.port, settings.scp.ae_title, calling_ae, SECONDS, context)


def own_context(settings: Settings) -> ssl.SSLContext:
    """Return a context that trusts nothing but the certificate we are configured with.

    We know who we are: no authority and no name is asked, the very certificate is. Where the door asks for one, we
    show our own, which it takes if it is good for clients and of an authority of tls_ca. Raises ConfigurationError.
    """
    scp = settings.scp
    assert scp.tls_certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(tls.CIPHERS)
    context.check_hostname = False
    # The leaf itself is the anchor: whoever listens must hold its key.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=_leaf(scp.tls_certificate).public_bytes(Encoding.DER))
    if scp.tls_ca is not None and scp.tls_key is not None:
        try:
            context.load_cert_chain(scp.tls_certificate, scp.tls_key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "scp.tls_certificate and scp.tls_key do not fit", hint="see docs/certificates.md"
            ) from error
    return context


def _leaf(path: Path) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as a certificate", hint="check the file and its mode"
        ) from error
    return certificate


def shows_no_client_certificate(settings: Settings) -> bool:
    """Whether the TLS door asks for a client certificate that this box has not: its own is a server's alone."""
    scp = settings.scp
    if scp.tls_ca is None or scp.tls_certificate is None:
        return False
    try:
        usages = _leaf(scp.tls_certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH not in usages


def reach(_settings: Settings, door: Door) -> None:
    """See that somebody takes connections: what is wrong there the system tells better than DIMSE. Raises OSError."""
    socket.create_connection((door.host, door.port), timeout=SECONDS).close()


def handshake(settings: Settings, door: Door) -> None:
    """Shake hands with the TLS door: whoever listens there shows our certificate, and it has not ended.

    Raises ssl.SSLError, OSError, ConfigurationError.
    """
    with (
        socket.create_connection((door.host, door.port), timeout=SECONDS) as line,
        own_context(settings).wrap_socket(line, server_hostname=door.host),
    ):
        pass
