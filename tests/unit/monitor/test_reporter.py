"""When the monitor reports, to a link that only remembers."""

from __future__ import annotations

import json
from typing import Any

from appliance.monitor.reporter import Reporter
from appliance.monitor.snapshot import Snapshot
from appliance.monitor.standing import Standing
from appliance.monitor.topics import Message, Topics
from tests.clocks import FakeClock
from tests.unit.monitor.snapshots import sink, sound

TOPICS = Topics.of("edge/v1", "site-1")


class Link:
    """Takes everything while `connected` and `taking`."""

    def __init__(self) -> None:
        self.connected = True
        self.connections = 1
        self.taking = True
        self.said: list[Message] = []

    def publish(self, message: Message) -> bool:
        if self.taking:
            self.said.append(message)
        return self.taking

    def farewell(self, message: Message, seconds: float) -> None:
        self.said.append(message)


class Desk:
    """A reporter with everything around it in hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.link = Link()
        self.snapshot: Snapshot = sound()
        standing = Standing("b1", "1.0", self.clock.now())
        self.reporter = Reporter(lambda: self.snapshot, self.link, standing, TOPICS, self.clock, 60.0)

    def pass_seconds(self, seconds: int) -> list[tuple[str, dict[str, Any]]]:
        """Step once a second; return what was said meanwhile, by the topic's last word."""
        before = len(self.link.said)
        for _ in range(seconds):
            self.reporter.step()
            self.clock.advance(1)
        return [(each.topic.rpartition("/")[2], json.loads(each.payload)) for each in self.link.said[before:]]


def states(said: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [report["state"] for topic, report in said if topic == "status"]


def test_both_reports_at_once_and_then_every_minute() -> None:
    desk = Desk()
    assert [topic for topic, _ in desk.pass_seconds(1)] == ["status", "health"]
    assert desk.pass_seconds(59) == []
    assert [topic for topic, _ in desk.pass_seconds(60)] == ["status", "health"]


def test_a_change_is_said_within_seconds_and_once() -> None:
    desk = Desk()
    desk.pass_seconds(1)
    desk.snapshot = sound(sinks=sink(breaker="open"))
    assert states(desk.pass_seconds(6)) == ["degraded"]
    assert desk.pass_seconds(20) == []
    desk.snapshot = sound()
    assert states(desk.pass_seconds(6)) == ["ready"]


def test_a_start_is_excused_for_a_minute_and_only_once() -> None:
    desk = Desk()
    desk.snapshot = sound(rooms={})
    assert states(desk.pass_seconds(59)) == ["starting"]
    assert "degraded" in states(desk.pass_seconds(10))
    desk.snapshot = sound()
    desk.pass_seconds(6)
    desk.snapshot = sound(rooms={})
    assert states(desk.pass_seconds(6)) == ["degraded"]


def test_a_new_connection_is_told_everything_and_nothing_was_kept_for_it() -> None:
    desk = Desk()
    desk.pass_seconds(1)
    desk.link.connected = False
    desk.snapshot = sound(sinks=sink(breaker="open"))
    assert desk.pass_seconds(600) == []
    desk.snapshot = sound()
    desk.pass_seconds(6)
    desk.link.connected, desk.link.connections = True, 2
    said = desk.pass_seconds(1)
    assert [topic for topic, _ in said] == ["status", "health"]
    assert states(said) == ["ready"]


def test_a_connection_that_broke_and_came_back_between_two_steps_is_noticed() -> None:
    desk = Desk()
    desk.pass_seconds(1)
    desk.link.connections = 2
    assert [topic for topic, _ in desk.pass_seconds(1)] == ["status", "health"]


def test_a_status_that_was_not_taken_is_said_again() -> None:
    desk = Desk()
    desk.link.taking = False
    desk.pass_seconds(3)
    desk.link.taking = True
    assert states(desk.pass_seconds(2)) == ["ready"]


def test_the_end_is_said() -> None:
    desk = Desk()
    desk.pass_seconds(1)
    desk.reporter.stop()
    assert json.loads(desk.link.said[-1].payload)["state"] == "stopping"
