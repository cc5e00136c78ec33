"""A DICOM sender that puts exactly the bytes it is told on the wire, right or wrong.

Toolkits decode and encode again what they send. Round trips must be compared byte for byte, and hostile
input must not be mended on the way: this writes PDUs by hand and knows only what it needs.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION = "2.25.1"

COMMAND, DATA, LAST = 0x01, 0x00, 0x02


class Rejected(Exception):
    """The association was rejected with `codes` (result, source, reason)."""

    def __init__(self, codes: tuple[int, int, int]) -> None:
        super().__init__(f"rejected {codes}")
        self.codes = codes


class Aborted(Exception):
    """The association was aborted (source, reason), or the connection closed (None)."""

    def __init__(self, codes: tuple[int, int] | None) -> None:
        super().__init__(f"aborted {codes}")
        self.codes = codes


@dataclass(frozen=True)
class Response:
    """A response's status, its Error Comment and all its elements by element number (group 0000)."""

    status: int
    comment: str
    elements: Mapping[int, bytes]


def item(kind: int, body: bytes) -> bytes:
    """An item or sub-item of an association PDU."""
    return struct.pack(">BxH", kind, len(body)) + body


def pdu(kind: int, body: bytes) -> bytes:
    """A whole PDU."""
    return struct.pack(">BxL", kind, len(body)) + body


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    """A presentation data value item."""
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def associate_request(
    calling: str,
    called: str,
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    max_pdu: int = 16384,
    protocol_version: int = 1,
) -> bytes:
    """An A-ASSOCIATE-RQ PDU; context IDs are 1, 3, 5, ... in the order of `contexts`."""
    body = struct.pack(">Hxx", protocol_version)
    body += called.encode().ljust(16)[:16] + calling.encode().ljust(16)[:16] + bytes(32)
    body += item(0x10, _APPLICATION_CONTEXT.encode())
    for number, (abstract, syntaxes) in enumerate(contexts):
        inner = item(0x30, abstract.encode())
        inner += b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
        body += item(0x20, struct.pack(">Bxxx", 2 * number + 1) + inner)
    user = item(0x51, struct.pack(">L", max_pdu)) + item(0x52, _IMPLEMENTATION.encode())
    return pdu(0x01, body + item(0x50, user))


def element(number: int, value: bytes) -> bytes:
    """An element of group 0000, Implicit VR Little Endian."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def command_set(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A command set with its group length."""
    body = b"".join(element(number, value) for number, value in elements)
    return element(0, struct.pack("<L", len(body))) + body


def uid_bytes(uid: str) -> bytes:
    """A UID padded to even length."""
    encoded = uid.encode("latin-1")
    return encoded + b"\0" * (len(encoded) % 2)


def us(value: int) -> bytes:
    """An unsigned short."""
    return struct.pack("<H", value)


def store_command(sop_class: str, sop_uid: str, message_id: int = 1, data_set_type: int = 0) -> bytes:
    """A C-STORE-RQ command set; an empty UID leaves its element out."""
    elements = [(0x0002, uid_bytes(sop_class))] if sop_class else []
    elements += [(0x0100, us(1)), (0x0110, us(message_id)), (0x0700, us(0)), (0x0800, us(data_set_type))]
    elements += [(0x1000, uid_bytes(sop_uid))] if sop_uid else []
    return command_set(elements)


def echo_command(message_id: int = 1) -> bytes:
    """A C-ECHO-RQ command set."""
    return command_set(
        [
            (0x0002, uid_bytes(VERIFICATION)),
            (0x0100, us(0x30)),
            (0x0110, us(message_id)),
            (0x0800, us(0x0101)),
        ]
    )


