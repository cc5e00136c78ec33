"""The pool: decodes in child processes, so that one that hangs, crashes or grows costs itself and a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from appliance.codec.answer import SinkFailed
from appliance.codec.faults import CodecBusy, CodecFault, Kind
from appliance.codec.limits import Limits
from appliance.codec.line import CLOSED, Line, Sink, Task
from appliance.codec.outcome import Outcome
from appliance.codec.source import Source
from appliance.codec.strikes import Strikes
from appliance.codec.worker import Worker

__all__ = ["Limits", "Observer", "Outcome", "Pool"]

CHILD: Final = "appliance.codec.child"
# After these the child is sound and goes on.
HARMLESS: Final = frozenset({Kind.REFUSED, Kind.ABSENT})
ABANDONED: Final = "abandoned"
NOTHING: Final[Mapping[str, Any]] = {}


class Observer(Protocol):
    """Who counts what the pool does."""

    def task(self, operation: str, result: str, seconds: float) -> None:
        """One task ended; `result` is "done" or a Kind's value, `seconds` since it was asked for."""

    def child_ended(self, reason: str) -> None:
        """One child was ended; `reason` is "recycled", "idle", "closed", "abandoned" or a Kind's value."""


class Pool:
    """Children kept warm, begun when there is work. Safe to use from many threads."""

    def __init__(self, limits: Limits, observer: Observer | None = None, *, module: str = CHILD) -> None:
        """Start nothing yet. `module` is what a child runs; tests put another one there."""
        self.limits = limits
        self._observer = observer
        self._module = module
        self._line = Line(limits.waiting, max(1, limits.workers - 1))
        self._strikes = Strikes()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._workers: dict[int, Worker] = {}
        self._tasks: dict[int, tuple[Task, float]] = {}

    def run(
        self,
        operation: str,
        source: Source,
        arguments: Mapping[str, Any] = NOTHING,
        *,
        sink: Sink | None = None,
        background: bool = False,
    ) -> Outcome:
        """Do one task and return what it gives; at most twice the deadline and a child's start passes.

        `sink` is called, on another thread, with the bytes of a long result as they come; after a fault
        what it was given is worth nothing. `background` tasks stand behind all others. Raises CodecFault,
        and OSError when the source's file cannot be opened.
        """
        return self.perform(Task(operation, source, arguments, sink, background=background))

    def perform(self, task: Task) -> Outcome:
        """Do a task that is there already; otherwise like `run`."""
        begun = time.monotonic()
        try:
            self._strikes.check(task)
            outcome = self._run(task)
        except CodecFault as fault:
            self._observe(task.operation, fault.kind.value, begun)
            raise
        self._observe(task.operation, "done", begun)
        return outcome

    def abandon(self, task: Task) -> None:
        """Say that nobody wants a task's result any more: it leaves the line, or its child is ended. Safe to repeat."""
        with self._lock:
            task.abandoned = True
            for number, (current, _) in self._tasks.items():
                if current is task and number in self._workers:
                    self._workers[number].kill()
        if self._line.withdraw(task):
            task.fail(CodecBusy())

    def pids(self) -> list[int]:
        """The process ids of the children that live now."""
        with self._lock:
            return [worker.pid for worker in self._workers.values()]

    @property
    def waiting(self) -> int:
        """How many tasks stand in line."""
        return len(self._line)

    def began(self) -> float | None:
        """When the task that has been worked on for longest was begun (time.monotonic); None without any."""
        with self._lock:
            return min((at for _, at in self._tasks.values()), default=None)

    def close(self) -> None:
        """End every child, whatever it does; tasks under way and in line fail as BUSY. Safe to repeat."""
        self._line.close()
        with self._lock:
            for worker in self._workers.values():
                worker.kill()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _run(self, task: Task) -> Outcome:
        self._line.join(task)
        self._grow()
        # In the background nobody waits for an answer.
        patience = None if task.background else self.limits.deadline_seconds
        if not task.wait(patience):
            if self._line.withdraw(task):
                raise CodecBusy
            task.wait(None)
        return task.result()

    def _grow(self) -> None:
        with self._lock:
            if self._line.closed() or len(self._threads) >= self.limits.workers:
                return
            number = len(self._threads)
            thread = threading.Thread(target=self._serve, args=(number,), name=f"codec-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, number: int) -> None:
        """Work through the line with one child after the other; the child never outlives this thread."""
        worker: Worker | None = None
        while not self._line.closed():
            task = self._line.take(self.limits.idle_seconds)
            if task is None:
                worker = self._dropped(number, worker, "closed" if self._line.closed() else "idle")
                continue
            self._begin(number, task)
            try:
                worker = self._work(number, worker, task)
            except BaseException as error:  # boundary: the caller gets it, the worker's thread goes on
                task.fail(error)
                worker = self._dropped(number, self._workers.get(number), "recycled")
            finally:
                self._line.finish(task)
            if self._ended_abandoned(number):
                worker = self._dropped(number, worker, ABANDONED)
        self._dropped(number, worker, "closed")

    def _work(self, number: int, worker: Worker | None, task: Task) -> Worker | None:
        """Do one task; return the child for the next one, or None."""
        try:
            if worker is not None and not worker.alive:
                worker = self._dropped(number, worker, Kind.CRASHED.value)
            if worker is None:
                worker = self._take_on(number)
            if task.abandoned:
                raise CodecBusy
            outcome = worker.work(task)
        except CodecFault as fault:
            if not task.abandoned:
                self._strikes.note(task, fault)
                if fault.kind not in HARMLESS:
                    worker = self._dropped(number, worker, fault.kind.value)
            task.fail(CodecBusy(CLOSED) if self._line.closed() else fault)
            return worker
        except SinkFailed as failed:
            worker = self._dropped(number, worker, "recycled")
            task.fail(failed.error)
            return worker
        except OSError as error:
            task.fail(error)
            return worker
        if worker.tasks >= self.limits.tasks_per_child:
            worker = self._dropped(number, worker, "recycled")
        task.succeed(outcome)
        return worker

    def _begin(self, number: int, task: Task) -> None:
        with self._lock:
            self._tasks[number] = task, time.monotonic()

    def _ended_abandoned(self, number: int) -> bool:
        """Say whether the child may have been killed for the sake of the task that has ended now."""
        with self._lock:
            return self._tasks.pop(number)[0].abandoned

    def _take_on(self, number: int) -> Worker:
        worker = Worker(self._module, self.limits)
        with self._lock:
            self._workers[number] = worker
        if self._line.closed():
            worker.kill()
        return worker

    def _dropped(self, number: int, worker: Worker | None, reason: str) -> Worker | None:
        """End a child; returns None, which is what there is now."""
        if worker is None:
            return None
        with self._lock:
            self._workers.pop(number, None)
        worker.end()
        if self._observer is not None:
            self._observer.child_ended(reason)
        return None

    def _observe(self, operation: str, result: str, begun: float) -> None:
        if self._observer is not None:
            self._observer.task(operation, result, time.monotonic() - begun)
