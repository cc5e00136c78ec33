"""Which machine this is, and which machines a certificate may be shown by. The locksmith computes the same hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509

from appliance.errors import ConfigurationError

LABEL = b"dicom-edge-appliance machine\n"
MACHINE_ID = Path("/etc/machine-id")
URI = "urn:dicom-edge:machine:"


def machine_hash(path: Path = MACHINE_ID) -> str:
    """Return SHA-256 over a fixed label and the machine id (machine-id(5)), in hexadecimal; else ConfigurationError."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", hint="Run systemd-machine-id-setup."
        ) from None
    if not text or text == "uninitialized":
        raise ConfigurationError(f"{path} holds no machine id", hint="Run systemd-machine-id-setup.")
    return hashlib.sha256(LABEL + text.encode()).hexdigest()


def bound_to(certificate_pem: bytes) -> tuple[str, ...]:
    """Return the hashes of the machines that the first certificate of a PEM file names; () binds it to none.

    Raises ConfigurationError when the bytes are no certificate.
    """
    try:
        names = x509.load_pem_x509_certificate(certificate_pem).extensions
        found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ConfigurationError(f"the certificate cannot be read: {error}", hint="It must be PEM.") from None
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(uri.removeprefix(URI).lower() for uri in uris if uri.startswith(URI))
