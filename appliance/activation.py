"""Listening sockets that the service manager bound and handed over: sd_listen_fds(3).

Whoever binds can be root while the room is not, and what connects while the room is down waits in the socket's queue
instead of being refused.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

from appliance.errors import ConfigurationError

PID: Final = "LISTEN_PID"
COUNT: Final = "LISTEN_FDS"
NAMES: Final = "LISTEN_FDNAMES"
# SD_LISTEN_FDS_START
FIRST_DESCRIPTOR: Final = 3
# What sd_listen_fds_with_names(3) calls a socket whose unit names none.
UNNAMED: Final = "unknown"
_SEPARATOR = ":"
_HINT = "start this room by its systemd units, or unset LISTEN_PID and LISTEN_FDS to let it bind by its configuration"


def inherited(environ: Mapping[str, str]) -> dict[str, list[socket.socket]]:
    """Return the listening stream sockets handed to this process, by their FileDescriptorName=, in the unit's order.

    Empty when there are none, or when they are another process's (LISTEN_PID): an environment is inherited further
    than its sockets. To be called once in a process: the sockets belong to the caller, who closes them. They are
    closed on exec; blocking as systemd left them. `environ` is not changed. Closing one does not end the listening:
    the service manager keeps it open, and connections wait in its queue for the next process.
    Raises ConfigurationError, with nothing left open that it had taken.
    """
    count = _count(environ)
    if not count:
        return {}
    names = environ.get(NAMES, "").split(_SEPARATOR) if environ.get(NAMES) else [UNNAMED] * count
    if len(names) != count:
        raise ConfigurationError(f"{NAMES} names {len(names)} sockets, {COUNT} says {count}", hint=_HINT)
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count)
    for descriptor in descriptors:
        _keep_from_children(descriptor)
    found: dict[str, list[socket.socket]] = {}
    try:
        for name, descriptor in zip(names, descriptors, strict=True):
            found.setdefault(name, []).append(_listening(descriptor, name))
    except ConfigurationError:
        close(found)
        raise
    return found


def close(found: Mapping[str, list[socket.socket]]) -> None:
    """Close every socket of `found`; safe to repeat."""
    for sockets in found.values():
        for sock in sockets:
            sock.close()


def _count(environ: Mapping[str, str]) -> int:
    try:
        if int(environ.get(PID, "0")) != os.getpid():
            return 0
        count = int(environ.get(COUNT, "0"))
    except ValueError:
        raise ConfigurationError(f"{PID} and {COUNT} are not numbers", hint=_HINT) from None
    if count < 0:
        raise ConfigurationError(f"{COUNT} is negative", hint=_HINT)
    return count


def _keep_from_children(descriptor: int) -> None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError as error:
        raise ConfigurationError(f"{COUNT} counts descriptor {descriptor}, which is not open", hint=_HINT) from error


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigurationError(f"descriptor {descriptor} ({name}) is no socket", hint=_HINT) from error
    if sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return sock
    sock.close()
    raise ConfigurationError(f"socket {descriptor} ({name}) does not listen for connections", hint=_HINT)
