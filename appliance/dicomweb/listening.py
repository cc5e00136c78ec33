"""How an HTTP answer is listened to: silence, trickling and a wish to stop end it, wherever in it they come.

A timeout of the HTTP library counts from byte to byte: one byte now and then, in the headers or in
the body, would hold a caller for years.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from appliance.dicomweb.faults import Stopped

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SLICE_SECONDS: Final = 0.2
# Less than the slowest modem: a service that gives less gives nothing.
LEAST_RATE: Final = 4 << 10
# An answer on its way when the wish to stop comes may still save a repetition.
STOP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to listen: `seconds` of silence, and in all `seconds` more than LEAST_RATE takes for what came."""

    seconds: float
    stopping: Callable[[], bool] = lambda: False
    least_rate: float = LEAST_RATE


class _Line(io.RawIOBase):
    """One answer's bytes as they come. Raises TimeoutError when patience ends, Stopped on a wish to stop."""

    def __init__(self, raw: io.RawIOBase, connected: socket.socket, patience: Patience) -> None:
        self._raw = raw  # it holds the socket open
        self._socket = connected
        self._patience = patience
        self._began = time.monotonic()
        self._read = 0
        self._stop_at: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        began = time.monotonic()
        try:
            while True:
                self._socket.settimeout(min(SLICE_SECONDS, self._patience.seconds))
                try:
                    found = self._socket.recv_into(buffer)
                except TimeoutError:
                    self._go_on(silent_since=began)
                else:
                    self._read += found
                    if found:
                        self._go_on(silent_since=time.monotonic())
                    return found
        finally:
            self._socket.settimeout(self._patience.seconds)

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _go_on(self, silent_since: float) -> None:
        now, patience = time.monotonic(), self._patience
        if self._stop_at is None and patience.stopping():
            self._stop_at = now + STOP_SECONDS
        if self._stop_at is not None and now >= self._stop_at:
            raise Stopped
        if now - silent_since >= patience.seconds:
            raise TimeoutError("silent")
        if now - self._began > patience.seconds + self._read / patience.least_rate:
            raise TimeoutError("a trickle")


def pools(patience: Patience) -> dict[str, Any]:
    """Return connection pools by scheme, for a PoolManager, whose answers are listened to with this patience."""

    class Listened(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(_Line(raw, sock, patience))

    class Plain(HTTPConnection):
        response_class = Listened

    class Secure(HTTPSConnection):
        response_class = Listened

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
