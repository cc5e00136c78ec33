"""The TCP connections that this very process holds, as the kernel tells of them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CLOSED = "07"


def connections_to(port: int) -> list[str]:
    """This process's own sockets with this port at the other end: connected, or on the way there or to their end."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    far = {row[9]: row[1] for row in rows if int(row[2].rpartition(":")[2], 16) == port and row[3] != CLOSED}
    return [far[number] for number in _own_sockets() if number in far]


def _own_sockets() -> list[str]:
    """Inode numbers of the open sockets."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            kind, _, rest = os.readlink(descriptor).partition(":[")
            if kind == "socket":
                found.append(rest.rstrip("]"))
    return found
