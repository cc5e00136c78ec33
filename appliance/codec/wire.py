"""What pool and child, and service and caller, say to each other: messages over a socket, each with kind and length."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

HEAD: Final = struct.Struct("<cI")
# A child is not believed about lengths: no message may be longer.
LONGEST: Final = 16 << 20
PIECE: Final = 4 << 20
SMALL: Final = 16 << 10

READY: Final = b"R"
TASK: Final = b"Q"
DATA: Final = b"D"
FACTS: Final = b"F"
FAULT: Final = b"E"
# Of the service alone: it is there and at work; how many children it has ended so far.
WAITING: Final = b"W"
TALLY: Final = b"N"


class Garbled(Exception):
    """The other side said something that is no message."""


class Wire:
    """One end of the connection. Not for several threads at once.

    Everything raises EOFError (or another OSError) when the other side has gone, and TimeoutError once
    `deadline`, a time of time.monotonic, has passed.
    """

    def __init__(self, connection: socket.socket, longest: int = LONGEST) -> None:
        """Speak through `connection`, which `close` closes; take no message longer than `longest` bytes."""
        self._connection = connection
        self._longest = longest
        self.deadline: float | None = None

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self._connection.close()

    def send(self, kind: bytes, payload: bytes | memoryview) -> None:
        """Send one message of at most LONGEST bytes."""
        self._hurry()
        head = HEAD.pack(kind, len(payload))
        if len(payload) <= SMALL:  # in one piece, so that the other side is woken once
            self._connection.sendall(head + payload)
            return
        self._connection.sendall(head)
        self._connection.sendall(payload)

    def send_document(self, kind: bytes, document: Mapping[str, Any]) -> None:
        """Send one message that holds a JSON object."""
        self.send(kind, json.dumps(document, ensure_ascii=True).encode())

    def send_data(self, data: bytes | memoryview) -> None:
        """Send bytes in as many messages as they need."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), PIECE):
            self.send(DATA, view[start : start + PIECE])

    def send_task(self, document: Mapping[str, Any], descriptor: int) -> None:
        """Send a task with the open file it is about."""
        payload = json.dumps(document, ensure_ascii=True).encode()
        self._hurry()
        message = HEAD.pack(TASK, len(payload)) + payload
        sent = socket.send_fds(self._connection, [message], [descriptor])
        self._connection.sendall(message[sent:])

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next message's kind and payload. Raises Garbled."""
        return self._message(self._exactly(HEAD.size))

    def receive_task(self) -> tuple[dict[str, Any], int]:
        """Return the next task and a descriptor that the caller closes. Raises Garbled."""
        self._hurry()
        head, descriptors, _, _ = socket.recv_fds(self._connection, HEAD.size, 1, socket.MSG_CMSG_CLOEXEC)
        try:
            if not head:
                raise EOFError
            kind, payload = self._message(head + self._exactly(HEAD.size - len(head)))
            if kind != TASK or len(descriptors) != 1:
                raise Garbled
            return document_of(payload), descriptors[0]
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise

    def _message(self, head: bytes) -> tuple[bytes, bytes]:
        kind, length = HEAD.unpack(head)
        if length > self._longest:
            raise Garbled
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        while got < size:
            self._hurry()
            count = self._connection.recv_into(view[got:])
            if not count:
                raise EOFError
            got += count
        return bytes(buffer)

    def _hurry(self) -> None:
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


def document_of(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in a message. Raises Garbled for anything else."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        raise Garbled from None
    if not isinstance(document, dict):
        raise Garbled
    return document
