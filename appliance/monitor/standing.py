"""How the box stands: one word, since when, and a number that counts what was said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MICROSECONDS = 1_000_000


class State(StrEnum):
    """The states of a box, as its status topic names them. Only the broker says `lost`."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    LOST = "lost"


class Standing:
    """The state of one run of the monitor, written by one thread.

    `boot_id` is new with every run, so that a reader can tell the broker's late `lost` about an
    earlier run from one about this run. `seq` counts the reports of a run from 1.
    """

    def __init__(self, boot_id: str, version: str, now: int) -> None:
        """Begin as `starting`; `now` is in microseconds since 1970, UTC, here and below."""
        self.boot_id = boot_id
        self.state = State.STARTING
        self._version = version
        self._since = now
        self._seq = 0

    def move(self, state: State, now: int) -> bool:
        """Take a state; return whether it is another one than before."""
        if state is self.state:
            return False
        self.state, self._since = state, now
        return True

    def report(self) -> dict[str, Any]:
        """Return the next status report."""
        self._seq += 1
        return self._fields(self.state, moment(self._since))

    def will(self) -> dict[str, Any]:
        """Return what the broker shall say when this run has gone without a word.

        It is written before the fact: `since` is null, and `seq` is that of the last report so far.
        May be called from another thread than `report`.
        """
        return self._fields(State.LOST, None)

    def _fields(self, state: State, since: str | None) -> dict[str, Any]:
        return {
            "state": state.value, "since": since, "boot_id": self.boot_id, "version": self._version, "seq": self._seq,
        }  # fmt: skip


def moment(at: int | None) -> str | None:
    """Write microseconds since 1970 as ISO 8601 in UTC, to the second; None stays None."""
    return None if at is None else f"{datetime.fromtimestamp(at // MICROSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"
