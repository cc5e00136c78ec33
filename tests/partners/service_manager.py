"""What systemd does for a service, as its process sees it: sockets handed over, and an ear for its notices."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import wait_until

# Who is handed sockets has to know its own number: this one puts them in their places, and becomes it.
BECOME = """
import os, sys
count = int(sys.argv[1])
for number, copy in enumerate(map(int, sys.argv[2:2 + count]), 3):
    os.dup2(copy, number)
    os.close(copy)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
"""
# Out of the way of the numbers that they are to have.
APART = 200


def listening(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a listening TCP socket, as a socket unit has one."""
    return socket.create_server((host, port))


def start(
    command: Sequence[str], sockets: Sequence[tuple[str, socket.socket]], environ: Mapping[str, str],
    output: int | None = None,
) -> subprocess.Popen[str]:  # fmt: skip
    """Start `command` with the sockets from descriptor 3 on, by their names; they stay the caller's, too."""
    told = {
        **environ,
        "LISTEN_FDS": str(len(sockets)),
        "LISTEN_FDNAMES": ":".join(name for name, _ in sockets),
    }
    copies = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, APART) for _, sock in sockets]
    moves = [str(len(copies)), *map(str, copies)]
    try:
        return subprocess.Popen(
            [sys.executable, "-c", BECOME, *moves, *command], env=told, pass_fds=copies, text=True, stdout=output
        )
    finally:
        for copy in copies:
            os.close(copy)


class Ear:
    """The socket of sd_notify(3). A context manager."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`; nothing has been heard."""
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._socket.close()

    def listen(self) -> list[str]:
        """Return everything heard so far."""
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    def wait_for(self, line: str, seconds: float = 30.0) -> None:
        """Wait until a line that begins like this was heard."""
        wait_until(lambda: any(one.startswith(line) for one in self.listen()), seconds)
