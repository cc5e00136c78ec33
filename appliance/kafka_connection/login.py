"""Whether a broker's door asks for a login: it hangs up, without a word, on whoever comes without one.

A SaslHandshake request tells such a door from a broker that is ill: the door names its mechanisms, an
open one answers that this is not the place (Kafka's protocol, key 17, and errors 33 and 34).
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import ExitStack

HANDSHAKE = 17
VERSION = 1
MECHANISM = b"PLAIN"
NUMBER = 17
NO_ERROR, UNSUPPORTED_MECHANISM = 0, 33
LONGEST_ANSWER = 4 << 10


def asks_for_login(address: tuple[str, int], tls: ssl.SSLContext | None, seconds: float) -> bool:
    """Ask the door at `address`; False also when it cannot be known. `seconds` for each step at most."""
    try:
        with ExitStack() as stack:
            line = stack.enter_context(socket.create_connection(address, timeout=seconds))
            if tls is not None:
                line = stack.enter_context(tls.wrap_socket(line, server_hostname=address[0].rstrip(".")))
            line.sendall(_request())
            return _answer(line) in (NO_ERROR, UNSUPPORTED_MECHANISM)
    except OSError:
        return False


def _request() -> bytes:
    head = struct.pack(">hhih", HANDSHAKE, VERSION, NUMBER, -1)  # -1: no client id
    body = head + struct.pack(">h", len(MECHANISM)) + MECHANISM
    return struct.pack(">i", len(body)) + body


def _answer(line: socket.socket) -> int | None:
    """Return the error code of the answer, None when it is none to our question."""
    with line.makefile("rb") as file:
        head = file.read(10)
    if len(head) < 10:
        return None
    length, number, code = struct.unpack(">iih", head)
    return int(code) if 6 <= length <= LONGEST_ANSWER and number == NUMBER else None
