"""The appliance as real processes: `python -m appliance ...` on random ports with a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.partners.dcmtk import Peer
from tests.partners.ports import free_ports
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 45.0
MIB = 1 << 20
MODEST = {
    "APPLIANCE__ARCHIVE__RESERVE_BYTES": str(MIB),
    "APPLIANCE__ARCHIVE__BALLAST_BYTES": str(MIB),
    "APPLIANCE__SYNC__POLL_SECONDS": "0.1",
    # The tests of logins say otherwise.
    "APPLIANCE__WEB__LOGIN": "open",
}


class Appliance:
    """One installation. A context manager: on exit every process it started is gone.

    `environ` adds to or overrides the APPLIANCE__ variables. Standard output and error of
    every process go to `log`, one file for all.
    """

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        """Nothing is created or started yet."""
        self.home = home
        self.scp_port, self.web_port = free_ports(2)
        self.log = home.parent / f"{home.name}.log"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._wrapped: set[str] = set()
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE")},
            **MODEST,
            "APPLIANCE__HOME": str(home),
            "APPLIANCE__SCP__PORT": str(self.scp_port),
            "APPLIANCE__WEB__PORT": str(self.web_port),
            "PYTHONPATH": str(REPOSITORY),
            **(environ or {}),
        }

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes."""
        return dict(self._environ)

    @property
    def url(self) -> str:
        """Root of the web room, without a slash at the end."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def dicomweb(self) -> str:
        """Root of the DICOMweb service."""
        return f"{self.url}/dicom-web"

    @property
    def peer(self) -> Peer:
        """The DICOM door, for the dcmtk runners."""
        return Peer(self.scp_port)

    def command(self, *arguments: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end; `check` fails with its output unless it exits with 0."""
        done = subprocess.run(
            [sys.executable, "-m", "appliance", *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(
        self,
        verb: str = "run",
        *options: str,
        environ: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
    ) -> int:
        """Start `appliance run`, or one room (scp, web, sync) of a home that is initialised; return its pid.

        `environ` counts for this process alone (failpoints). `wrapper` is a command that runs the
        room below itself, such as strace; the pid is then the wrapper's. Does not wait.
        """
        assert verb not in self._processes, f"{verb} runs already"
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "appliance", verb, *options],
                env={**self._environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes[verb] = process
        (self._wrapped.add if wrapper else self._wrapped.discard)(verb)
        return process.pid

    def wait_ready(self, *rooms: str, seconds: float = START_SECONDS) -> None:
        """Wait until `rooms` (default: all three) answer; fails at once when a started process has ended."""
        wanted = rooms or ("scp", "web", "sync")
        try:
            wait_until(lambda: self._check_processes() and all(self._answers(room) for room in wanted), seconds)
        except BaseException:
            print(self.output())
            raise

    def wait_answering(self, room: str, seconds: float = START_SECONDS) -> None:
        """Wait until the web room answers at all, ready or not: a room may run here without the others."""
        assert room == "web"

        def answers() -> bool:
            try:
                return self.get("/healthz", 2.0)[0] == 200
            except OSError:
                return False

        wait_until(lambda: self._check_processes() and answers(), seconds)

    def room_pid(self, room: str) -> int:
        """Process id of a room, also of one below `appliance run` or a wrapper."""
        if room in self._processes and room not in self._wrapped:
            return self._processes[room].pid
        return int(self._published(room)["pid"])

    def runs(self, verb: str = "run") -> bool:
        """Whether a process that was started has not ended."""
        process = self._processes.get(verb)
        return process is not None and process.poll() is None

    def kill(self, room: str = "run") -> None:
        """kill -9 of one room, or of `run` itself. A room below `run` comes back by itself."""
        pid = self.room_pid(room)
        os.kill(pid, signal.SIGKILL)
        if room in self._processes:
            self._processes.pop(room).wait(STOP_SECONDS)

    def stop(self, verb: str = "run", signal_number: int = signal.SIGTERM) -> int:
        """Ask a process to end and wait; return its exit code."""
        process = self._processes.pop(verb)
        process.send_signal(signal_number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._processes[verb] = process
            print(self.output())
            raise

    def wait_ended(self, verb: str, seconds: float = STOP_SECONDS) -> int:
        """Wait for a process to end by itself (a failpoint); return its exit code, negative for a signal."""
        return self._processes.pop(verb).wait(seconds)

    def status(self) -> dict[str, Any]:
        """What `appliance status --json` prints, whether it is ready or not."""
        done = self.command("status", "--json", check=False)
        assert done.returncode in (0, 1), done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def get(self, path: str, seconds: float = 10.0) -> tuple[int, bytes]:
        """GET below the web room: status and body."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=seconds) as response:
                return int(response.status), response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def output(self) -> str:
        """Everything the processes have printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        """Return the installation."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process this installation started, gently where that works, and rooms left behind."""
        if error is not None:
            print(self.output())
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait(10)
        self._processes.clear()
        for pid in self._left_behind():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _left_behind(self) -> list[int]:
        """Rooms of this home that some `run` started; told by their environment, never by name alone."""
        mine = f"APPLIANCE__HOME={self.home}".encode()
        pids = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if mine in (entry / "environ").read_bytes().split(b"\0"):
                        pids.append(int(entry.name))
        return pids

    def _check_processes(self) -> bool:
        for verb, process in self._processes.items():
            assert process.poll() is None, f"{verb} ended with {process.returncode}\n{self.output()}"
        return True

    def _answers(self, room: str) -> bool:
        if room == "web":
            try:
                return self.get("/readyz", 2.0)[0] == 200
            except OSError:
                return False
        with suppress(OSError, ValueError, KeyError):
            return _runs(int(self._published(room)["pid"]))
        return False

    def _published(self, room: str) -> dict[str, Any]:
        found = json.loads((self.home / "run" / f"{room}.json").read_text())
        assert isinstance(found, dict)
        return found


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
