"""Taking copies in tests: of a small archive, with something happening while they are taken."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from appliance import failpoints
from appliance.archive.room import Archive
from appliance.care.backup import shelf, taking
from appliance.care.backup.gathering import Step
from appliance.care.backup.taking import Order, Taken


def copy(archive: Archive, directory: Path, **values: Any) -> Taken:
    """Take a snapshot; its clock is the archive's. `keep` and `keep_days` go to the pruning."""
    rules = {name: values.pop(name) for name in ("keep", "keep_days") if name in values}
    archive.clock.advance(1)  # type: ignore[attr-defined]
    return taking.take(Order(archive.settings, directory, **values), archive.clock, **rules)


def while_copying(event: Callable[[], object], *, after: int = 1) -> Callable[[int], Step]:
    """A progress that lets something happen once, when `after` files are done."""
    seen = 0

    def step(count: int) -> None:
        nonlocal seen
        seen += count
        if seen == after:
            event()

    return lambda total: step


def files_of(snapshot: Path) -> dict[str, bytes]:
    """Every object of a snapshot, or of a home, by its path."""
    root = snapshot / "archive"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def newest(directory: Path) -> shelf.Snapshot:
    """The newest whole snapshot."""
    return shelf.chosen(directory, None)


def killed(work: Callable[[], object], faults: Mapping[str, str]) -> bool:
    """Do something in a child of this process that dies at a failpoint; say whether it was killed there."""
    child = os.fork()
    if child == 0:
        os.environ[failpoints.VARIABLE] = ",".join(f"{name}={fault}" for name, fault in faults.items())
        failpoints._of_this_process.cache_clear()
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return False
    return os.WTERMSIG(status) == signal.SIGKILL
