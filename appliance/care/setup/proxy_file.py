"""What nginx is told of this machine: where to listen, its names, its certificate. Pure text, there and back.

The site itself belongs to the package and includes this file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.care.setup.answers import door, written

FILE: Final = Path("/etc/nginx/dicom-edge-appliance.d/50-installation.conf")
HEAD: Final = """\
# Written by `appliance init --system`, from what the installer was answered; `dpkg-reconfigure dicom-edge-appliance`
# asks again. Lines that you change are read back and kept; others are lost when it is written anew.
"""
_LISTEN: Final = re.compile(r"^\s*listen\s+(\S+)\s+[^;]*\bssl\b", re.MULTILINE)
_NAMES: Final = re.compile(r"^\s*server_name\s+([^;]+);", re.MULTILINE)
_CERTIFICATE: Final = re.compile(r"^\s*ssl_certificate\s+([^;\s]+)\s*;", re.MULTILINE)
_KEY: Final = re.compile(r"^\s*ssl_certificate_key\s+([^;\s]+)\s*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Front:
    """The machine as browsers see it. `names`: the first is what it is called."""

    address: str
    names: tuple[str, ...]
    certificate: Path
    key: Path

    def text(self) -> str:
        """Return the file."""
        lines = [
            *(f"listen {one} ssl http2;" for one in listening(self.address)),
            *(f"listen {one};" for one in plain(self.address)),
            f"server_name {' '.join(self.names)};",
            f"ssl_certificate {self.certificate};",
            f"ssl_certificate_key {self.key};",
        ]
        return HEAD + "\n".join(lines) + "\n"


def listening(address: str) -> Sequence[str]:
    """Return nginx's addresses of one answer: every address of IPv6 is every one of IPv4 as well."""
    host, port = door(address)
    if host == "::":
        return (written("::", port), written("0.0.0.0", port))
    return (written(host, port),)


def plain(address: str) -> Sequence[str]:
    """Return where the site leads from http to https: at port 80 of the same address, if that serves the usual port."""
    host, port = door(address)
    return listening(written(host, 80)) if port == 443 else ()


def front_of(text: str) -> Front | None:
    """Return what a file says, an administrator's changes included; None where it says less than all."""
    listen, names = _LISTEN.search(text), _NAMES.search(text)
    certificate, key = _CERTIFICATE.search(text), _KEY.search(text)
    if not (listen and names and certificate and key):
        return None
    address = listen[1] if ":" in listen[1] else _on_every_address(listen[1])
    return Front(address, tuple(names[1].split()), Path(certificate[1]), Path(key[1]))


def _on_every_address(text: str) -> str:
    """nginx takes a port alone for all addresses, an address alone for port 443 here."""
    return written("0.0.0.0", int(text)) if text.isdecimal() else written(text, 443)
