"""The table `web`: the HTTP door, and who comes in by it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from appliance.config.kinds import GIB, AbsolutePath, Count, CredentialFile, Host, Network, Port, Seconds
from appliance.config.section import Section

_FINGERPRINT = re.compile(r"[0-9a-f]{64}|(?:[0-9a-f]{2}:){31}[0-9a-f]{2}", re.IGNORECASE)
_HOLDER = re.compile(r"[ -~]{1,64}")


def _holder(text: str) -> str:
    """Return a fingerprint as plain digits, a name as it is written."""
    if _FINGERPRINT.fullmatch(text):
        return text.replace(":", "").lower()
    if not _HOLDER.fullmatch(text) or text != text.strip():
        raise ValueError("a certificate is named by its SHA-256, or by an AE title, a site or a common name")
    return text


Holder = Annotated[str, AfterValidator(_holder)]
CertificateRole = Literal["viewer", "technician", "machine", "monitor"]


class WebSection(Section):
    """The HTTP door."""

    host: Host = "127.0.0.1"
    """Address to listen on."""

    port: Port = 8080
    """TCP port of HTTP."""

    socket: AbsolutePath | None = None
    """Socket for nginx, beside `port`: what it says of senders and their certificates is believed there alone."""

    allowed_hosts: tuple[Host, ...] = ()
    """Host names browsers may use for this box, besides localhost and the address it listens on."""

    max_body_bytes: Count = 17 * GIB
    """Largest request body, in bytes."""

    threads: Count = 16
    """Requests served at the same time."""

    connection_limit: Count = 1000
    """Connections held at the same time."""

    max_results: Count = 1000
    """Most results in one answer to a search."""

    login: Literal["required", "open"] = "required"
    """`open` lets everybody in who reaches `web.host`, which has to be a loopback address then."""

    session_idle: Seconds = 1800
    """Seconds without a request of its person after which a session ends."""

    session_lifetime: Seconds = 43200
    """Seconds after which a session ends in any case."""

    plain_http: bool = False
    """Listen on an address other than loopback although there is no TLS: passwords cross the network readable."""

    trusted_proxies: tuple[Network, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed on `port`."""

    certificates: dict[Holder, CertificateRole] = Field(default_factory=dict)
    """Roles of client certificates that nginx has checked, by AE title, site, common name, or SHA-256."""

    tls_ca: CredentialFile | None = None
    """PEM file with the authorities that must have signed those certificates; needed for any that is named by name."""

    metadata_cache_bytes: Count = 1 * GIB
    """Most bytes of series metadata kept ready below `cache/metadata` of the home."""

    ohif: AbsolutePath = Path("/usr/share/dicom-edge-appliance/ohif")
    """Directory of the OHIF viewer as `make ohif` builds it. While it is not there, the built-in viewer serves."""

    @property
    def is_loopback(self) -> bool:
        """Whether the address listened on can be reached from this machine alone."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def address(self) -> str:
        """Where a browser finds the pages, without a slash at the end: by nginx, if there is a socket for it."""
        if self.socket is not None and self.allowed_hosts:
            return f"https://{self.allowed_hosts[0]}"
        return f"http://{self.host}:{self.port}"

    @model_validator(mode="after")
    def _patients_are_not_on_offer(self) -> Self:
        if self.login == "open" and not self.is_loopback:
            raise ValueError("login = open needs a loopback address; set web.login = required, or web.host = 127.0.0.1")
        if self.login == "open" and (self.trusted_proxies or self.socket):
            raise ValueError("login = open lets in whoever reaches a proxy; set web.login = required, or trust none")
        if not self.is_loopback and not self.plain_http:
            raise ValueError(
                f"host = {self.host} has no TLS, passwords and images would cross the network readable; put a proxy"
                " with TLS in front (docs/access.md), or accept that by web.plain_http = true"
            )
        return self

    @model_validator(mode="after")
    def _names_have_an_authority(self) -> Self:
        by_name = [holder for holder in self.certificates if not _FINGERPRINT.fullmatch(holder)]
        if by_name and self.tls_ca is None:
            raise ValueError("certificates goes by name, and anybody can sign a name: set web.tls_ca, or use SHA-256")
        return self
