"""The HTTP server: waitress, with limits for slow clients and full disks, and an orderly end."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.utilities import Error

from appliance.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CHANNEL_SECONDS: Final = 60
CLEANUP_SECONDS: Final = 5
HEADER_BYTES: Final = 32 << 10
RECEIVE_BYTES: Final = 256 << 10
BODY_IN_MEMORY: Final = 512 << 10
STRANGERS_BYTES: Final = 64 << 10
OUTPUT_BYTES: Final = 1 << 20
CHECK_BYTES: Final = 16 << 20
LOOP_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.05
BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server may use; sizes are bytes.

    Bodies are spooled in `spool`, short of `reserve_bytes`. A connection on which nothing has moved
    for `channel_seconds` is closed. `knows` says by two headers, Authorization and Cookie, whether the sender
    may send more than STRANGERS_BYTES: the disk is not for strangers, whatever they are answered later.
    """

    threads: int
    connections: int
    max_body_bytes: int
    spool: Path
    reserve_bytes: int
    channel_seconds: int = CHANNEL_SECONDS
    knows: Callable[[str, str], bool] = lambda authorization, cookie: True

    def adjustments(self) -> Adjustments:
        """Return these limits in waitress's words."""
        return Adjustments(
            threads=self.threads,
            connection_limit=self.connections,
            max_request_body_size=self.max_body_bytes,
            max_request_header_size=HEADER_BYTES,
            asyncore_use_poll=True,
            channel_timeout=self.channel_seconds,
            cleanup_interval=min(CLEANUP_SECONDS, self.channel_seconds),
            recv_bytes=RECEIVE_BYTES,
            inbuf_overflow=BODY_IN_MEMORY,
            # The output pauses before it would be spooled: a slow reader must not fill the disk.
            outbuf_high_watermark=OUTPUT_BYTES,
            outbuf_overflow=4 * OUTPUT_BYTES,
            ident=None,
            expose_tracebacks=False,
            log_socket_errors=False,
            # Ours to judge: they are refused, not dropped in silence.
            clear_untrusted_proxy_headers=False,
        )


class Unauthorised(Error):  # type: ignore[misc]
    """A stranger sends more than a form."""

    code = 401
    reason = "Unauthorized"

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Add what HTTP asks of a 401."""
        status, headers, body = super().to_response(ident)
        return status, [*headers, ("WWW-Authenticate", "Bearer")], body


class InsufficientStorage(Error):  # type: ignore[misc]
    """The body would eat into the disk reserve."""

    code = 507
    reason = "Insufficient Storage"


def _parser(limits: Limits) -> type[HTTPRequestParser]:
    class ReservingParser(HTTPRequestParser):  # type: ignore[misc]
        """Refuses a body for which there is no room, while it arrives and before it is spooled."""

        checked = 0
        greeted = False

        def received(self, data: bytes) -> int:
            consumed: int = super().received(data)
            if self.headers_finished and not self.completed and self.body_bytes_received >= self.checked:
                self.checked = self.body_bytes_received + CHECK_BYTES
                expected = max(self.content_length - self.body_bytes_received, 0)
                if expected > BODY_IN_MEMORY or self.body_bytes_received > BODY_IN_MEMORY:
                    self._check_room(expected)
            if self.headers_finished and not self.completed and not self.greeted:
                self._check_sender()
            return consumed

        def _check_sender(self) -> None:
            if max(self.content_length, self.body_bytes_received) > STRANGERS_BYTES:
                self.greeted = True
                if not limits.knows(self.headers.get("AUTHORIZATION", ""), self.headers.get("COOKIE", "")):
                    self.error = Unauthorised("log in first, or send an API token")
                    self.completed = True

        def _check_room(self, expected: int) -> None:
            found = os.statvfs(limits.spool)
            if found.f_bavail * found.f_frsize - expected < limits.reserve_bytes:
                self.error = InsufficientStorage("there is no room for this body")
                self.completed = True

    return ReservingParser


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server, which also ends a connection whose reader has stopped reading.

    Otherwise the thread that answers it would wait for ever.
    """

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        cutoff = now - self.adj.channel_timeout
        for channel in list(self.active_channels.values()):
            if channel.total_outbufs_len and channel.last_activity < cutoff:
                channel.handle_close()


class WebServer:
    """One WSGI application on one TCP port."""

    def __init__(self, application: WSGIApplication, host: str, port: int, limits: Limits) -> None:
        """Bind the port; nothing is accepted yet. Raises ConfigurationError when it cannot be had."""
        listening = _bind(host, port)
        adjustments = limits.adjustments()
        channel = type("Channel", (HTTPChannel,), {"parser_class": _parser(limits)})
        address = listening.getsockname()
        sockinfo = (listening.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, address)
        self._map: dict[int, Any] = {}
        self._server = _Server(
            application, self._map, True, listening, adj=adjustments, sockinfo=sockinfo, bind_socket=False
        )
        self._server.channel_class = channel
        self.port: int = address[1]
        self._ending = False
        self._thread = threading.Thread(target=self._loop, name="http", daemon=True)

    def start(self) -> None:
        """Serve, in threads of its own."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the server's loop is alive."""
        return self._thread.is_alive()

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._server.active_channels)

    def stop(self, seconds: float) -> bool:
        """Accept nothing more, let running requests end within `seconds`, close. Say whether all ended.

        Safe to repeat.
        """
        if self._ending:
            return True
        self._server.accepting = False
        self._server.pull_trigger()
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while self._busy() and time.monotonic() < deadline:
            pause.wait(POLL_SECONDS)
        drained = not self._busy()
        self._ending = True
        self._server.pull_trigger()
        self._thread.join(2 * LOOP_SECONDS)
        wasyncore.close_all(self._map)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=LOOP_SECONDS)
        return drained

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _loop(self) -> None:
        while not self._ending:
            wasyncore.loop(timeout=LOOP_SECONDS, use_poll=True, map=self._map, count=1)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"web.host = {host}, web.port = {port}: cannot listen there: {error.strerror}",
            hint="stop the other program, or choose another port",
        ) from error
    return listening
