"""Where connections wait until they have asked for an association: one thread, no slot, seconds each."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.clock import Clock
from appliance.logs import get_logger
from appliance.scp.access import bare_address
from appliance.scp.crowd import Crowd
from appliance.scp.listeners import Listener
from appliance.scp.pdu import ProtocolError, encode_abort
from appliance.scp.waiting import Distrusted, Gone, Stage, Waiting

# How long a rejected peer may take to hang up, and how long to rest when no file descriptor is left.
FAREWELL = 1.0
REST = 0.2
# Nobody may come for hours, and the room is to know all the same that somebody would be let in.
LONGEST_TURN = 5.0


@dataclass(frozen=True, slots=True)
class LobbyLimits:
    """Times in seconds; counts of connections that are not an association yet."""

    request_timeout: float
    tls_timeout: float
    max_waiting: int
    max_waiting_per_peer: int


# Takes (connection, A-ASSOCIATE-RQ PDU); None when it took the socket over, else the last words to send.
Receive = Callable[[Waiting, bytes], bytes | None]
# Told of a connection whose certificate is not believed, and why.
Distrust = Callable[[Waiting, str], None]


class Lobby:
    """Accepts, shakes hands and reads requests, never waiting for any one peer.

    `receive` and `distrust` are called in the lobby's thread and must not block. So is `beat`, every few seconds.
    """

    def __init__(
        self, listeners: Sequence[Listener], limits: LobbyLimits, receive: Receive, distrust: Distrust, clock: Clock,
        beat: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._listeners = tuple(listeners)
        self._limits = limits
        self._receive = receive
        self._distrust = distrust
        self._clock = clock
        self._beat = beat
        self._crowd = Crowd(limits.max_waiting, limits.max_waiting_per_peer)
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._closing = threading.Event()
        self._resting_until: float | None = None
        self._thread = threading.Thread(target=self._run, name="lobby", daemon=True)

    @property
    def waiting(self) -> int:
        """Connections that are not an association yet."""
        return len(self._crowd)

    @property
    def alive(self) -> bool:
        """Whether it accepts."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start accepting."""
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._listen(True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, close what waits and the listening sockets. Safe to repeat."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")
        if self._thread.ident is None:
            self._clean_up()
        else:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._turn()
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        for waiting in self._crowd:
            self._dismiss(waiting)
        for listener in self._listeners:
            listener.sock.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _turn(self) -> None:
        self._beat()
        for key, _ in self._selector.select(self._patience()):
            if isinstance(key.data, Listener):
                self._accept(key.data)
            elif isinstance(key.data, Waiting):
                self._attend(key.data)
        now = self._clock.monotonic()
        for waiting in self._crowd.expired(now):
            self._dismiss(waiting)
        if self._resting_until is not None and now >= self._resting_until:
            self._listen(True)

    def _patience(self) -> float:
        times = [t for t in (self._crowd.next_deadline(), self._resting_until) if t is not None]
        return min(LONGEST_TURN, max(0.0, min(times) - self._clock.monotonic())) if times else LONGEST_TURN

    def _listen(self, on: bool) -> None:
        self._resting_until = None if on else self._clock.monotonic() + REST
        for listener in self._listeners:
            if on:
                self._selector.register(listener.sock, selectors.EVENT_READ, listener)
            else:
                self._selector.unregister(listener.sock)

    def _accept(self, listener: Listener) -> None:
        try:
            sock, address = listener.sock.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            get_logger(__name__).error("cannot accept a connection", reason=error.strerror)
            self._make_room()
            return
        try:
            waiting = self._welcome(listener, sock, address)
        except OSError:
            sock.close()
            return
        self._selector.register(waiting.sock, waiting.events, waiting)
        pushed_out = self._crowd.add(waiting)
        if pushed_out is not None:
            self._dismiss(pushed_out)

    def _welcome(self, listener: Listener, sock: socket.socket, address: tuple[str, int]) -> Waiting:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stage, patience = Stage.REQUEST, self._limits.request_timeout
        if listener.tls is not None:
            sock = listener.tls.context().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            stage, patience = Stage.HANDSHAKE, self._limits.tls_timeout
        deadline = self._clock.monotonic() + patience
        return Waiting(sock, bare_address(address[0]), address[1], stage, deadline)

    def _make_room(self) -> None:
        """Out of file descriptors: give up the longest waiting connection and look away for a moment."""
        oldest = self._crowd.oldest()
        if oldest is not None:
            self._dismiss(oldest)
        if self._resting_until is None:
            self._listen(False)

    def _attend(self, waiting: Waiting) -> None:
        try:
            self._advance(waiting)
        except ProtocolError as error:
            self._see_off(waiting, encode_abort(error.reason))
        except Distrusted as error:
            self._distrust(waiting, str(error))
            self._dismiss(waiting)
        except Gone:
            self._dismiss(waiting)
        except Exception as error:  # boundary: one connection's fault must not close the door to the others
            get_logger(__name__).exception("connection failed", kind=type(error).__name__)
            self._dismiss(waiting)

    def _advance(self, waiting: Waiting) -> None:
        stage = waiting.stage
        request = waiting.advance()
        if request is not None:
            self._hand_over(waiting, request)
            return
        if waiting.stage is not stage:
            waiting.deadline = self._clock.monotonic() + self._limits.request_timeout
        self._selector.modify(waiting.sock, waiting.events, waiting)

    def _hand_over(self, waiting: Waiting, request: bytes) -> None:
        # Out of the selector first: once it is taken over, another thread may close the socket any time.
        self._selector.unregister(waiting.sock)
        try:
            last_words = self._receive(waiting, request)
        except ProtocolError as error:
            last_words = encode_abort(error.reason)
        if last_words is None:
            self._crowd.remove(waiting)
            return
        self._selector.register(waiting.sock, selectors.EVENT_READ, waiting)
        self._see_off(waiting, last_words)

    def _see_off(self, waiting: Waiting, last_words: bytes) -> None:
        try:
            waiting.say_goodbye(last_words, self._clock.monotonic() + FAREWELL)
        except Gone:
            self._dismiss(waiting)

    def _dismiss(self, waiting: Waiting) -> None:
        self._crowd.remove(waiting)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(waiting.sock)
        waiting.close()
