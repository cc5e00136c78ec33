"""Trouble on order: what the next requests meet instead of a good day."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

ALWAYS = -1

# Each kind with the stage at which it strikes.
FE, HEADERS, BODY, JUDGED = "fe", "headers", "body", "judged"
KINDS = {
    "fe_reset": FE,  # the frontend hangs up
    "fe_silent": FE,  # it never answers
    "fe_status": FE,  # it answers with the HTTP status `status`
    "no_backends": FE,  # 200, and a refusal
    "redirect": FE,  # it points to `url`
    "be_reset_early": HEADERS,  # the backend hangs up before the body
    "be_status": HEADERS,  # a proxy before it answers with the HTTP status `status`
    "be_reset_body": BODY,  # it hangs up with the body half read; rolled back
    "empty_status": HEADERS,  # Label Already Exists with no ExistingJobStatus
    "fail": JUDGED,  # Fail with `message`, rolled back
    "running": JUDGED,  # it hangs up and the transaction runs on, until released
    "stuck": JUDGED,  # the same, but it will be rolled back
    "publish_timeout": JUDGED,  # committed, visible when released
    "lost_answer": JUDGED,  # committed, then it hangs up
    "silent": JUDGED,  # committed, and it never answers
    "filtered_success": JUDGED,  # Success although rows were filtered
    "slow": JUDGED,  # it takes `seconds` longer
    "babble": JUDGED,  # committed, and it answers `body`
}
MEMORY = "[MEM_LIMIT_EXCEEDED]PreCatch error code:11, memory not enough when create channel of loader"
TOO_MANY_VERSIONS = "[INTERNAL_ERROR]tablet error: [E-235]failed to init rowset builder. too many versions"


@dataclass
class Trouble:
    """A kind of trouble, its options, and for how many requests it lasts (ALWAYS: until healed)."""

    kind: str
    times: int
    options: dict[str, Any]


class Troubles:
    """Trouble waiting to happen. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Trouble] = []

    def order(self, kind: str, times: int = 1, **options: Any) -> None:
        """Let the next requests meet it; those ordered first come first at each stage."""
        assert kind in KINDS, kind
        with self._lock:
            self._waiting.append(Trouble(kind, times, options))

    def meet(self, stage: str) -> Trouble | None:
        """The trouble that strikes now."""
        with self._lock:
            for trouble in self._waiting:
                if KINDS[trouble.kind] == stage:
                    trouble.times -= 1
                    if trouble.times == 0:
                        self._waiting.remove(trouble)
                    return trouble
        return None

    def heal(self) -> None:
        """No more trouble."""
        with self._lock:
            self._waiting.clear()