class RawScu:
    """One association as requestor, opened by `open()` or the with statement.

    `contexts` are (abstract syntax, transfer syntaxes) pairs; `store` picks the first accepted context
    of the SOP class with the given transfer syntax. `accepted` maps context ID to transfer syntax.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        calling: str = "RAWSCU",
        called: str = "APPLIANCE",
        contexts: Sequence[tuple[str, Sequence[str]]] = ((VERIFICATION, (IMPLICIT,)),),
        tls: ssl.SSLContext | None = None,
        timeout: float = 20.0,
        max_pdu: int = 16384,
        nodelay: bool = True,
    ) -> None:
        self.address = (host, port)
        self.calling, self.called, self.contexts = calling, called, tuple(contexts)
        self.accepted: dict[int, str] = {}
        self.results: dict[int, int] = {}
        self.peer_max_pdu = 0
        self.message_id = 0
        self._tls, self._timeout, self._max_pdu, self._nodelay = tls, timeout, max_pdu, nodelay
        self._sock: socket.socket | None = None

    @property
    def sock(self) -> socket.socket:
        """The connected socket, for tests that send something of their own."""
        assert self._sock is not None
        return self._sock

    def connect(self) -> RawScu:
        """Open the TCP (and TLS) connection only."""
        sock = socket.create_connection(self.address, self._timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(self._nodelay))
        self._sock = self._tls.wrap_socket(sock, server_hostname="localhost") if self._tls else sock
        return self

    def open(self) -> RawScu:
        """Connect and associate. Raises Rejected or Aborted; the connection is then closed."""
        self.connect()
        try:
            self._associate()
        except BaseException:
            self.close()
            raise
        return self

    def _associate(self) -> None:
        self.send(associate_request(self.calling, self.called, self.contexts, max_pdu=self._max_pdu))
        kind, body = self.read_pdu()
        if kind != 0x02:
            raise AssertionError(f"unexpected PDU {kind}")
        self._read_acceptance(body)

    def _read_acceptance(self, body: bytes) -> None:
        for kind, content in _items(body[68:]):
            if kind == 0x21:
                self.results[content[0]] = content[2]
                if content[2] == 0:
                    self.accepted[content[0]] = _items(content[4:])[0][1].decode()
            elif kind == 0x50:
                sub = dict(_items(content))
                self.peer_max_pdu = int(struct.unpack(">L", sub[0x51])[0])

    def context_for(self, sop_class: str, syntax: str) -> int:
        """The ID of an accepted context."""
        for number, (abstract, _) in enumerate(self.contexts):
            context_id = 2 * number + 1
            if abstract == sop_class and self.accepted.get(context_id) == syntax:
                return context_id
        raise LookupError(f"no accepted context for {sop_class} with {syntax}")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def send_fragments(self, context_id: int, kind: int, data: bytes, fragment: int | None = None) -> None:
        """Send a command set or data set in P-DATA-TF PDUs of at most `fragment` data bytes."""
        room = fragment or max((self.peer_max_pdu or 1 << 20) - 6, 1)
        pieces = [data[start : start + room] for start in range(0, len(data), room)] or [b""]
        for number, piece in enumerate(pieces):
            last = LAST if number == len(pieces) - 1 else 0
            self.send(pdu(0x04, pdv(context_id, kind | last, piece)))

    def store(
        self,
        sop_class: str,
        sop_uid: str,
        syntax: str,
        dataset_bytes: bytes,
        *,
        fragment: int | None = None,
        context_id: int | None = None,
    ) -> int:
        """C-STORE exactly these data set bytes; the status of the response."""
        return self.store_response(
            sop_class, sop_uid, syntax, dataset_bytes, fragment=fragment, context_id=context_id
        ).status

    def store_response(
        self,
        sop_class: str,
        sop_uid: str,
        syntax: str,
        dataset_bytes: bytes,
        *,
        fragment: int | None = None,
        context_id: int | None = None,
    ) -> Response:
        """As `store`, with the whole response."""
        context_id = context_id or self.context_for(sop_class, syntax)
        self.message_id += 1
        self.send_fragments(context_id, COMMAND, store_command(sop_class, sop_uid, self.message_id))
        self.send_fragments(context_id, DATA, dataset_bytes, fragment)
        return self.read_response()

    def echo(self) -> int:
        """C-ECHO; its status."""
        self.message_id += 1
        context_id = self.context_for(VERIFICATION, IMPLICIT)
        self.send_fragments(context_id, COMMAND, echo_command(self.message_id))
        return self.read_response().status

    def read_response(self) -> Response:
        """The next response. Raises Aborted when there is none."""
        encoded = b""
        while True:
            kind, body = self.read_pdu()
            assert kind == 0x04, f"unexpected PDU {kind}"
            encoded += body[6:]
            if body[5] & LAST:
                break
        elements = _elements(encoded)
        status = struct.unpack("<H", elements[0x0900])[0]
        comment = elements.get(0x0902, b"").decode("latin-1").rstrip()
        return Response(status, comment, elements)

    def read_pdu(self) -> tuple[int, bytes]:
        """The next PDU as (type, body). Raises Rejected and Aborted."""
        head = self._read(6)
        kind, length = struct.unpack(">BxL", head)
        body = self._read(length)
        if kind == 0x03:
            raise Rejected((body[1], body[2], body[3]))
        if kind == 0x07:
            raise Aborted((body[2], body[3]))
        return kind, body

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                piece = self.sock.recv(count - len(data))
            except ConnectionError:
                piece = b""
            if not piece:
                raise Aborted(None)
            data += piece
        return data

    def closed_by_peer(self) -> bool:
        """Wait for the peer's end of the connection; whatever it says before is dropped."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            return True
        return True

    def abort(self) -> None:
        """A-ABORT and close."""
        self.send(pdu(0x07, bytes(4)))
        self.close()

    def release(self) -> None:
        """A-RELEASE, then close."""
        self.send(pdu(0x05, bytes(4)))
        kind, _ = self.read_pdu()
        assert kind == 0x06, f"unexpected PDU {kind}"
        self.close()

    def close(self) -> None:
        """Close the connection without a word."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def __enter__(self) -> RawScu:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sock is None:
            return
        if kind is None:
            self.release()
        else:
            self.close()


def _items(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, length = struct.unpack(">BxH", data[:4])
        found.append((kind, data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def _elements(encoded: bytes) -> dict[int, bytes]:
    found = {}
    while encoded:
        _, number, length = struct.unpack("<HHL", encoded[:8])
        found[number] = encoded[8 : 8 + length]
        encoded = encoded[8 + length :]
    return found
