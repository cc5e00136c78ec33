"""What killed its child twice is not tried again for a while: a page that asks over and over costs nothing more."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from appliance.codec.faults import COSTLY, CodecFault, Kind
from appliance.codec.line import Task

# Once may be the decoder's own bad luck (gdcm hangs at random in long loops).
PATIENCE: Final = 2
FORGOTTEN_AFTER: Final = 600.0
MOST: Final = 4096

# Which file, where the data set is, the operation, the frame; and the arguments where they are to blame.
Key = tuple[str, int, str, Any, str]


class _Record(NamedTuple):
    times: int
    at: float
    kind: Kind


class Strikes:
    """The tasks that have cost a child of late. Bounded, in memory, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: OrderedDict[Key, _Record] = OrderedDict()

    def check(self, task: Task) -> None:
        """Raise the fault that this task has ended in before, if that was too often."""
        with self._lock:
            records = [self._records.get(_key(task, kind)) for kind in (Kind.CRASHED, Kind.TOO_LARGE)]
        for record in records:
            if record and record.times >= PATIENCE and time.monotonic() - record.at < FORGOTTEN_AFTER:
                raise CodecFault(record.kind)

    def note(self, task: Task, fault: CodecFault) -> None:
        """Remember that a task has cost a child; other faults are not noted."""
        if fault.kind not in COSTLY:
            return
        key, now = _key(task, fault.kind), time.monotonic()
        with self._lock:
            record = self._records.pop(key, None)
            count = record.times if record and now - record.at < FORGOTTEN_AFTER else 0
            self._records[key] = _Record(count + 1, now, fault.kind)
            while len(self._records) > MOST:
                self._records.popitem(last=False)


def _key(task: Task, kind: Kind) -> Key:
    # Another window does not cure a frame that hangs; a smaller picture may well fit.
    arguments = json.dumps(task.arguments, sort_keys=True) if kind is Kind.TOO_LARGE else ""
    return task.source.name, task.source.offset, task.operation, task.arguments.get("frame"), arguments
