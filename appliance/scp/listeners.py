"""The listening sockets of this door."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import Protocol

from appliance.errors import ConfigurationError

_BACKLOG = 512


class Tls(Protocol):
    """What a TLS door shakes hands with."""

    def context(self) -> ssl.SSLContext:
        """Return the context for the next handshake."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound, listening, non-blocking socket; with `tls`, its connections must shake hands first."""

    sock: socket.socket
    tls: Tls | None = None

    @property
    def address(self) -> str:
        """The address it listens on."""
        return str(self.sock.getsockname()[0])

    @property
    def port(self) -> int:
        """The port in use, also when port 0 was asked for."""
        return int(self.sock.getsockname()[1])


def listen(host: str, port: int, tls: Tls | None = None) -> Listener:
    """Bind to `host` and listen. Raises ConfigurationError when the address cannot be used."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _unusable(host, port, error) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _unusable(host, port, error) from error
    return Listener(sock, tls)


def adopt(sock: socket.socket, tls: Tls | None = None) -> Listener:
    """Take over a socket that listens already. Raises ConfigurationError for one that is not of TCP, and closes it."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise ConfigurationError(
            f"the service manager handed over a socket of {sock.family.name}",
            hint="DICOM is spoken by TCP: write ListenStream=ADDRESS:PORT in the socket unit",
        )
    sock.setblocking(False)
    return Listener(sock, tls)


def _unusable(host: str, port: int, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot listen on {host}:{port}: {error.strerror or error}",
        hint="choose another scp.host or scp.port, or stop what uses it",
    )
