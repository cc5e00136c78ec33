"""Keeping the archive within its limits: retention's rounds, beside the deliveries they wait for."""

from __future__ import annotations

from threading import Event
from typing import Protocol

from appliance.archive.retention import Outlook, Retention, Run
from appliance.errors import ApplianceError, ArchiveFailed
from appliance.logs import get_logger

NAME = "retention"
# Between two studies the doors get their turn.
REST_SECONDS = 0.005
LOOK_SECONDS = 300.0

log = get_logger(__name__)


class Stop(Protocol):
    """The room's wish to stop."""

    def is_set(self) -> bool:
        """Say whether there is one."""

    def wait(self, timeout: float) -> bool:
        """Wait for it, for `timeout` seconds at most; return whether it is there."""


class Keeper:
    """Evicts what the policy wants gone, a round every `interval` seconds. For one thread.

    Without an interval somebody else evicts, a process of its own: then it looks, and publishes what it sees.
    """

    def __init__(self, retention: Retention, interval: float) -> None:
        """The first round begins at once."""
        self.name = NAME
        self._retention = retention
        self._looks_only = not interval
        self._interval = interval or LOOK_SECONDS
        self._outlook = Outlook()
        self._round = Run()

    def run(self, stop: Stop) -> None:
        """Go on until `stop`. Raises ArchiveFailed; other troubles of the archive are told and pass."""
        while not stop.is_set():
            try:
                self.step(stop)
            except ArchiveFailed:
                raise
            except ApplianceError as error:
                log.warning("retention waits", fault=error.message)
            stop.wait(self._interval)

    def step(self, stop: Stop | None = None) -> None:
        """Do one round, then see how much could still go."""
        ending = stop or Event()
        if not self._retention.policy.active:
            return

        def rest() -> bool:
            return ending.wait(REST_SECONDS)

        was_short = self._round.short_bytes > 0
        self._round = done = self._retention.run(dry=self._looks_only, rest=rest)
        if not self._looks_only and (done.objects or done.refreshed):
            numbers = {"objects": done.objects, "bytes": done.bytes, "studies": len(done.studies)}
            log.info("evicted", **numbers, read_back=done.refreshed)
        if done.short_bytes and not was_short:
            log.warning("the limits of retention do not hold: see appliance retention status", bytes=done.short_bytes)
        self._outlook = self._retention.outlook(rest=rest)

    def snapshot(self) -> dict[str, int]:
        """Return the numbers of the last round: sizes are bytes."""
        return {
            "held_bytes": self._outlook.held_bytes,
            "evictable_bytes": self._outlook.evictable_bytes,
            "short_bytes": self._round.short_bytes,
        }
