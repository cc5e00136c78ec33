"""The doors of the web room: TCP for this machine, a socket for nginx; one application behind both."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import AF_UNIX
from socket import socket as Socket
from typing import TYPE_CHECKING, Final

from appliance.errors import ConfigurationError
from appliance.http.proxies import Network, OnSocket, wrapper
from appliance.http.server import Limits, WebServer
from appliance.web.gate import Gate

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KEY: Final = "web"


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen, unless the service manager has done so already: `passed` are its sockets.

    `socket` is nginx's; None for none. `trusted` are the proxies that are believed at host and port.
    """

    host: str
    port: int
    socket: Path | None
    trusted: Sequence[Network]
    passed: Sequence[Socket]


class Doors:
    """All servers of the room as one."""

    def __init__(self, application: WSGIApplication, places: Places, limits: Limits, gate: Gate) -> None:
        """Bind what is not passed; nothing is accepted yet. Raises ConfigurationError, also for an open door to nginx.

        On the socket nginx is believed about senders and certificates, at host and port nobody is.
        """
        near, far = OnSocket(application), wrapper(places.trusted)(application)
        near_limits = dataclasses.replace(limits, knows=partial(gate.knows, on_socket=True))
        far_limits = dataclasses.replace(limits, knows=gate.knows)
        local = [one for one in places.passed if one.family == AF_UNIX]
        wide = [one for one in places.passed if one.family != AF_UNIX]
        self._servers = {f"socket {n}": WebServer.on_listening(near, one, near_limits) for n, one in enumerate(local)}
        if places.socket is not None and not local:
            self._servers["socket"] = WebServer.on_socket(near, places.socket, near_limits, KEY)
        self.proxied = bool(self._servers)
        self._servers |= {f"port {n}": WebServer.on_listening(far, one, far_limits) for n, one in enumerate(wide)}
        if not wide:
            self._servers["port"] = WebServer(far, places.host, places.port, far_limits, KEY)

    @property
    def port(self) -> int:
        """The TCP port."""
        return max(server.port for server in self._servers.values())

    @property
    def running(self) -> bool:
        """Whether every server's loop is alive."""
        return all(server.running for server in self._servers.values())

    @property
    def connections(self) -> int:
        """Open connections."""
        return sum(server.connections for server in self._servers.values())

    def start(self, beat_of: Callable[[str], Callable[[], None]] = lambda name: lambda: None) -> None:
        """Serve; the loop of each server calls what `beat_of` returns for its name."""
        for name, server in self._servers.items():
            server.start(beat_of(name))

    def stop(self, seconds: float) -> bool:
        """Accept nothing more, let running requests end within `seconds` together, close. Say whether all ended."""
        deadline = time.monotonic() + seconds
        ended = [server.stop(max(0.0, deadline - time.monotonic())) for server in self._servers.values()]
        return all(ended)


def check_open(proxied: bool, login: bool) -> None:
    """Refuse a room without logins behind a proxy. Raises ConfigurationError."""
    if proxied and not login:
        hint = "set web.login = required, or stop dicom-edge-web.socket"
        raise ConfigurationError("web.login = open lets in whoever reaches nginx", hint=hint)
