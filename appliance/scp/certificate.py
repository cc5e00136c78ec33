"""What a caller's TLS certificate says of the caller: which AE titles it may use, and from which addresses."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

from cryptography import x509

AE_URI = "urn:dicom-edge:ae:"
SITE_URI = "urn:dicom-edge:site:"
# Stands for no title: the holder may call by none. A caller without a title is not one of them.
NOBODY = ("",)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """One certificate that the handshake has verified. Empty tuples say nothing: any title, any address.

    `fingerprint` is the SHA-256 of the certificate (DER) in hexadecimal.
    """

    fingerprint: str
    ae_titles: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def is_for(self, ae_title: str) -> bool:
        """Say whether it lets its holder call by this AE title."""
        return not self.ae_titles or (ae_title != "" and ae_title in self.ae_titles)

    def is_of(self, address: str) -> bool:
        """Say whether it may be shown from this bare IP address."""
        return not self.addresses or address in self.addresses


def read_certificate(der: bytes) -> ClientCertificate:
    """Read a verified certificate. One whose names cannot be read is for nobody, nor is a box's for the centre."""
    fingerprint = sha256(der).hexdigest()
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ClientCertificate(fingerprint)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ClientCertificate(fingerprint, NOBODY)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    titles = tuple(unquote(uri.removeprefix(AE_URI)) for uri in uris if uri.startswith(AE_URI))
    if not titles and any(uri.startswith(SITE_URI) for uri in uris):
        return ClientCertificate(fingerprint, NOBODY)
    # A host's own addresses matter only where an AE title binds the certificate to one console.
    addresses = tuple(str(one) for one in names.get_values_for_type(x509.IPAddress)) if titles else ()
    return ClientCertificate(fingerprint, titles, addresses)
