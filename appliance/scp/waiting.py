"""A connection that is not an association yet: its TLS handshake and its A-ASSOCIATE-RQ are awaited."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from dataclasses import dataclass, field
from enum import Enum, auto

from appliance.scp.certificate import ClientCertificate, read_certificate
from appliance.scp.pdu import HEADER, MAX_ASSOCIATE_RQ, PduType, ProtocolError, ProviderReason

_CHUNK = 16 * 1024
NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
# Bytes that a rejected peer may still send before it is cut off.
_MAX_FAREWELL = 64 * 1024


class Stage(Enum):
    """What is awaited from the peer."""

    HANDSHAKE = auto()
    REQUEST = auto()
    FAREWELL = auto()


class Gone(Exception):
    """The peer closed, or its TLS handshake failed."""


class Distrusted(Gone):
    """The peer's certificate is not believed; the text says why, in words of the TLS library without any name."""


@dataclass(eq=False)
class Waiting:
    """One connection in the lobby; `deadline` is in monotonic seconds, `address` a bare IP address.

    The socket does not block. `advance` is called when the selector finds it ready.
    """

    sock: socket.socket
    address: str
    port: int
    stage: Stage
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    events: int = selectors.EVENT_READ

    def advance(self) -> bytes | None:
        """Do what can be done without waiting; the whole A-ASSOCIATE-RQ PDU, once it is there.

        Bytes behind the request stay in `received`. Raises Gone (Distrusted) or ProtocolError.
        """
        self.events = selectors.EVENT_READ
        try:
            if self.stage is Stage.HANDSHAKE:
                self._shake_hands()
            if self.stage is Stage.FAREWELL:
                self._ignore()
                return None
            return self._read_request() if self.stage is Stage.REQUEST else None
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except ssl.SSLWantWriteError:
            self.events = selectors.EVENT_WRITE
            return None
        except OSError as error:
            raise Gone(type(error).__name__) from error

    def certificate(self) -> ClientCertificate | None:
        """Return what the peer has shown and the handshake has verified; None without TLS or without one."""
        shown = self.sock.getpeercert(binary_form=True) if isinstance(self.sock, ssl.SSLSocket) else None
        return None if shown is None else read_certificate(shown)

    def _shake_hands(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            self.sock.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise Distrusted(f"TLS: {error.verify_message}") from error
        except ssl.SSLError as error:
            if error.reason == NO_CERTIFICATE:
                raise Distrusted("TLS: no certificate was shown") from error
            raise
        self.stage = Stage.REQUEST

    def _ignore(self) -> None:
        while data := self.sock.recv(_CHUNK):
            self.received += data
            if len(self.received) > _MAX_FAREWELL:
                break
        raise Gone("left")

    def _read_request(self) -> bytes | None:
        while True:
            request = self._request()
            if request is not None:
                return request
            data = self.sock.recv(_CHUNK)
            if not data:
                raise Gone("closed before its request was complete")
            self.received += data

    def _request(self) -> bytes | None:
        if not self.received:
            return None
        if self.received[0] != PduType.ASSOCIATE_RQ:
            raise ProtocolError("the first PDU is no A-ASSOCIATE-RQ", ProviderReason.UNEXPECTED_PDU)
        if len(self.received) < HEADER.size:
            return None
        end = HEADER.size + HEADER.unpack_from(self.received)[1]
        if end > MAX_ASSOCIATE_RQ:
            raise ProtocolError("A-ASSOCIATE-RQ too long")
        if len(self.received) < end:
            return None
        request = bytes(self.received[:end])
        del self.received[:end]
        return request

    def say_goodbye(self, last_words: bytes, deadline: float) -> None:
        """Send the last PDU and wait, until `deadline`, for the peer to close its side first.

        Raises Gone when nothing can be sent.
        """
        self.stage, self.deadline = Stage.FAREWELL, deadline
        self.received.clear()
        try:
            self.sock.send(last_words)
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError as error:
            raise Gone(type(error).__name__) from error

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self.sock.close()
