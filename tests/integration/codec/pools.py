"""Pools for tests, and what the kernel says of their children."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.codec.limits import Limits
from appliance.codec.pool import Pool
from tests.partners.planted_child import MODULE

# What a child needs to live, and to be told from one that hangs, on a machine with other work.
DEADLINE = 3.0


class Notebook:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        """Nothing noted yet."""
        self.tasks: list[tuple[str, str]] = []
        self.ended: list[str] = []

    def task(self, operation: str, result: str, seconds: float) -> None:
        """Note a task."""
        self.tasks.append((operation, result))

    def child_ended(self, reason: str) -> None:
        """Note a child."""
        self.ended.append(reason)


@contextmanager
def planted_pool(observer: Notebook | None = None, **limits: Any) -> Iterator[Pool]:
    """Yield a pool whose children misbehave where an object tells them to; it is closed after."""
    bounds = {"deadline_seconds": DEADLINE, "memory_bytes": 768 << 20, "output_bytes": 32 << 20, **limits}
    pool = Pool(Limits(**bounds), observer, module=MODULE)
    try:
        yield pool
    finally:
        pool.close()


def children() -> dict[int, str]:
    """The children of this process: process id to state, "Z" for a zombie."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text().rpartition(") ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, *_ = rest.split()
        if int(parent) == os.getpid():
            found[int(path.parent.name)] = state
    return found


def descriptors() -> set[str]:
    """The open files of this process, by number."""
    return set(os.listdir("/proc/self/fd"))
