"""Foreign servers as processes: started, killed, paused, and gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.waiting import wait_until

STOP_SECONDS = 30.0


def executable(name: str, package: str, *places: str) -> str:
    """Path of a server; a missing one fails the test with what to install."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *places])
    found = shutil.which(name, path=path)
    assert found is not None, f"{name} is missing: apt-get install {package} (make test-setup does)"
    return found


class Program:
    """A server that may be started again and again; all its output goes to one log file."""

    def __init__(self, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> None:
        """Nothing is started. `environ` adds to ours."""
        self.log = log
        self._command = list(command)
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, f"{self._command[0]} does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start; does not wait until it answers."""
        assert not self.running, f"{self._command[0]} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Wait until the server answers; fails at once, with its output, when it has ended instead."""

        def ready() -> bool:
            assert self.running, f"{self._command[0]} has ended"
            return answers()

        try:
            wait_until(ready, seconds, every=0.05)
        except BaseException:
            print(self.ending())
            raise

    def run(self, seconds: float) -> int:
        """Start a program that ends by itself, and wait for it; return its exit code."""
        self.start()
        process, self._process = self._process, None
        assert process is not None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
            raise

    def stop(self) -> int:
        """Ask it to end and wait; return its exit code. A paused one is woken for it."""
        process, self._process = self._process, None
        assert process is not None, f"{self._command[0]} does not run"
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
            print(self.ending())
            raise

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        process, self._process = self._process, None
        assert process is not None, f"{self._command[0]} does not run"
        process.kill()
        process.wait(STOP_SECONDS)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered, the kernel still accepts."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: _frozen(self.pid), STOP_SECONDS)

    def resume(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill whatever still runs; for the end of a test."""
        if self._process is not None:
            self.kill()

    def ending(self, lines: int = 100) -> str:
        """The last lines it has printed."""
        return "\n".join(self.output().splitlines()[-lines:])

    def output(self) -> str:
        """Everything it has printed, over all its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Server(ABC):
    """A foreign server that keeps ports and data over restarts. A context manager: on exit its process is gone."""

    program: Program
    ready_seconds: ClassVar[float] = 30.0

    @abstractmethod
    def answers(self) -> bool:
        """Ask whether it serves now."""

    def start(self) -> Self:
        """Start; does not wait."""
        self.program.start()
        return self

    def wait_ready(self, seconds: float | None = None) -> Self:
        """Wait until it serves."""
        self.program.wait_until(self.answers, self.ready_seconds if seconds is None else seconds)
        return self

    def stop(self) -> int:
        """Ask it to end and wait; return its exit code."""
        return self.program.stop()

    def kill(self) -> None:
        """kill -9."""
        self.program.kill()

    def pause(self) -> None:
        """Freeze it; connections stay open and nothing is answered."""
        self.program.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.program.resume()

    def restart(self) -> Self:
        """Start again on the same ports and data, and wait; a running one is stopped first."""
        if self.program.running:
            self.stop()
        return self.start().wait_ready()

    def close(self) -> None:
        """Kill what still runs, and let go of everything held for asking it. Safe to repeat."""
        self.program.end()

    def __enter__(self) -> Self:
        """Start and wait."""
        try:
            return self.start().wait_ready()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; its data stays for whoever wants to look."""
        if error is not None:
            print(self.program.ending())
        self.close()


def _frozen(pid: int) -> bool:
    """Whether every thread has stopped: the signal is on its way for a moment after it was sent."""
    statuses = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all("State:\tT" in status for status in statuses)
