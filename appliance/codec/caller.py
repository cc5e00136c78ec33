"""One caller of the service: a connection that brings one task with its file, and takes the answer away."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Final

from appliance.codec.faults import CodecBusy, CodecFault
from appliance.codec.line import Task
from appliance.codec.pool import Pool
from appliance.codec.request import task_of
from appliance.codec.tally import Tally
from appliance.codec.wire import FACTS, FAULT, HEAD, TALLY, WAITING, Garbled, Wire

# Within which a task has to be on the table after connecting.
ASKING_SECONDS: Final = 5.0
LONGEST_TASK: Final = 1 << 20
BEAT: Final = HEAD.pack(WAITING, 0)


class Caller:
    """A connection and what it asks for. `attend` belongs to one thread, the rest to any."""

    def __init__(self, connection: socket.socket, pool: Pool, tally: Tally) -> None:
        """Take over the connection."""
        self.task: Task | None = None
        self._connection = connection
        self._wire = Wire(connection, LONGEST_TASK)
        self._pool = pool
        self._tally = tally
        # Half the time a task has: who takes nothing for so long is to blame itself, and not the object.
        self._stall_seconds = pool.limits.deadline_seconds / 2
        self._sending = threading.Lock()
        self._life = threading.Lock()
        self._closed = self._stalled = False
        self._descriptor = -1

    def fileno(self) -> int:
        """Return the connection's descriptor, -1 once it is closed."""
        return self._connection.fileno()

    def ask(self) -> bool:
        """Wait for the task; False when the other side says none in time, or nonsense."""
        self._wire.deadline = time.monotonic() + ASKING_SECONDS
        try:
            document, self._descriptor = self._wire.receive_task()
            self.task = task_of(document, self._descriptor, self._take)
        except (OSError, EOFError, Garbled):
            return False
        self.beat()
        return True

    def answer(self) -> None:
        """Have the task done and say what became of it. Nothing is raised when the other side has gone."""
        task = self.task
        assert task is not None
        try:
            outcome = self._pool.perform(task)
        except CodecFault as fault:
            self._say(FAULT, {"kind": fault.kind.value, "reason": fault.message})
        except OSError:  # the caller has gone, or no descriptor is left for the child
            self.refuse()
        else:
            self._say(FACTS, dict(outcome.facts))

    def refuse(self, reason: str = "") -> None:
        """Say that there is no room."""
        busy = CodecBusy(reason)
        self._say(FAULT, {"kind": busy.kind.value, "reason": busy.message})

    def beat(self) -> None:
        """Say that the task is in good hands, unless something else is being said just now. Never waits."""
        if not self._sending.acquire(blocking=False):
            return
        try:
            with self._life, suppress(OSError):
                if not self._closed:
                    os.write(self._connection.fileno(), BEAT)
        finally:
            self._sending.release()

    def gone(self) -> bool:
        """Say whether the other side has hung up, or talks out of turn. Never waits."""
        with self._life:
            if self._closed:
                return True
            poll = select.poll()
            poll.register(self._connection, select.POLLIN | select.POLLRDHUP)
            return bool(poll.poll(0))

    def close(self) -> None:
        """Close the connection and the file; safe to repeat."""
        with self._life:
            self._closed = True
            self._wire.close()
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take(self, data: bytes) -> None:
        """Send a piece of the result on; the pool's thread calls this."""
        with self._sending:
            self._wire.deadline = time.monotonic() + self._stall_seconds
            self._stalled = True
            self._wire.send_data(data)
            self._stalled = False

    def _say(self, kind: bytes, document: dict[str, object]) -> None:
        with self._sending, suppress(OSError):
            if self._stalled:  # in the middle of a message
                return
            self._wire.deadline = time.monotonic() + self._stall_seconds
            if self._tally.ended:
                self._wire.send_document(TALLY, self._tally.document())
            self._wire.send_document(kind, document)
