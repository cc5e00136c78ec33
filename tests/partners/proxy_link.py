"""One proxied connection: both directions in one thread, so that a reset is a reset at once."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Protocol

from tests.partners.faults import Fault, Kind

CHUNK = 65536
TICK = 0.02
END_OF_HEADER = b"\r\n\r\n"


class Owner(Protocol):
    """What a link asks its proxy."""

    @property
    def closing(self) -> bool:
        """Whether to end."""

    def current(self) -> tuple[Fault, int]:
        """The fault in force and the number of its arming."""

    def fire(self) -> None:
        """The fault has struck."""

    def spend(self, size: int, every: int) -> int:
        """How many of `size` bytes pass before the line breaks again; fewer than `size` when it does."""


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Way:
    """One direction: what was read and not yet written, and how much may flow now."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        """Nothing has been read."""
        self.source, self.sink = source, sink
        self.pending = bytearray()
        self.ended = self.closed = False
        self._allowed, self._since = 0.0, time.monotonic()

    @property
    def wants_read(self) -> bool:
        """Whether there is room for more."""
        return not self.ended and len(self.pending) < CHUNK

    def read(self) -> bytes:
        """Take what has come; b"" at its end."""
        data = self.source.recv(CHUNK)
        self.ended = not data
        return data

    def budget(self, fault: Fault) -> int:
        """Bytes that may be written now."""
        now = time.monotonic()
        if fault.kind is not Kind.TRICKLE:
            self._allowed, self._since = 0.0, now
            return 0 if fault.kind is Kind.STALL else len(self.pending)
        # No more than a second's worth is ever saved up.
        self._allowed = min(self._allowed + (now - self._since) * fault.amount, max(fault.amount, 1))
        self._since = now
        return min(int(self._allowed), len(self.pending))

    def write(self, limit: int) -> None:
        """Write up to `limit` of what is pending."""
        sent = self.sink.send(self.pending[:limit])
        del self.pending[:sent]
        self._allowed -= sent

    def close_when_done(self) -> None:
        """Hand the end on, once all before it is through."""
        if self.ended and not self.pending and not self.closed:
            self.closed = True
            self.sink.shutdown(socket.SHUT_WR)


class Link:
    """A client's connection and ours to the server."""

    def __init__(self, owner: Owner, client: socket.socket, server: socket.socket) -> None:
        """Take both; `run` closes them."""
        self._owner, self._client, self._server = owner, client, server
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._up, self._down = Way(client, server), Way(server, client)
        self._armed = -1
        self._passed = 0
        self._tail = b""

    def run(self) -> None:
        """Forward until either side is gone, a fault strikes, or the proxy closes."""
        try:
            while not self._owner.closing and not (self._up.closed and self._down.closed):
                if self._turn():
                    self._owner.fire()
                    break
        except OSError:
            pass  # One side is gone; the other is told by the reset below.
        finally:
            finished = self._up.closed and self._down.closed
            for sock in (self._client, self._server):
                sock.close() if finished else reset(sock)

    def _turn(self) -> bool:
        """Move what can be moved; whether the fault has struck."""
        fault, armed = self._owner.current()
        if armed != self._armed:
            self._armed, self._passed, self._tail = armed, 0, b""
        if fault.kind is Kind.REFUSE:
            return True
        ways = (self._up, self._down)
        budgets = {way.sink: way.budget(fault) for way in ways}
        reading = [way.source for way in ways if way.wants_read]
        writing = [way.sink for way in ways if budgets[way.sink]]
        readable, writable, _ = select.select(reading, writing, [], TICK)
        if self._owner.current()[1] != armed:
            return False  # Switched while we waited: what has come falls under the new fault.
        for way in ways:
            if way.source in readable and self._read(way, fault):
                return True
            if way.sink in writable:
                way.write(budgets[way.sink])
            if fault.kind is not Kind.STALL:
                way.close_when_done()
        return False

    def _read(self, way: Way, fault: Fault) -> bool:
        data = way.read()
        if not data:
            return False
        if way is self._down:
            way.pending += data
            return fault.kind is Kind.LOSE_ANSWER
        keep, strikes = self._cut(data, fault)
        way.pending += data[:keep]
        if strikes:
            self._flush(way)
        return strikes

    def _cut(self, data: bytes, fault: Fault) -> tuple[int, bool]:
        """How much of the client's data still passes, and whether the fault strikes behind it."""
        if fault.kind is Kind.RESET_REQUEST:
            return 0, True
        if fault.kind is Kind.RESET_EVERY:
            keep = self._owner.spend(len(data), fault.amount)
            return keep, keep < len(data)
        if fault.kind is Kind.CUT:
            keep = min(len(data), fault.amount - self._passed)
            self._passed += keep
            return keep, self._passed >= fault.amount
        if fault.kind is Kind.RESET_BODY:
            seen = self._tail + data
            end = seen.find(END_OF_HEADER)
            if end >= 0:
                return end + len(END_OF_HEADER) - len(self._tail), True
            self._tail = seen[-len(END_OF_HEADER) + 1 :]
        return len(data), False

    def _flush(self, way: Way) -> None:
        """Write all that is pending: a reset throws away what has not left."""
        way.sink.settimeout(5)
        way.sink.sendall(way.pending)
