"""The front of the web pages: what nginx is told of this machine, and nginx itself, asked as a browser would ask."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning
from appliance.care.knocking import ANYWHERE
from appliance.care.setup.proxy_file import FILE

PARTS = FILE.parent
WEB = "web"
PATH = "/healthz"
SECONDS = 5.0
CONFIGURED = "nginx -t && systemctl reload nginx"
# A socket does not start while its service runs without it.
AGAIN = "run: systemctl stop dicom-edge-web; systemctl restart dicom-edge-web.socket dicom-edge-web"
SEE = "see: nginx -t; journalctl -u nginx -u dicom-edge-web"
_LISTEN = re.compile(r"^\s*listen\s+([^;\s]+)([^;]*);", re.MULTILINE)
_NAMES = re.compile(r"^\s*server_name\s+([^;\s]+)", re.MULTILINE)
_FILES = re.compile(r"^\s*(ssl_certificate|ssl_certificate_key)\s+\"?([^;\"\s]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Front:
    """What the proxy's own part says; paths are those of the configuration, pairs of certificate and key in order."""

    listens: Sequence[str]
    secured: Sequence[str]
    name: str
    certificates: Sequence[Path]
    keys: Sequence[Path]


def front(box: Box) -> Front:
    """Read the parts that belong to this machine."""
    parts = sorted(box.place(PARTS).glob("*.conf"))
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in parts)
    listens, files = _LISTEN.findall(text), _FILES.findall(text)
    name = _NAMES.search(text)
    return Front(
        tuple(dict.fromkeys(address for address, _ in listens)),
        tuple(dict.fromkeys(address for address, more in listens if "ssl" in more.split())),
        name[1] if name else "localhost",
        tuple(dict.fromkeys(Path(path) for key, path in files if key == "ssl_certificate")),
        tuple(dict.fromkeys(Path(path) for key, path in files if key == "ssl_certificate_key")),
    )


def addresses(box: Box) -> Sequence[str]:
    """Name the addresses at which nginx should speak TLS."""
    return front(box).secured if box.is_packaged else ()


def pages(box: Box, address: str) -> Verdict:
    """Ask for the health of the web room through nginx, and compare the certificate with the file."""
    if not box.rooms().get(WEB, {}).get("alive"):
        return skipped("room web does not run; a request would start it, by its socket")
    found = front(box)
    try:
        status, shown = _ask(address, found.name)
    except ConnectionError as error:
        return fault(
            f"nobody answers at {address}: {error.strerror}", f"run: nginx -t && systemctl restart nginx; {SEE}"
        )
    except ssl.SSLError as error:
        return fault(f"no TLS at {address}: {error.reason or error}", SEE)
    except (OSError, http.client.HTTPException) as error:
        return fault(f"no answer at {address} ({type(error).__name__})", SEE)
    return next(_judged(box, found, status, shown), ok(f"nginx and room web answer as {found.name}"))


def _ask(address: str, name: str) -> tuple[int, bytes]:
    """Return the status of the answer and the certificate that was shown. Any certificate will do for looking at it."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or ("" if port.isdigit() else port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    number = int(port) if port.isdigit() else 443
    with (
        socket.create_connection((ANYWHERE.get(host.replace("*", ""), host), number), SECONDS) as line,
        context.wrap_socket(line, server_hostname=name) as secured,
        closing(http.client.HTTPConnection(name, number, timeout=SECONDS)) as connection,
    ):
        shown = secured.getpeercert(binary_form=True) or b""
        connection.sock = secured
        connection.request("GET", PATH, headers={"Connection": "close"})
        return connection.getresponse().status, shown


def _judged(box: Box, found: Front, status: int, shown: bytes) -> Iterator[Verdict]:
    if status == http.client.MISDIRECTED_REQUEST:
        yield fault(
            f"room web does not know the name {found.name}", "add it to web.allowed_hosts, and restart room web"
        )
    elif status in (http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT):
        yield fault(
            f"nginx does not reach room web ({status})",
            f"{AGAIN}; {SEE}",
        )
    elif status == http.client.BAD_REQUEST:
        yield skipped("nginx answers, and asks for a client certificate, which this box has none of")
    elif status != http.client.OK:
        yield fault(f"the web pages answer with {status}", SEE)
    if not any(_leaf(box.place(path)) == shown for path in found.certificates):
        yield warning("nginx shows another certificate than its files hold", f"run: {CONFIGURED}")


def _leaf(path: Path) -> bytes:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    except (OSError, ValueError):
        return b""
