"""Whether nginx is who answers at an address: the certificate that is shown there says so."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.care.knocking import ANYWHERE
from appliance.care.setup.answers import door

SECONDS: Final = 5.0
EACH_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.1


def unanswered(address: str, name: str, certificate: Path | None, seconds: float = SECONDS) -> str:
    """Return what is wrong at an `https_address`, "" when `certificate` (None: any) is shown there within `seconds`.

    A server that is reloaded answers with the old certificate for a moment. Raises OSError, ValueError for a file that
    is no certificate.
    """
    wanted = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER) if certificate else b""
    host, port = door(address)
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while True:
        try:
            shown = _shown(ANYWHERE.get(host, host), port, name)
            wrong = "" if shown == (wanted or shown) else f"what answers at {address} shows another certificate"
        except ssl.SSLError:
            wrong = f"what answers at {address} is not nginx with TLS"
        except OSError as error:
            wrong = f"nobody answers at {address}: {error.strerror or error}"
        if not wrong or time.monotonic() > deadline:
            return wrong
        pause.wait(PAUSE_SECONDS)


def _shown(host: str, port: int, name: str) -> bytes:
    # Only looked at: nothing is sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), EACH_SECONDS) as line,
        context.wrap_socket(line, server_hostname=name) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""
