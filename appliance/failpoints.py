"""Named places where a test makes the process die or the disk fail.

`failpoint("name")` stands before or after each durable step and does nothing, unless the
environment asks for it when the process starts:

    APPLIANCE_FAILPOINTS="ingest.renamed=kill,ingest.fsync=EIO,ingest.write=ENOSPC@2"

`kill` sends SIGKILL to the own process; the name of an errno raises that OSError. Without "@" it
happens at every hit; "@n" makes it happen at the n-th hit only.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

VARIABLE = "APPLIANCE_FAILPOINTS"

NAMES: tuple[str, ...] = (
    "ingest.begin",
    "ingest.write",
    "ingest.before_fsync",
    "ingest.fsync",
    "ingest.after_fsync",
    "ingest.before_rename",
    "ingest.after_rename",
    "ingest.after_directory_fsync",
    "ingest.between_rows_and_events",
    "ingest.before_commit",
    "ingest.after_commit",
    "filling.before_commit",
    "filling.after_commit",
    "outbox.before_settle_commit",
    "outbox.after_settle_commit",
    "quarantine.after_rename",
    "receipts.before_commit",
    "receipts.after_commit",
    "deletion.before_commit",
    "deletion.after_commit",
    "retention.before_commit",
    "retention.after_commit",
    "recall.before_commit",
    "recall.after_commit",
    "scp.before_answer",
    "scp.after_answer",
    "sync.after_claim",
    "sync.before_settle",
    "sync.after_settle",
    "directory.after_file_fsync",
    "directory.after_rename",
    "directory.after_directories",
    "directory.before_lines",
    "directory.lines_written",
    "directory.after_lines",
    "kafka.before_send",
    "kafka.after_send",
    "kafka.after_answers",
    "stow.before_send",
    "stow.after_answer",
    "stow.before_piece",
    "stow.after_piece",
    "upload.before_facts",
    "upload.write",
    "upload.before_fsync",
    "upload.after_fsync",
    "upload.after_mark",
    "upload.after_ingest",
    "upload.before_answer",
    "upload.after_answer",
    "receiver.before_receipt",
    "receiver.after_receipt",
    "loader.after_load",
    "loader.after_dead_letters",
    "loader.before_commit",
    "codec.before_cache_rename",
    "metadata.before_rename",
    "backup.after_databases",
    "backup.before_object",
    "backup.before_marker",
    "backup.after_marker",
    "restore.before_object",
    "restore.before_index",
)

_REGISTERED = frozenset(NAMES)


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do at one failpoint: `action` is "kill" or an errno's name; `hit` 0 means every time."""

    action: str
    hit: int = 0


def parse(text: str) -> dict[str, Fault]:
    """Read the variable's value; raises ValueError naming the word that is wrong."""
    faults = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, rest = word.partition("=")
        action, at, hit = rest.partition("@")
        if name not in NAMES:
            raise ValueError(f"{VARIABLE}: there is no failpoint {name!r}")
        if action != "kill" and not hasattr(errno, action):
            raise ValueError(f"{VARIABLE}: {action!r} is neither kill nor the name of an errno")
        if at and not (hit.isascii() and hit.isdigit() and int(hit) > 0):
            raise ValueError(f"{VARIABLE}: {hit!r} is not the number of a hit")
        faults[name] = Fault(action, int(hit) if at else 0)
    return faults


class Failpoints:
    """The faults one process was started with, and how often each place was passed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._faults = parse(environ.get(VARIABLE, ""))
        self._hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reach(self, name: str) -> None:
        """Pass `name`: raise its OSError or die, if asked for. An unregistered name is a KeyError."""
        if name not in _REGISTERED:
            raise KeyError(f"failpoint {name!r} is not registered")
        fault = self._faults.get(name)
        if fault is None:
            return
        with self._lock:
            self._hits[name] += 1
            due = fault.hit in (0, self._hits[name])
        if due:
            _strike(fault.action, name)


@cache
def _of_this_process() -> Failpoints:
    return Failpoints(os.environ)


def failpoint(name: str) -> None:
    """Pass the place called `name`, as the environment at this process's first failpoint wants it.

    Raises OSError where that was asked for, KeyError for a name missing in NAMES.
    """
    _of_this_process().reach(name)


def _strike(action: str, name: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number: int = getattr(errno, action)
    raise OSError(number, os.strerror(number), f"failpoint {name}")
