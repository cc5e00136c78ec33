"""Identity: which site a request comes from, by its client certificate or by a token. Nothing else says so.

The certificate is checked by nginx, which hands over its verdict and the certificate itself in two headers.
They are believed on the socket that nginx alone can reach; whoever sends them over TCP makes them up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from appliance.central.registry import BOX, SITE_NAME, Registry, Site

VERIFY: Final = "X_CLIENT_VERIFY"
CERTIFICATE: Final = "X_CLIENT_CERT"
AUTHORIZATION: Final = "AUTHORIZATION"
VERIFIED: Final = "SUCCESS"
ABSENT: Final = frozenset({"", "NONE"})
BEARER: Final = "bearer"


class Reason(Enum):
    """Why a request is refused: a short fixed word, the HTTP status, a sentence."""

    NOBODY = ("nobody", 401, "show a client certificate, or send a token")
    TOKEN = ("token", 401, "this token is not known here")
    FORGED = ("forged", 403, "certificates are shown to the proxy, not claimed in headers")
    CERTIFICATE = ("certificate", 403, "this client certificate is not valid here")
    UNKNOWN = ("unknown_site", 403, "this site is not known here")
    DISABLED = ("disabled_site", 403, "this site is not known here")
    PINNED = ("pinned", 403, "this site has another client certificate")
    MISMATCH = ("mismatch", 403, "certificate and token are of different sites")
    ROLE = ("role", 403, "only boxes send to this door")
    TENANT = ("tenant", 403, "this site does not send for this tenant")

    def __init__(self, word: str, status: int, detail: str) -> None:
        self.word = word
        self.status = status
        self.detail = detail


class Unidentified(Exception):
    """A request comes from nobody who may send here. `site` is what it claimed to be, where that is a name."""

    def __init__(self, reason: Reason, site: str = "") -> None:
        super().__init__(reason.detail)
        self.reason = reason
        self.site = site


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its sender. `proxied`: it came over the socket of the proxy."""

    proxied: bool
    verify: str = ""
    certificate: str = ""
    authorization: str = ""

    @classmethod
    def read(cls, header: Callable[[str], str], *, proxied: bool) -> Claim:
        """Read the headers; `header` takes a name in capitals with underscores and returns "" for none."""
        return cls(proxied, header(VERIFY), header(CERTIFICATE), header(AUTHORIZATION))


def identify(claim: Claim, registry: Registry) -> Site:
    """Return the site that a request comes from. Raises Unidentified."""
    if not claim.proxied and (claim.verify or claim.certificate):
        raise Unidentified(Reason.FORGED)
    shown = _by_certificate(claim, registry) if claim.verify not in ABSENT else None
    sent = _by_token(claim.authorization, registry) if claim.authorization else None
    site = shown or sent
    if site is None:
        raise Unidentified(Reason.NOBODY)
    if shown is not None and sent is not None and shown.name != sent.name:
        raise Unidentified(Reason.MISMATCH, shown.name)
    if site.role != BOX:
        raise Unidentified(Reason.ROLE, site.name)
    return site


def _by_certificate(claim: Claim, registry: Registry) -> Site:
    if claim.verify != VERIFIED:
        raise Unidentified(Reason.CERTIFICATE)
    certificate = _certificate(claim.certificate)
    name = _common_name(certificate)
    site = registry.find(name)
    if site is None:
        raise Unidentified(Reason.UNKNOWN, name)
    if not site.enabled:
        raise Unidentified(Reason.DISABLED, name)
    if site.certificate_sha256 and certificate.fingerprint(hashes.SHA256()).hex() not in site.certificate_sha256:
        raise Unidentified(Reason.PINNED, name)
    return site


def _certificate(escaped: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(unquote(escaped).encode("ascii"))
    except ValueError:
        raise Unidentified(Reason.CERTIFICATE) from None


def _common_name(certificate: x509.Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        raise Unidentified(Reason.CERTIFICATE) from None
    name = names[0].value if len(names) == 1 else ""
    if not isinstance(name, str) or not SITE_NAME.fullmatch(name):
        raise Unidentified(Reason.UNKNOWN)
    return name


def _by_token(authorization: str, registry: Registry) -> Site:
    scheme, _, token = authorization.partition(" ")
    site = registry.by_token(token.strip()) if scheme.lower() == BEARER and token.strip() else None
    if site is None:
        raise Unidentified(Reason.TOKEN)
    return site
