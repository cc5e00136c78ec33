"""TCP ports for servers that die and come back while clients keep calling."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

LOWEST = 10000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def lasting_ports(count: int) -> list[int]:
    """Different ports nobody listens on now, below those the kernel gives to clients.

    A client that calls a dead port of the kernel's own range again and again is, sooner or later,
    given that very port as its source and connects to itself; then the server cannot come back.
    """
    highest = min(int(RANGE.read_text().split()[0]), 32768)
    chosen = random.Random()
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            listener = stack.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", chosen.randrange(LOWEST, highest)))
                found.append(int(listener.getsockname()[1]))
    return found
