"""Which machine this is: a hash, so that a certificate says it without telling the machine's own id."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pki.errors import Missing

LABEL = b"dicom-edge-appliance machine\n"
MACHINE_ID = Path("/etc/machine-id")


def machine_hash(path: Path = MACHINE_ID) -> str:
    """Return SHA-256 over a fixed label and the machine id (machine-id(5)), in hexadecimal.

    The appliance computes the same (appliance/machine.py). Raises Missing when there is no machine id.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}", hint="run systemd-machine-id-setup") from None
    if not text or text == "uninitialized":
        raise Missing(f"{path} holds no machine id", hint="run systemd-machine-id-setup")
    return hashlib.sha256(LABEL + text.encode()).hexdigest()
