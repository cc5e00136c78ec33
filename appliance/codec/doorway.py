"""The service's socket: a path that its owner and root may connect to, and nobody else."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Final

from appliance.errors import AlreadyRunning, ConfigurationError

# The kernel's own bound on what waits for accept().
BACKLOG: Final = 128
ONLY_OWNER: Final = 0o177
PROBE_SECONDS: Final = 1.0
CREDENTIALS: Final = struct.Struct("3i")
ROOT: Final = 0


def bind(path: Path) -> socket.socket:
    """Return a listening socket at `path`, which only this user may connect to; one that a crash left there goes.

    Raises AlreadyRunning when somebody answers there, ConfigurationError when it cannot be made. To be called
    while the process has a single thread.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(ONLY_OWNER)
    try:
        if _answers(path):
            raise AlreadyRunning(f"a codec serves {path} already", hint="stop it first, or name another codec.socket")
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"no socket can be made at {path}: {error.strerror or error}", hint="mend or change codec.socket"
        ) from error
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def owner_of(listener: socket.socket) -> int:
    """Return the user id that the socket's file belongs to; this process's own where that cannot be seen."""
    try:
        return os.stat(listener.getsockname()).st_uid
    except (OSError, TypeError, ValueError):
        return os.geteuid()


def may_ask(connection: socket.socket, owner: int) -> bool:
    """Say whether the process at the other end runs as `owner` or root (SO_PEERCRED)."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, user, _ = CREDENTIALS.unpack(told)
    return user in (owner, ROOT)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True
