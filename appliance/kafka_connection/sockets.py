"""Connections of the Kafka client that are closed when they come to nothing, and heard to the end.

The library drops what arrived together with the end of a connection: a broker's refusal of a
login would look like a bad line. And it leaves a socket behind, until the garbage collector passes
by, for every refused connection, for every failed TLS handshake, and for every connection that is
closed while something is still to be written: a broker that is away or hangs for days would cost
descriptors.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any

from kafka import errors
from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

Option = tuple[int, int, int]


class _Attentive:
    """Hands on what was read before it tells of the connection's end; that is found again at the next read."""

    _write_buffer: deque[Any]

    def close(self) -> None:
        """Close at once. The library would wait until everything is written, on a stalled line for ever.

        Nothing is lost by it: a message counts when it was acknowledged, and nobody hears that any more.
        """
        self._write_buffer.clear()
        super().close()  # type: ignore[misc]  # the transport beside it in the classes below

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        data, error = super()._sock_recv()  # type: ignore[misc]  # as above
        return data, None if data else error


class _TcpTransport(_Attentive, KafkaTCPTransport):  # type: ignore[misc]  # the library has no types
    """A connection in the clear."""


class _TlsTransport(_Attentive, KafkaSSLTransport):  # type: ignore[misc]  # the library has no types
    """A connection through TLS."""


async def open_transport(
    net: Any, address: tuple[str, int], options: Sequence[Option], tls: ssl.SSLContext | None, timeout_at: float | None
) -> Any:
    """Return the library's transport to a broker, its TLS handshake done.

    `timeout_at` is on the monotonic clock. Raises KafkaConnectionError, with what is behind it as
    its cause; no socket is left open then.
    """
    connected = await _connected(net, address, options, timeout_at)
    host = address[0]
    try:
        if tls is None:
            return _TcpTransport(net, connected, host=host)
        transport = _TlsTransport(net, connected, host=host, ssl_context=tls)
    except BaseException:
        connected.close()
        raise
    try:
        await transport.handshake()
    except BaseException as error:
        transport.abort(error)
        if isinstance(error, Exception):
            raise errors.KafkaConnectionError("the TLS handshake failed") from error
        raise
    return transport


async def _connected(
    net: Any, address: tuple[str, int], options: Sequence[Option], timeout_at: float | None
) -> socket.socket:
    """Try the addresses of a host one after the other."""
    caller = KafkaNetSocket()
    failure: Exception = errors.KafkaConnectionError("the host's name is not known")
    for family, kind, protocol, _, place in caller.dns_lookup(*address):
        attempt = socket.socket(family, kind, protocol)
        try:
            attempt.setblocking(False)
            for option in options:
                attempt.setsockopt(*option)
            await caller.sock_connect(net, attempt, place, timeout_at=timeout_at)
        except (OSError, errors.KafkaError) as error:
            attempt.close()
            failure = error
        except BaseException:
            attempt.close()
            raise
        else:
            return attempt
    raise errors.KafkaConnectionError("no address of the broker accepts a connection") from failure
