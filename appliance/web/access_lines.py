"""Access lines: who read patient data, gathered for a second and put into the outbox together.

A line each would be an fsync each, and a viewer asks for a hundred frames a second. What is lost when the
process is killed is at most the last GATHER_SECONDS of lines, and whatever exceeds MOST_LINES of them.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict, deque
from typing import Final

from flask import Request, Response

from appliance.archive.accesses import Access, Accesses
from appliance.clock import Clock
from appliance.errors import ArchiveError
from appliance.logs import get_logger
from appliance.web.gate import is_idle
from appliance.web.permissions import RULES
from appliance.web.principal import Principal

GATHER_SECONDS: Final = 1.0
MICROSECONDS: Final = 1_000_000
MOST_LINES: Final = 10_000
MOST_AT_ONCE: Final = 1_000
# An open page looks again every few seconds; that it is open is one line in this time.
IDLE_SECONDS: Final = 600.0
MOST_PAGES: Final = 1_000


class AccessLines:
    """Takes lines from any thread; a thread of its own writes them. `note` never waits for the disk."""

    def __init__(self, accesses: Accesses, clock: Clock) -> None:
        """Nothing is written before `start`."""
        self._accesses = accesses
        self._clock = clock
        self._lines: deque[Access] = deque()
        self._lost = 0
        self._pages: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-lines", daemon=True)

    def note(self, request: Request, answer: Response, principal: Principal, started: float) -> None:
        """Add a line for a request that was let in, if its route shows patient data. `started` is monotonic."""
        rule = RULES.get(request.endpoint or "")
        if rule is None or not rule.patient:
            return
        line = self._line(request, answer, principal, time.monotonic() - started)
        with self._lock:
            if is_idle(request) and self._is_known(principal.identity, request.path):
                return
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

    def _line(self, request: Request, answer: Response, principal: Principal, seconds: float) -> Access:
        length = answer.headers.get("Content-Length") or "unknown"
        return Access(
            at=self._clock.now() - round(seconds * MICROSECONDS),
            request_id=str(uuid.uuid4()),
            method=request.method,
            path=request.path,
            peer=_peer(request),
            headers=dict(request.headers),
            user=principal.name,
            user_id=principal.identity,
            status=answer.status_code,
            length=length,
            milliseconds=round(seconds * 1000),
        )

    def _is_known(self, identity: str, path: str) -> bool:
        now, key = time.monotonic(), (identity, path)
        known = self._pages.get(key, now - 2 * IDLE_SECONDS) > now - IDLE_SECONDS
        if not known:
            self._pages[key] = now
            self._pages.move_to_end(key)
            while len(self._pages) > MOST_PAGES:
                self._pages.popitem(last=False)
        return known

    def _run(self) -> None:
        while not self._stop.wait(GATHER_SECONDS):
            self.write()
        while self._lines:
            before = len(self._lines)
            self.write()
            if len(self._lines) >= before:
                return


def _peer(request: Request) -> str:
    address, port = request.remote_addr or "", request.environ.get("REMOTE_PORT", "0")
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
