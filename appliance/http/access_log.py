"""Access lines: who read or stored what, gathered for a second and put into the outbox together.

A line each would be an fsync each, and a viewer asks for a hundred frames a second. What is lost when the
process is killed is at most the last GATHER_SECONDS of lines, and whatever exceeds MOST_LINES of them.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from appliance.archive.accesses import Access, Accesses
from appliance.errors import ArchiveError
from appliance.logs import get_logger

GATHER_SECONDS: Final = 1.0
MOST_LINES: Final = 10_000
MOST_AT_ONCE: Final = 1_000


class AccessLog:
    """Takes lines from any thread; a thread of its own writes them. `add` never waits for the disk."""

    def __init__(self, accesses: Accesses) -> None:
        """Nothing is written before `start`."""
        self._accesses = accesses
        self._lines: deque[Access] = deque()
        self._lost = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-lines", daemon=True)

    def add(self, line: Access) -> None:
        """Take a line, to be written within about a second; one too many is counted as lost."""
        with self._lock:
            if len(self._lines) < MOST_LINES:
                self._lines.append(line)
            else:
                self._lost += 1

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is there and end. Safe to repeat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(GATHER_SECONDS * 10)

    def write(self) -> None:
        """Put what was gathered into the outbox. What a busy database does not take now is tried again."""
        with self._lock:
            lines = [self._lines.popleft() for _ in range(min(MOST_AT_ONCE, len(self._lines)))]
            lost, self._lost = self._lost, 0
        try:
            lost += self._accesses.append(lines) if lines else 0
        except ArchiveError as error:
            get_logger(__name__).warning("access lines wait", lines=len(lines), reason=error.message)
            with self._lock:
                self._lines.extendleft(reversed(lines))
        if lost:
            get_logger(__name__).error("access lines were lost: there is no room for them", lines=lost)

    def _run(self) -> None:
        while not self._stop.wait(GATHER_SECONDS):
            self.write()
        while self._lines:
            before = len(self._lines)
            self.write()
            if len(self._lines) >= before:
                return


def peer_text(address: str, port: str) -> str:
    """Return address and port in one text, as access records have it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
