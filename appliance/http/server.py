"""The HTTP server: waitress, with limits for slow clients and full disks, and an orderly end."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, UnixWSGIServer
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
# Whoever may write to it is believed to be the proxy: the service's group, and nobody else.
SOCKET_MODE: Final = 0o660


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server may use; sizes are bytes.

    Bodies are spooled in `spool`, short of `reserve_bytes`. A connection on which nothing has moved
    for `channel_seconds` is closed. `knows` says by the headers (names in capitals, with underscores) whether the
    sender may send more than STRANGERS_BYTES: the disk is not for strangers, whatever they are answered later.
    """

    threads: int
    connections: int
    max_body_bytes: int
    spool: Path
    reserve_bytes: int
    channel_seconds: int = CHANNEL_SECONDS
    knows: Callable[[Mapping[str, str]], bool] = lambda headers: True

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
                if not limits.knows(self.headers):
                    self.error = Unauthorised("log in first, or send an API token")
                    self.completed = True

        def _check_room(self, expected: int) -> None:
            found = os.statvfs(limits.spool)
            if found.f_bavail * found.f_frsize - expected < limits.reserve_bytes:
                self.error = InsufficientStorage("there is no room for this body")
                self.completed = True

    return ReservingParser


class _Patient:
    """Also ends a connection whose reader has stopped reading: the thread that answers it would wait for ever."""

    adj: Any
    active_channels: dict[int, Any]

    def maintenance(self, now: float) -> None:
        super().maintenance(now)  # type: ignore[misc]
        cutoff = now - self.adj.channel_timeout
        for channel in list(self.active_channels.values()):
            if channel.total_outbufs_len and channel.last_activity < cutoff:
                channel.handle_close()


class _TcpServer(_Patient, TcpWSGIServer):  # type: ignore[misc]
    """waitress's server for TCP."""


class _UnixServer(_Patient, UnixWSGIServer):  # type: ignore[misc]
    """waitress's server for a socket in the file system."""


class WebServer:
    """One WSGI application on one TCP port, or on one socket in the file system."""

    def __init__(self, application: WSGIApplication, host: str, port: int, limits: Limits, key: str = "web") -> None:
        """Bind the port; nothing is accepted yet. Raises ConfigurationError when it cannot be had.

        `key` is the table of the configuration that host and port come from.
        """
        self._listen(application, _bind(host, port, key), limits)
        self.port: int = self._server.socket.getsockname()[1]

    @classmethod
    def on_socket(cls, application: WSGIApplication, path: Path, limits: Limits, key: str) -> Self:
        """Return a server on the socket `path`, for its owner and group alone; its `port` is 0.

        A socket that a killed process has left there is replaced. Raises ConfigurationError.
        """
        server = cls.__new__(cls)
        server._listen(application, _bind_socket(path, key), limits)
        server.port = 0
        return server

    @classmethod
    def on_listening(cls, application: WSGIApplication, listening: socket.socket, limits: Limits) -> Self:
        """Return a server on a socket that listens already, and is the server's from now on."""
        server = cls.__new__(cls)
        server._listen(application, listening, limits)
        server.port = 0 if listening.family == socket.AF_UNIX else int(listening.getsockname()[1])
        return server

    def _listen(self, application: WSGIApplication, listening: socket.socket, limits: Limits) -> None:
        adjustments = limits.adjustments()
        channel = type("Channel", (HTTPChannel,), {"parser_class": _parser(limits)})
        local = listening.family == socket.AF_UNIX
        protocol = 0 if local else socket.IPPROTO_TCP
        sockinfo = (listening.family, socket.SOCK_STREAM, protocol, listening.getsockname())
        self._map: dict[int, Any] = {}
        self._server = (_UnixServer if local else _TcpServer)(
            application, self._map, True, listening, adj=adjustments, sockinfo=sockinfo, bind_socket=False
        )
        self._server.channel_class = channel
        self._ending = False
        self._thread = threading.Thread(target=self._loop, name="http", daemon=True)

    def start(self, beat: Callable[[], None] = lambda: None) -> None:
        """Serve, in threads of its own; the loop calls `beat` about once a second and with every event."""
        self._beat = beat
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
            self._beat()
            wasyncore.loop(timeout=LOOP_SECONDS, use_poll=True, map=self._map, count=1)


def _bind(host: str, port: int, key: str) -> socket.socket:
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
            f"{key}.host = {host}, {key}.port = {port}: cannot listen there: {error.strerror}",
            hint="stop the other program, or choose another port",
        ) from error
    return listening


def _bind_socket(path: Path, key: str) -> socket.socket:
    """Bind under another name and rename: whoever connects in between reaches the old socket or the new one."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(None, "there is something else")
        fresh.unlink(missing_ok=True)
        listening.bind(str(fresh))
        fresh.chmod(SOCKET_MODE)
        fresh.rename(path)
    except OSError as error:
        listening.close()
        fresh.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{key}.socket = {path}: cannot listen there: {error.strerror or error}",
            hint="choose a short path in a directory that exists and the service may write",
        ) from error
    return listening
