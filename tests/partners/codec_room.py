"""`appliance codec` with planted children, and a service manager that holds its socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.codec.doorway import bind
from tests.partners.appliance import REPOSITORY
from tests.partners.planted_room import WRAPPER

# sd_listen_fds(3): the process id has to be the room's own, and the sockets start at descriptor 3.
ACTIVATE = """
import os, sys
inner, *command = sys.argv[1:]
os.dup2(int(inner), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="codec")
os.execv(command[0], command)
"""
END_SECONDS = 60.0


class CodecRoom:
    """A listening socket that outlives the processes which serve it, one at a time. A context manager."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Listen at `path` in `folder`; `settings` are of the section codec. Nothing is started yet."""
        self.path = folder / "codec.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._log = folder / "codec.log"
        self._listener = bind(self.path)
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "APPLIANCE__HOME": str(folder),
            **{f"APPLIANCE__CODEC__{name.upper()}": str(value) for name, value in settings.items()},
        }

    def start(self, **environ: str) -> subprocess.Popen[bytes]:
        """Start the room, as a service manager does that has seen a connection; `environ` comes on top."""
        inner = os.dup(self._listener.fileno())
        command = [*WRAPPER, sys.executable, "-m", "appliance", "codec"]
        try:
            with self._log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", ACTIVATE, str(inner), *command],
                    pass_fds=[inner], env={**self._environ, **environ}, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log,
                )  # fmt: skip
        finally:
            os.close(inner)
        return self.process

    def restart(self) -> None:
        """Kill the process, and start another one."""
        self.end()
        self.start()

    def end(self) -> None:
        """Kill the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_SECONDS)

    def output(self) -> str:
        """What the processes have printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def connected(self) -> socket.socket:
        """Return a connection to the socket."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.path))
        return connection

    def __enter__(self) -> Self:
        """Return the room."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process and close the socket."""
        self.end()
        self._listener.close()
        if error is not None:
            print(self.output())
