"""The supervisor: restarts what ends, drains in order, leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.cli.restart import PATIENCE
from appliance.cli.supervisor import Plan, Supervisor
from appliance.clock import SystemClock
from tests.clocks import FakeClock
from tests.waiting import wait_until


def plan(name: str, code: str, grace: float = 10.0) -> Plan:
    return Plan(name, [sys.executable, "-c", code], grace)


def room(journal: Path, name: str) -> Plan:
    """A room that notes its start, and its end when it is asked to end."""
    code = f"""
import signal, sys
def note(word):
    with open({str(journal)!r}, "a") as file:
        file.write(word + " {name}\\n")
def end(*_):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("started")
while True:
    signal.pause()
"""
    return plan(name, code)


def deaf(journal: Path) -> str:
    """A room that does not hear SIGTERM."""
    return f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({str(journal)!r}, "w").write("started\\n")
while True:
    signal.pause()
"""


def make(*plans: Plan, clock: SystemClock | FakeClock | None = None) -> tuple[Supervisor, list[str]]:
    said: list[str] = []
    return Supervisor(plans, os.environ, clock or SystemClock(), said.append), said


def lines(journal: Path) -> list[str]:
    return journal.read_text().splitlines() if journal.exists() else []


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "journal"


def test_rooms_are_drained_in_the_order_of_the_plan(journal: Path) -> None:
    supervisor, _ = make(room(journal, "scp"), room(journal, "web"), room(journal, "sync"))
    supervisor.tend()
    wait_until(lambda: len(lines(journal)) == 3)
    supervisor.stop()
    assert lines(journal)[3:] == ["ended scp", "ended web", "ended sync"]
    assert supervisor.pids() == {}


def test_a_room_that_ends_is_restarted_after_its_delay(journal: Path) -> None:
    clock = FakeClock()
    supervisor, said = make(plan("scp", "raise SystemExit(70)"), clock=clock)
    supervisor.tend()
    first = supervisor.pids()["scp"]
    wait_until(lambda: supervisor.tend() is None and not supervisor.pids())
    supervisor.tend()
    assert not supervisor.pids()
    clock.advance(0.6)
    supervisor.tend()
    assert supervisor.pids()["scp"] != first
    assert said == ["scp ended (exit code 70) and is restarted in 0.5 s."]
    supervisor.stop()


def test_a_configuration_error_is_not_retried() -> None:
    supervisor, said = make(plan("web", "raise SystemExit(78)"))
    assert wait_until(supervisor.tend) == 78
    assert "web cannot run" in said[0]
    supervisor.stop()


def test_a_room_that_another_process_serves_is_not_tried_for_ever() -> None:
    clock = FakeClock()
    supervisor, said = make(plan("scp", "raise SystemExit(75)"), clock=clock)

    def tended() -> int | None:
        clock.advance(0.1)
        return supervisor.tend()

    assert wait_until(tended) == 75
    assert len(said) == PATIENCE
    supervisor.stop()


def test_a_room_that_does_not_end_in_time_is_killed(journal: Path) -> None:
    supervisor, said = make(plan("sync", deaf(journal), grace=0.3))
    supervisor.tend()
    wait_until(lambda: lines(journal))
    supervisor.stop()
    assert said == ["sync did not end in time and is killed."]


def test_a_second_interrupt_cuts_the_grace_short(journal: Path) -> None:
    supervisor, said = make(plan("sync", deaf(journal), grace=600))
    supervisor.tend()
    wait_until(lambda: lines(journal))
    supervisor.stop(hurry=lambda: True)
    assert "killed" in said[0]


def test_a_room_has_a_session_of_its_own(journal: Path) -> None:
    supervisor, _ = make(room(journal, "scp"))
    supervisor.tend()
    pid = supervisor.pids()["scp"]
    wait_until(lambda: lines(journal))
    assert os.getsid(pid) == pid != os.getsid(0)
    supervisor.stop()


def test_a_room_the_others_do_without_ends_nothing_but_itself(journal: Path) -> None:
    clock = FakeClock()
    hopeless = replace(plan("monitor", "raise SystemExit(78)"), vital=False)
    supervisor, said = make(hopeless, room(journal, "scp"), clock=clock)
    supervisor.tend()
    wait_until(lambda: supervisor.tend() is None and "monitor" not in supervisor.pids())
    clock.advance(3600)
    assert supervisor.tend() is None
    assert list(supervisor.pids()) == ["scp"]
    assert len(said) == 1 and "monitor cannot run" in said[0]
    supervisor.stop()
