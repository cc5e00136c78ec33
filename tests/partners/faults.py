"""What can go wrong on a connection: names for the fault proxy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """Ways to fail."""

    PASS = auto()
    REFUSE = auto()
    STALL = auto()
    RESET_REQUEST = auto()
    RESET_BODY = auto()
    LOSE_ANSWER = auto()
    TRICKLE = auto()
    CUT = auto()
    RESET_EVERY = auto()


@dataclass(frozen=True)
class Fault:
    """A way to fail, with its number: bytes per second of a trickle, bytes before a cut."""

    kind: Kind
    amount: int = 0


PASS = Fault(Kind.PASS)
# Nobody listens: new connections are refused, open ones reset.
REFUSE = Fault(Kind.REFUSE)
# Connections are accepted, nothing is forwarded either way; what was held flows when the fault ends.
STALL = Fault(Kind.STALL)
# Reset at the first byte the client sends; the server sees none of it.
RESET_REQUEST = Fault(Kind.RESET_REQUEST)
# HTTP: the header reaches the server, the body does not.
RESET_BODY = Fault(Kind.RESET_BODY)
# The server gets the request and answers; the client sees a reset instead of the answer.
LOSE_ANSWER = Fault(Kind.LOSE_ANSWER)


def trickle(bytes_per_second: int) -> Fault:
    """Forward so many bytes a second, each way of each connection by itself."""
    return Fault(Kind.TRICKLE, bytes_per_second)


def cut(after_bytes: int) -> Fault:
    """Forward so many bytes of the client's on each connection, then reset it."""
    return Fault(Kind.CUT, after_bytes)


def reset_every(size: int) -> Fault:
    """Reset a connection whenever so many bytes of clients have passed, on whatever connections."""
    return Fault(Kind.RESET_EVERY, size)
