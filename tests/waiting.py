"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Literal, TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T | Literal[False] | None], timeout: float = 10.0, *, every: float = 0.01) -> T:
    """Return the predicate's first true value; AssertionError when `timeout` seconds pass without one."""
    deadline = time.monotonic() + timeout
    pause = Event()
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still false after {timeout} s: {predicate!r}")
        pause.wait(every)
