"""The waiting line of a pool: bounded, those who look at a screen before those who prepare."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.codec.faults import CodecBusy
from appliance.codec.outcome import Outcome
from appliance.codec.source import Handed, Source

Sink = Callable[[bytes], object]
CLOSED: Final = "the decoders are being shut down"


class Task:
    """One piece of work and what becomes of it. The line's own lock guards `begun`, the pool's `abandoned`."""

    def __init__(
        self,
        operation: str,
        source: Source | Handed,
        arguments: Mapping[str, Any],
        sink: Sink | None,
        *,
        background: bool,
    ) -> None:
        """`sink` takes the result's bytes as they come; without one they are gathered."""
        self.operation = operation
        self.source = source
        self.arguments = dict(arguments)
        self.sink = sink
        self.background = background
        self.begun = False
        self.abandoned = False
        self._done = threading.Event()
        self._outcome: Outcome | None = None
        self._fault: BaseException | None = None

    def succeed(self, outcome: Outcome) -> None:
        """Give the caller its result."""
        self._outcome = outcome
        self._done.set()

    def fail(self, fault: BaseException) -> None:
        """Give the caller a fault instead."""
        self._fault = fault
        self._done.set()

    def wait(self, seconds: float | None) -> bool:
        """Wait until it is done, one way or the other; return whether it is."""
        return self._done.wait(seconds)

    def result(self) -> Outcome:
        """Return the result of a task that is done, or raise its fault."""
        if self._fault is not None:
            raise self._fault
        assert self._outcome is not None
        return self._outcome


class Line:
    """Tasks in line, at most `most`; taken by the workers' threads."""

    def __init__(self, most: int, background_at_once: int) -> None:
        """Let at most `background_at_once` tasks of the background be worked on at a time."""
        self._most = most
        self._background_left = background_at_once
        self._ready = threading.Condition()
        self._front: deque[Task] = deque()
        self._back: deque[Task] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._front) + len(self._back)

    def join(self, task: Task) -> None:
        """Put a task in line. Raises CodecBusy when the line is full or closed."""
        with self._ready:
            if self._closed:
                raise CodecBusy(CLOSED)
            if len(self) >= self._most:
                raise CodecBusy
            (self._back if task.background else self._front).append(task)
            self._ready.notify()

    def take(self, seconds: float) -> Task | None:
        """Wait for a task and begin it; None when none came in time or the line is closed."""
        with self._ready:
            self._ready.wait_for(lambda: self._closed or self._any(), seconds)
            if self._closed or not self._any():
                return None
            task = self._front.popleft() if self._front else self._back.popleft()
            task.begun = True
            if task.background:
                self._background_left -= 1
            return task

    def finish(self, task: Task) -> None:
        """Say that a begun task is done with."""
        with self._ready:
            if task.background:
                self._background_left += 1
                self._ready.notify()

    def withdraw(self, task: Task) -> bool:
        """Take a task out of the line; return False when a worker has begun it."""
        with self._ready:
            if task.begun:
                return False
            waiting = self._back if task.background else self._front
            if task in waiting:
                waiting.remove(task)
            return True

    def closed(self) -> bool:
        """Whether nothing more is begun."""
        return self._closed

    def close(self) -> None:
        """Let nothing in, fail what waits, wake the workers."""
        with self._ready:
            self._closed = True
            waiting = [*self._front, *self._back]
            self._front.clear()
            self._back.clear()
            self._ready.notify_all()
        for task in waiting:
            task.fail(CodecBusy(CLOSED))

    def _any(self) -> bool:
        return bool(self._front) or (bool(self._back) and self._background_left > 0)
