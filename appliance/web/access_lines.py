"""Access lines of the web room: who read patient data, and which open page only looks again."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from typing import Final

from flask import Request, Response

from appliance.archive.accesses import Access, Accesses
from appliance.clock import Clock
from appliance.http.access_log import AccessLog, peer_text
from appliance.web.gate import is_idle
from appliance.web.permissions import RULES
from appliance.web.principal import Principal

MICROSECONDS: Final = 1_000_000
# An open page looks again every few seconds; that it is open is one line in this time.
IDLE_SECONDS: Final = 600.0
MOST_PAGES: Final = 1_000


class AccessLines(AccessLog):
    """Makes lines of requests."""

    def __init__(self, accesses: Accesses, clock: Clock) -> None:
        """Nothing is written before `start`."""
        super().__init__(accesses)
        self._clock = clock
        self._pages: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, request: Request, answer: Response, principal: Principal, started: float) -> None:
        """Add a line for a request that was let in, if its route shows patient data. `started` is monotonic."""
        rule = RULES.get(request.endpoint or "")
        if rule is None or not rule.patient:
            return
        line = self._line(request, answer, principal, time.monotonic() - started)
        with self._lock:
            if is_idle(request) and self._is_known(principal.identity, request.path):
                return
        self.add(line)

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


def _peer(request: Request) -> str:
    return peer_text(request.remote_addr or "", request.environ.get("REMOTE_PORT", "0"))
