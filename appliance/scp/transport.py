"""The socket of one association: read into one reusable buffer, woken by bytes or by another thread."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

BUFFER_SIZE = 512 * 1024
# How long an interrupted connection tries to get a last PDU out.
LAST_WORD_SECONDS = 2.0

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ConnectionOver(Exception):
    """Nothing more can be read or written; the message says why."""


class Interrupted(ConnectionOver):
    """Another thread wants this connection to end."""


# Takes received bytes and returns how many of them it used: a prefix, all but an incomplete header.
Feed = Callable[[memoryview], int]


class Connection:
    """One accepted connection. Used by one thread, except for `interrupt`.

    `received` are bytes read before this connection was ours. `timeout` is in seconds: how long a read
    may bring nothing and a write may not progress. The buffer's pages cost memory only once used.
    """

    def __init__(self, sock: socket.socket, received: bytes, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._buffer = memoryview(bytearray(max(BUFFER_SIZE, len(received))))
        self._buffer[: len(received)] = received
        self._held = len(received)
        self._quick_ack = None if isinstance(sock, ssl.SSLSocket) else _QUICKACK
        self._lock = threading.Lock()
        self._interrupted = False
        # The owner knows of the interrupt and says its last words: the wake-up call is not heeded again.
        self._parting = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        sock.setblocking(False)

    @property
    def sock(self) -> socket.socket:
        """The socket itself, for pynetdicom's own bookkeeping."""
        return self._sock

    def pump(self, feed: Feed) -> int:
        """Wait for bytes, give them to `feed`, and return how many came.

        Raises TimeoutError when none came in time, ConnectionOver when the peer closed, Interrupted.
        """
        count = self._receive(self._buffer[self._held :])
        if not count:
            raise ConnectionOver("connection closed by peer")
        self._acknowledge()
        self._offer(feed, self._held + count)
        return count

    def feed_received(self, feed: Feed) -> None:
        """Give `feed` the bytes that came before this connection was ours."""
        if self._held:
            self._offer(feed, self._held)

    def send(self, data: bytes) -> None:
        """Send everything. Raises ConnectionOver when the peer does not take it in time."""
        rest = memoryview(data)
        while rest:
            self._parting = self._interrupted
            try:
                rest = rest[self._sock.send(rest) :]
            except _WOULD_BLOCK as wait:
                self._wait(wait, self._timeout, select.POLLOUT)
            except (OSError, ValueError) as error:
                raise ConnectionOver(f"cannot send ({type(error).__name__})") from error

    def interrupt(self) -> None:
        """Make `pump` raise Interrupted, also when it waits already. For other threads; safe to repeat.

        A last PDU can still be sent.
        """
        with self._lock:
            self._interrupted = True
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def close(self, linger: float = 0.0) -> None:
        """Close; with `linger`, give the peer so many seconds to close first (PS3.8's ARTIM timer).

        What the peer still sends is read and dropped, for a close with unread bytes would tear the last
        PDU out of its hands.
        """
        with contextlib.suppress(OSError, ValueError, ConnectionOver):
            if linger:
                self._wait_for_close(linger)
        with contextlib.suppress(OSError):
            self._sock.close()
        with self._lock:
            wake, self._wake = self._wake, -1
        if wake >= 0:
            os.close(wake)

    def _receive(self, into: memoryview) -> int:
        while not self._interrupted:
            try:
                return self._sock.recv_into(into)
            except _WOULD_BLOCK as reason:
                self._wait(reason, self._timeout, select.POLLIN)
            except (OSError, ValueError) as error:
                raise ConnectionOver(f"connection lost ({type(error).__name__})") from error
        raise Interrupted("interrupted")

    def _wait(self, reason: BaseException, timeout: float, events: int) -> None:
        """Wait until the socket is ready as `reason` (TLS) or `events` (plain) demands, or an interrupt."""
        if isinstance(reason, ssl.SSLWantReadError):
            events = select.POLLIN
        elif isinstance(reason, ssl.SSLWantWriteError):
            events = select.POLLOUT
        poll = select.poll()
        poll.register(self._sock, events)
        if self._parting:
            timeout = min(timeout, LAST_WORD_SECONDS)
        else:
            poll.register(self._wake, select.POLLIN)
        if poll.poll(timeout * 1000):
            return
        if events == select.POLLIN:
            raise TimeoutError
        raise ConnectionOver("the peer takes nothing")

    def _offer(self, feed: Feed, end: int) -> None:
        used = feed(self._buffer[:end])
        self._held = end - used
        if self._held and used:
            self._buffer[: self._held] = bytes(self._buffer[used:end])

    def _acknowledge(self) -> None:
        # A sender with Nagle's algorithm on holds its next small segment back until we acknowledge; the
        # kernel would delay that by 40 ms. The option wears off, so it is set after every read.
        if self._quick_ack is not None:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, self._quick_ack, 1)

    def _wait_for_close(self, linger: float) -> None:
        # Not the method of SSLSocket, which would drop the session.
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        self._parting = True
        deadline = time.monotonic() + linger
        while (left := deadline - time.monotonic()) > 0:
            try:
                if not self._sock.recv_into(self._buffer):
                    return
            except _WOULD_BLOCK as reason:
                self._wait(reason, left, select.POLLIN)
