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
from typing import Any, Final

from appliance.codec.faults import CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.line import Task
from appliance.codec.outcome import Outcome
from appliance.codec.wire import DATA, FACTS, FAULT, READY, Garbled, Wire, document_of

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


class SinkFailed(Exception):
    """The caller's sink raised `error`: the child is in the middle of an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


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
        descriptor = os.open(task.source.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.tasks += 1
            self._wire.deadline = time.monotonic() + self._limits.deadline_seconds
            self._wire.send_task(_document(task), descriptor)
            return self._answer(task)
        except TimeoutError:
            raise CodecFault(Kind.TIMED_OUT) from None
        except (OSError, EOFError, Garbled):
            raise CodecFault(Kind.CRASHED) from None
        finally:
            os.close(descriptor)

    def _answer(self, task: Task) -> Outcome:
        pieces: list[bytes] = []
        total = 0
        while True:
            kind, payload = self._wire.receive()
            if kind == DATA:
                total += len(payload)
                if total > self._limits.output_bytes:
                    raise CodecFault(Kind.TOO_LARGE)
                _hand_over(payload, task, pieces)
            elif kind == FACTS:
                return Outcome(document_of(payload), pieces[0] if len(pieces) == 1 else b"".join(pieces))
            elif kind == FAULT:
                raise _fault(document_of(payload))
            else:
                raise Garbled


def _hand_over(payload: bytes, task: Task, pieces: list[bytes]) -> None:
    if task.sink is None:
        pieces.append(payload)
        return
    try:
        task.sink(payload)
    except Exception as error:  # boundary: the sink is the caller's, and so is its error
        raise SinkFailed(error) from error


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


def _document(task: Task) -> dict[str, Any]:
    source = task.source
    return {
        "operation": task.operation,
        "arguments": task.arguments,
        "offset": source.offset,
        "length": source.length,
        "transfer_syntax_uid": source.transfer_syntax_uid,
        "assumed_charset": source.assumed_charset,
    }


def _fault(document: dict[str, Any]) -> CodecFault:
    try:
        kind = Kind(document["kind"])
        reason = document["reason"]
    except (KeyError, ValueError):
        raise Garbled from None
    if not isinstance(reason, str) or not reason.isprintable() or len(reason) > 200:
        raise Garbled
    return CodecFault(kind, reason)
