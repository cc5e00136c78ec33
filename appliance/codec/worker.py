"""One child process as its parent sees it: started by exec, spoken to, killed and reaped."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from appliance.codec.answer import receive_outcome
from appliance.codec.faults import CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.line import Task
from appliance.codec.outcome import Outcome
from appliance.codec.request import document_of_task
from appliance.codec.wire import READY, Garbled, Wire

ROOT: Final = Path(__file__).parents[2]
# No user site, no current directory, no byte code written, no warnings (they may quote the object).
FLAGS: Final = ("-P", "-s", "-B", "-W", "ignore")
ENVIRONMENT: Final = {
    "PYTHONPATH": str(ROOT),
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # An arena per thread would eat the address space that a child may have.
    "MALLOC_ARENA_MAX": "1",
}
KILLED_WITHIN: Final = 10.0


class Worker:
    """A living child. Its methods belong to the thread that started it, except `kill`.

    That thread has to outlive it: the kernel kills a child when the thread that started it ends.
    """

    def __init__(self, module: str, limits: Limits) -> None:
        """Start `python -m module` and wait until it is ready. Raises CodecFault(CRASHED)."""
        self._limits = limits
        self.tasks = 0
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._wire = Wire(ours)
        self._ending = threading.Lock()
        try:
            with theirs:
                self._process = _start(module, theirs, limits)
        except OSError as error:
            self._wire.close()
            raise CodecFault(Kind.CRASHED, f"a decoder process cannot be started: {error.strerror}") from error
        self._wire.deadline = time.monotonic() + limits.start_seconds
        try:
            ready = self._wire.receive()[0] == READY
        except (OSError, EOFError, Garbled):
            ready = False
        if not ready:
            self.end()
            raise CodecFault(Kind.CRASHED, "a decoder process does not start")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Send SIGKILL; safe to repeat and from any thread."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process, reap it and close the socket; safe to repeat."""
        with self._ending:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # in the kernel, on a disk that hangs
                self._process.wait(KILLED_WITHIN)
            self._wire.close()

    def work(self, task: Task) -> Outcome:
        """Do one task within the deadline. After any CodecFault but REFUSED and ABSENT the child must be ended.

        Raises CodecFault, OSError when the file cannot be opened, and SinkFailed, after which it must, too.
        """
        descriptor = task.source.open()
        try:
            self.tasks += 1
            self._wire.deadline = time.monotonic() + self._limits.deadline_seconds
            self._wire.send_task(document_of_task(task), descriptor)
            return receive_outcome(self._wire.receive, task, self._limits.output_bytes)
        except TimeoutError:
            raise CodecFault(Kind.TIMED_OUT) from None
        except (OSError, EOFError, Garbled):
            raise CodecFault(Kind.CRASHED) from None
        finally:
            os.close(descriptor)


def _start(module: str, theirs: socket.socket, limits: Limits) -> subprocess.Popen[bytes]:
    bounds = {
        "parent": os.getpid(),
        "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes,
        "deadline_seconds": limits.deadline_seconds,
    }
    return subprocess.Popen(
        [sys.executable, *FLAGS, "-m", module, json.dumps(bounds)],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # decoders print what they read
        cwd="/",
        env=ENVIRONMENT,
        close_fds=True,
        start_new_session=True,
    )
