"""`appliance run`'s rooms: child processes that are watched, restarted and stopped in order."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.cli.death import SUPERVISOR_VARIABLE
from appliance.cli.restart import History, ending, hopeless
from appliance.clock import Clock

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """One room: its name, its command line, the seconds it has to drain, and whether the others need it."""

    name: str
    command: Sequence[str]
    grace: float
    vital: bool = True


@dataclass
class Child:
    """One room's process, and when to start it again if it is not running."""

    plan: Plan
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    history: History = field(default_factory=History)


class Supervisor:
    """Keeps the planned rooms running until told to stop. Used from one thread.

    Each room gets a session of its own, so that Ctrl-C reaches the supervisor alone, which then
    drains the rooms in the order of the plan: the door first, deliveries last.
    """

    def __init__(self, plans: Sequence[Plan], environ: Mapping[str, str], clock: Clock, say: Say) -> None:
        """Nothing is started yet. `say` gets plain sentences for the terminal."""
        self._children = [Child(plan) for plan in plans]
        self._environ = {**environ, SUPERVISOR_VARIABLE: str(os.getpid())}
        self._clock = clock
        self._say = say

    def tend(self) -> int | None:
        """Start what is due and notice what ended; call this several times a second.

        Returns the exit code of a vital room that a restart cannot help, else None.
        """
        for child in self._children:
            code = None if child.process is None else child.process.poll()
            if code is not None:
                child.process = None
                child.history = child.history.ended(self._clock.monotonic() - child.started)
                if hopeless(code, child.history.failures):
                    self._say(f"{child.plan.name} cannot run: {ending(code)}. See its message above.")
                    if child.plan.vital:
                        return code
                    child.due = math.inf
                else:
                    self._put_off(child, code)
            if child.process is None and self._clock.monotonic() >= child.due:
                self._start(child)
        return None

    def pids(self) -> dict[str, int]:
        """Process id of each running room."""
        return {child.plan.name: child.process.pid for child in self._children if child.process is not None}

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """End the rooms one after the other: SIGTERM, its grace, then SIGKILL; `hurry` cuts graces short."""
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
                if not self._wait(child.process, child.plan.grace, hurry):
                    self._say(f"{child.plan.name} did not end in time and is killed.")
                    child.process.kill()
                    child.process.wait()
            child.process = None

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.plan.command, env=self._environ, stdin=subprocess.DEVNULL, start_new_session=True
        )
        child.started = self._clock.monotonic()

    def _put_off(self, child: Child, code: int) -> None:
        child.due = self._clock.monotonic() + child.history.delay
        self._say(f"{child.plan.name} ended ({ending(code)}) and is restarted in {child.history.delay:g} s.")

    def _wait(self, process: subprocess.Popen[bytes], seconds: float, hurry: Callable[[], bool]) -> bool:
        deadline = self._clock.monotonic() + seconds
        while self._clock.monotonic() < deadline and not hurry():
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            return True
        return False
