"""Client certificates: nginx has checked them, the configuration says whom they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from appliance.access.identity import Identity, machine
from appliance.access.roles import Role
from appliance.errors import ConfigurationError
from appliance.web.authenticators import BadProof, Known, Proof

VERIFIED: Final = "SUCCESS"
ABSENT: Final = frozenset({"", "NONE"})
# The names that certificates of modalities and boxes carry (docs/certificates.md); the rest is percent-encoded.
NAMES: Final = ("urn:dicom-edge:ae:", "urn:dicom-edge:site:")


class Holders:
    """Who has a role by certificate: by SHA-256 of the certificate, or by a name that `authorities` have signed."""

    def __init__(self, roles: Mapping[str, Role], authorities: Sequence[x509.Certificate] = ()) -> None:
        """`roles` by fingerprint (64 digits) or name. With `authorities`, one of them must have signed any of them."""
        self._roles = dict(roles)
        self._authorities = tuple(authorities)

    def find(self, certificate: x509.Certificate) -> Identity | None:
        """Return whom a certificate stands for, None for nobody. Its dates and its revocation are nginx's to judge."""
        if self._authorities and not any(_signed(certificate, by) for by in self._authorities):
            return None
        fingerprint, names = certificate.fingerprint(hashes.SHA256()).hex(), list(_names(certificate))
        for holder in (fingerprint, *names):
            if holder in self._roles:
                name = holder if holder in names else next(iter(names), fingerprint[:16])
                return machine(name, fingerprint, self._roles[holder])
        return None


class ClientCertificate:
    """A certificate whose key the client has used in the handshake with nginx."""

    def __init__(self, holders: Holders, known: Known) -> None:
        """Take who has a role, and where what was found is remembered for a moment."""
        self._holders = holders
        self._known = known

    def identify(self, proof: Proof) -> Identity | None:
        """Return its holder; None for a good one of nobody. Raises BadProof for one that nginx has not taken."""
        if proof.verify in ABSENT:
            return None
        if proof.verify != VERIFIED:
            raise BadProof
        return self._known.look_up(proof.certificate, lambda: self._holders.find(_parsed(proof.certificate)))


def load_holders(roles: Mapping[str, Role], authorities: Path | None) -> Holders | None:
    """Return who has a role by certificate, None for nobody. Raises ConfigurationError for a file of no authorities."""
    if not roles:
        return None
    try:
        return Holders(roles, x509.load_pem_x509_certificates(authorities.read_bytes()) if authorities else ())
    except (OSError, ValueError) as error:
        hint = "it must be PEM, and readable by the service; appliance-pki init makes an authority"
        raise ConfigurationError(f"web.tls_ca = {authorities} holds no authority's certificate", hint=hint) from error


def _parsed(escaped: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(unquote(escaped).encode("ascii"))
    except ValueError:
        raise BadProof from None


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(certificate: x509.Certificate) -> Iterator[str]:
    """Yield the AE titles, sites and the common name of a certificate, decoded."""
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for uri in others.get_values_for_type(x509.UniformResourceIdentifier):
            yield from (unquote(uri.removeprefix(prefix)) for prefix in NAMES if uri.startswith(prefix))
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        pass  # one without such names
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(common) == 1 and isinstance(common[0].value, str):
        yield common[0].value
