"""When to report what: the status at once when it changes, both reports on every new connection and by the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.clock import Clock
from appliance.logs import get_logger
from appliance.monitor.snapshot import Snapshot, faults, health, state_of
from appliance.monitor.standing import Standing, State
from appliance.monitor.topics import Message, Topics

LOOK_SECONDS = 5.0
STARTING_LOOK_SECONDS = 1.0
START_SECONDS = 60.0
FAREWELL_SECONDS = 2.0

log = get_logger(__name__)


class Link(Protocol):
    """The connection to the broker, as much of it as the reporter sees."""

    @property
    def connected(self) -> bool:
        """Whether a publication has somewhere to go now."""

    @property
    def connections(self) -> int:
        """How many connections there have been."""

    def publish(self, message: Message) -> bool:
        """Hand a message over without waiting; say whether it was taken."""

    def farewell(self, message: Message, seconds: float) -> None:
        """Publish the last message, wait that long for the broker's word at most, end the connection."""


class Reporter:
    """Looks, decides and reports; to be stepped about once a second from one thread.

    Nothing is kept for a broker that is away: on its return it is told how things are then.
    """

    def __init__(
        self, look: Callable[[], Snapshot], link: Link, standing: Standing, topics: Topics, clock: Clock,
        health_seconds: float,
    ) -> None:  # fmt: skip
        """Take what to look with, where to report, and the seconds between two reports of numbers."""
        self._look = look
        self._link = link
        self._standing = standing
        self._topics = topics
        self._clock = clock
        self._health_seconds = health_seconds
        self._start_over = clock.monotonic() + START_SECONDS
        self._starting = True
        self._look_due = 0.0
        self._health_due = 0.0
        self._greeted = 0
        self._unsaid = True
        self._snapshot: Snapshot | None = None

    def step(self) -> None:
        """Look if it is time to, and report what is due."""
        now = self._clock.monotonic()
        if now >= self._look_due:
            self._judge(self._look(), now)
            self._look_due = now + (STARTING_LOOK_SECONDS if self._starting else LOOK_SECONDS)
        if not self._link.connected or self._snapshot is None:
            return
        connection = self._link.connections
        whole = connection != self._greeted or now >= self._health_due
        if whole or self._unsaid:
            self._unsaid = not self._link.publish(self._topics.status_message(self._standing.report()))
        if whole:
            report = health(self._snapshot, self._standing.state, self._standing.boot_id)
            self._link.publish(self._topics.health_message(report))
            self._greeted, self._health_due = connection, now + self._health_seconds

    def stop(self) -> None:
        """Say that the box ends in order, and leave."""
        self._standing.move(State.STOPPING, self._clock.now())
        self._link.farewell(self._topics.status_message(self._standing.report()), FAREWELL_SECONDS)

    def _judge(self, snapshot: Snapshot, now: float) -> None:
        self._snapshot = snapshot
        found = faults(snapshot)
        self._starting = self._starting and bool(found) and now < self._start_over
        state = state_of(found, starting=self._starting)
        if self._standing.move(state, snapshot.at):
            self._unsaid = True
            level = log.warning if state is State.DEGRADED else log.info
            level("box " + state.value, faults=list(found))
