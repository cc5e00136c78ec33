"""A pool that another process keeps: tasks go to the codec service by its socket, with the open file."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from appliance.codec.answer import SinkFailed, receive_outcome
from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.line import CLOSED, Sink, Task
from appliance.codec.outcome import Outcome
from appliance.codec.pool import NOTHING, Observer
from appliance.codec.request import document_of_task
from appliance.codec.source import Source
from appliance.codec.strikes import Strikes
from appliance.codec.tally import TakenUp
from appliance.codec.wire import TALLY, WAITING, Garbled, Wire, document_of
from appliance.logs import get_logger

ATTEMPTS: Final = 2
# For a service that is being started anew without a service manager that keeps its socket.
CONNECT_SECONDS: Final = 5.0
CONNECT_PAUSE: Final = 0.05
UNREACHABLE: Final = "the decoding service does not answer"

log = get_logger(__name__)


class _Lost(Exception):
    """The service went away. `accepted`: it had the task; `answered`: part of the result had come."""

    def __init__(self, *, accepted: bool, answered: bool) -> None:
        super().__init__()
        self.accepted = accepted
        self.answered = answered


class RemotePool:
    """Like a Pool, with the children and their line in the service. Safe to use from many threads.

    A service that dies costs a task one further attempt; a task that sees it die twice over is taken to be the
    reason, and not tried again for a while. One that cannot be reached, or falls silent, is BUSY.
    """

    def __init__(self, path: Path, limits: Limits, observer: Observer | None = None) -> None:
        """Ask the service at `path`; nothing is connected yet. `limits` are the service's, as configured here."""
        self.limits = limits
        self._path = path
        self._observer = observer
        self._strikes = Strikes()
        self._ended = TakenUp(observer.child_ended if observer is not None else _nobody)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._reachable = True

    def run(
        self,
        operation: str,
        source: Source,
        arguments: Mapping[str, Any] = NOTHING,
        *,
        sink: Sink | None = None,
        background: bool = False,
    ) -> Outcome:
        """Do one task, as Pool.run does; `sink` is called on this thread.

        A service that says nothing for as long as a task may take is given up. Raises CodecFault, and OSError when
        the source's file cannot be opened.
        """
        begun = time.monotonic()
        task = Task(operation, source, arguments, sink, background=background)
        try:
            self._strikes.check(task)
            outcome = self._tried(task)
        except CodecFault as fault:
            self._observe(operation, fault.kind.value, begun)
            raise
        except SinkFailed as failed:
            raise failed.error from None
        self._observe(operation, "done", begun)
        return outcome

    def close(self) -> None:
        """End what is under way, as BUSY; the service goes on. Safe to repeat."""
        self._closed.set()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _tried(self, task: Task) -> Outcome:
        for _ in range(ATTEMPTS):
            try:
                outcome = self._once(task)
            except _Lost as lost:
                if self._closed.is_set():
                    raise CodecBusy(CLOSED) from None
                if lost.accepted:
                    self._strikes.note(task, CodecFault(Kind.CRASHED))
                    self._strikes.check(task)
                if lost.answered:
                    break
            else:
                self._tell(reachable=True)
                return outcome
        self._tell(reachable=False)
        raise CodecBusy(UNREACHABLE)

    def _once(self, task: Task) -> Outcome:
        descriptor = task.source.open()
        with open(descriptor, "rb", buffering=0), self._connected() as connection:
            exchange = _Exchange(Wire(connection), self.limits.deadline_seconds, self._ended)
            try:
                exchange.ask(task, descriptor)
                return receive_outcome(exchange.receive, task, self.limits.output_bytes)
            except TimeoutError:
                self._tell(reachable=False, reason="silence")
                raise CodecBusy(UNREACHABLE) from None
            except (OSError, EOFError, Garbled):
                raise _Lost(accepted=exchange.accepted, answered=exchange.answered) from None

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        connection = self._connect()
        try:
            with self._lock:
                self._connections.add(connection)
            yield connection
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _connect(self) -> socket.socket:
        # Once it is known to be away, nobody else has to wait for it.
        ends = time.monotonic() + (CONNECT_SECONDS if self._reachable else 0.0)
        while not self._closed.is_set():
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                connection.settimeout(CONNECT_SECONDS)
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                if time.monotonic() >= ends:
                    self._tell(reachable=False, reason=error.strerror or str(error))
                    raise CodecBusy(UNREACHABLE) from None
                self._closed.wait(CONNECT_PAUSE)
            else:
                return connection
        raise CodecBusy(CLOSED)

    def _tell(self, *, reachable: bool, reason: str = "") -> None:
        """Log once that the service cannot be reached, and once that it can again."""
        if reachable == self._reachable:
            return
        self._reachable = reachable
        if reachable:
            log.info("decoding service answers again")
        else:
            log.warning("decoding service does not answer", path=str(self._path), reason=reason)

    def _observe(self, operation: str, result: str, begun: float) -> None:
        if self._observer is not None:
            self._observer.task(operation, result, time.monotonic() - begun)


class _Exchange:
    """One task and its answer over one connection."""

    def __init__(self, wire: Wire, patience: float, ended: TakenUp) -> None:
        """Give up after `patience` seconds of silence."""
        self.accepted = False
        self.answered = False
        self._wire = wire
        self._patience = patience
        self._ended = ended

    def ask(self, task: Task, descriptor: int) -> None:
        """Send the task; one that is being turned away already finds the reason in the answer."""
        self._wire.deadline = time.monotonic() + self._patience
        try:
            self._wire.send_task(document_of_task(task), descriptor)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next message of the answer. Raises what Wire.receive raises."""
        while True:
            self._wire.deadline = time.monotonic() + self._patience
            kind, payload = self._wire.receive()
            if kind == WAITING:
                self.accepted = True
            elif kind == TALLY:
                self._ended.hear(document_of(payload))
            else:
                self.answered = True
                return kind, payload


def _nobody(reason: str) -> None:
    """Count nothing."""
