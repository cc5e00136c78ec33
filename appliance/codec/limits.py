"""What decoding may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one pool. Sizes are bytes, times seconds.

    `workers`: children at the same time. `deadline_seconds`: for one task, counted from when a child begins
    it; a task that no child has begun after as long gives way, too. `memory_bytes`: address space of one
    child. `output_bytes`: longest result. `waiting`: most tasks in line. A child is replaced after
    `tasks_per_child` tasks, because decoders leak, and ended after `idle_seconds` without any.
    """

    workers: int = 2
    deadline_seconds: float = 20.0
    memory_bytes: int = 2 << 30
    output_bytes: int = 512 << 20
    waiting: int = 32
    tasks_per_child: int = 200
    idle_seconds: float = 300.0
    start_seconds: float = 30.0
