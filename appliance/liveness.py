"""Liveness: whether every part of a room goes on, and which does not.

A process that answers its service manager may still have a thread that hangs. So each part beats: it promises to be
heard of again within so many seconds, and the watchdog is fed only while all of them keep their word.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from appliance.logs import get_logger

log = get_logger(__name__)


class Part:
    """One part's promises. They belong to its thread; anybody may look."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        """Promise to beat again within `seconds`, from now on."""
        self._seconds = seconds
        self._monotonic = monotonic
        self._due = monotonic() + seconds

    def beat(self) -> None:
        """Say that it goes on, and promise the next word within its usual time."""
        self._due = self._monotonic() + self._seconds

    def pause(self, seconds: float | None) -> None:
        """Say that it does nothing for `seconds` and is heard of again within its usual time after that; None: ever."""
        self._due = math.inf if seconds is None else self._monotonic() + seconds + self._seconds

    def end(self) -> None:
        """Say that it has ended in order: nothing more is owed."""
        self._due = math.inf

    def late(self) -> float:
        """Return for how many seconds a word has been due; 0 while none is."""
        return max(0.0, self._monotonic() - self._due)


class _Watched:
    """Work that knows by itself since when it is under way."""

    def __init__(self, seconds: float, began: Callable[[], float | None], monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._began = began
        self._monotonic = monotonic

    def late(self) -> float:
        began = self._began()
        return 0.0 if began is None else max(0.0, self._monotonic() - began - self._seconds)


class Liveness:
    """The parts of one room. Parts may be added and beat from any thread; one thread looks."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the clock that seconds are measured by, as time.monotonic is one. There is no part yet."""
        self._monotonic = monotonic
        self._parts: dict[str, Part | _Watched] = {}
        self._told: set[str] = set()
        self._adding = threading.Lock()

    def part(self, name: str, seconds: float) -> Part:
        """Return a new part that beats at least every `seconds`, from now on."""
        part = Part(seconds, self._monotonic)
        self._add(name, part)
        return part

    def watch(self, name: str, seconds: float, began: Callable[[], float | None]) -> None:
        """Add work that may take `seconds`: `began` says at which moment it did (time.monotonic), None between two."""
        self._add(name, _Watched(seconds, began, self._monotonic))

    def stuck(self) -> tuple[str, ...]:
        """Return the parts that have not kept their word. Each is logged once, and once more when it goes on."""
        late = {name: seconds for name, part in self._listed() if (seconds := part.late()) > 0}
        for name in late.keys() - self._told:
            log.error("part stuck: the watchdog is not fed any more", part=name, late_seconds=round(late[name], 1))
        for name in self._told - late.keys():
            log.warning("part goes on again", part=name)
        self._told = set(late)
        return tuple(sorted(late))

    def feed(self, watchdog: Callable[[], None]) -> None:
        """Call `watchdog`, unless a part is stuck: the one place where a room says that it is well."""
        if not self.stuck():
            watchdog()

    def snapshot(self) -> dict[str, Any]:
        """Return what a room publishes: how many seconds the word of each part is overdue, 0 for what is well."""
        return {"parts": {name: round(part.late(), 1) for name, part in self._listed()}}

    def _add(self, name: str, part: Part | _Watched) -> None:
        with self._adding:
            self._parts = {**self._parts, name: part}

    def _listed(self) -> list[tuple[str, Part | _Watched]]:
        return list(self._parts.items())


class Wish(Protocol):
    """The wish to stop, as lifecycle.Stop carries it."""

    def is_set(self) -> bool:
        """Say whether the end is wished."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it; return whether it is set."""


class Attentive:
    """A wish to stop, and a beat of one part whenever its thread asks for it.

    Whoever works in rounds asks between two, and asks while it waits for somebody else: that is its progress.
    """

    def __init__(self, wish: Wish, part: Part) -> None:
        """Take the wish of the room, and the part of the thread that will ask."""
        self._wish = wish
        self._part = part

    def is_set(self) -> bool:
        """Say whether the end is wished; the next question is due within the part's usual time."""
        self._part.beat()
        return self._wish.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the wish; the waiting itself is allowed for. Return whether it is set."""
        self._part.pause(timeout)
        try:
            return self._wish.wait(timeout)
        finally:
            self._part.beat()
