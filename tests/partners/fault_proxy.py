"""A TCP proxy on loopback that fails between client and server, in the way a test says."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

from tests.partners.faults import PASS, Fault, Kind
from tests.partners.lasting_ports import lasting_ports
from tests.partners.proxy_link import Link, reset

TICK = 0.02


class FaultProxy:
    """Forwards connections to a port of 127.0.0.1. A context manager: on exit every socket is closed.

    The fault may be switched at any time and counts at once, for connections that are open too.
    """

    def __init__(self, target_port: int) -> None:
        """Listen on a port of its own, `port`, which stays the same over REFUSE and back."""
        (self.port,) = lasting_ports(1)
        self.target_port = target_port
        self._lock = threading.Lock()
        self._fault, self._left, self._armed = PASS, 0, 0
        self._accepted = self._fired = self._spent = 0
        self._links: list[threading.Thread] = []
        self._closing = threading.Event()
        self._listener: socket.socket | None = self._listen()
        self._door = threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True)
        self._door.start()

    def set(self, fault: Fault, times: int = 0) -> None:
        """Fail this way from now on; after `times` connections fell to it, pass again (0: for ever)."""
        assert not times or fault.kind is not Kind.REFUSE, "refused connections are not seen, so not counted"
        with self._lock:
            self._fault, self._left = fault, times
            self._armed += 1
            if fault.kind is Kind.REFUSE:
                self._close_listener()
            elif self._listener is None:
                self._listener = self._listen()

    @property
    def connections(self) -> int:
        """Connections accepted so far; refused ones are not seen."""
        return self._accepted

    @property
    def fired(self) -> int:
        """Connections that were reset by a fault so far."""
        return self._fired

    @property
    def open_connections(self) -> int:
        """Connections forwarded now."""
        return sum(thread.is_alive() for thread in self._links)

    def current(self) -> tuple[Fault, int]:
        """The fault in force, and a number that changes with every `set`; for the links."""
        with self._lock:
            return self._fault, self._armed

    def spend(self, size: int, every: int) -> int:
        """Count bytes of a RESET_EVERY; return how many pass before it strikes. For the links."""
        with self._lock:
            self._spent += size
            if self._spent < every:
                return size
            passed, self._spent = max(0, size - (self._spent - every) - 1), 0
            return passed

    def fire(self) -> None:
        """A link reset its connection by the fault in force."""
        with self._lock:
            self._fired += 1
            if self._left:
                self._left -= 1
                if not self._left:
                    self._fault, self._armed = PASS, self._armed + 1

    @property
    def closing(self) -> bool:
        """Whether the links must end."""
        return self._closing.is_set()

    def close(self) -> None:
        """Close the door and every connection; returns when the threads are gone."""
        self._closing.set()
        with self._lock:
            self._close_listener()
        self._door.join(10)
        for thread in self._links:
            thread.join(10)

    def __enter__(self) -> Self:
        """Return the proxy."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        # Never blocks: a listener closed under a thread in accept() would go on accepting.
        listener.setblocking(False)
        return listener

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        while not self._closing.wait(TICK):
            while self._accept_one():
                pass

    def _accept_one(self) -> bool:
        """Take one waiting caller; whether there was one."""
        with self._lock:
            if self._listener is None:
                return False
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return False
            self._accepted += 1
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            # A server that is down looks to the client as a connection that breaks at once.
            reset(client)
            return True
        link = Link(self, client, server)
        thread = threading.Thread(target=link.run, name=f"proxy-{self.port}-link", daemon=True)
        thread.start()
        self._links = [*(other for other in self._links if other.is_alive()), thread]
        return True
