"""`appliance run`: every room in the foreground, for a first look and for development."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from appliance.cli import sample as samples
from appliance.cli.codec import ROOM as CODEC
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.owner import become_owner
from appliance.cli.status import ROOMS, living
from appliance.cli.supervisor import Plan, Supervisor
from appliance.clock import SystemClock
from appliance.config import Settings
from appliance.errors import AlreadyRunning, ApplianceError
from appliance.lifecycle import ESSENTIAL_ROOMS, MONITOR, sole_process

TICK_SECONDS = 0.2
WEB_GRACE = 35.0
SYNC_GRACE = 30.0
MONITOR_GRACE = 10.0
CODEC_GRACE = 10.0
SPARE_SECONDS = 5.0
LEFTOVER_SECONDS = 3.0
LOGIN_VARIABLE = "APPLIANCE__WEB__LOGIN"


@dataclass
class Interrupts:
    """Counts SIGINT, SIGTERM and SIGHUP (a closed terminal): the first stops gently, the second at once."""

    count: int = 0

    def install(self) -> None:
        """Take the signals over; main thread only."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


@click.command()
@click.option("--sample", "with_sample", is_flag=True, help="The first time, send a small synthetic study to itself.")
@pass_installation
@click.pass_context
def run(ctx: click.Context, installation: Installation, with_sample: bool) -> None:
    """Run all rooms until Ctrl-C: receive, serve, forward. Initialises the home directory when needed."""
    interrupts = Interrupts()
    interrupts.install()
    installation.make_home()
    become_owner(installation.settings.home)
    with sole_process(installation.settings.home, "run"):
        check_unserved(installation.settings.home, lambda: interrupts.count > 0)
        installation.initialise()
        code = supervise(installation, interrupts, with_sample)
    ctx.exit(code)


def check_unserved(home: Path, hurry: Callable[[], bool], seconds: float = LEFTOVER_SECONDS) -> None:
    """Raise AlreadyRunning when a room of `home` runs; rooms of a `run` that was killed get `seconds` to end."""
    deadline = time.monotonic() + seconds
    for room in ROOMS:
        while True:
            try:
                with sole_process(home, room):
                    break
            except AlreadyRunning:
                if hurry() or time.monotonic() >= deadline:
                    raise
            wait(TICK_SECONDS)


def supervise(installation: Installation, interrupts: Interrupts, with_sample: bool) -> int:
    """Run the rooms until a signal, or until one cannot run; returns the exit code."""
    environ = {**installation.environ, **open_door(installation)}
    supervisor = Supervisor(plans(installation), environ, SystemClock(), say)
    welcome = Welcome(installation, with_sample)
    code: int | None = None
    try:
        while not interrupts.count and code is None:
            code = supervisor.tend()
            welcome.tend(supervisor.pids())
            wait(TICK_SECONDS)
    finally:
        if interrupts.count:
            say("Stopping: the door closes first, then deliveries finish. Ctrl-C again ends at once.")
        supervisor.stop(hurry=lambda: interrupts.count > 1)
    say("Stopped.")
    return ExitCode.OK if code is None else code


def open_door(installation: Installation) -> dict[str, str]:
    """Return the variables that spare a first look on this very machine the login, unless that was configured."""
    settings, origins = installation.settings, installation.loaded.origins
    here = settings.web.is_loopback and settings.web.socket is None
    return {LOGIN_VARIABLE: "open"} if "web.login" not in origins and here else {}


def plans(installation: Installation) -> list[Plan]:
    """The rooms in the order they are started and stopped, with their seconds to drain.

    The monitor is the first, so that it can say "starting" and "stopping"; without a broker there is none, and
    without a `codec.socket` no codec.
    """
    graces = {MONITOR: MONITOR_GRACE} if installation.settings.mqtt.host else {}
    graces |= {CODEC: CODEC_GRACE} if installation.settings.codec.socket else {}
    graces |= {
        "scp": installation.settings.scp.drain_timeout + SPARE_SECONDS,
        "web": WEB_GRACE,
        "sync": SYNC_GRACE,
    }
    return [
        Plan(
            room, [sys.executable, "-m", "appliance", *installation.command(room)], grace, vital=room in ESSENTIAL_ROOMS
        )
        for room, grace in graces.items()
    ]


class Welcome:
    """Says where to look once the rooms are up, and sends the sample study if that was asked for."""

    def __init__(self, installation: Installation, with_sample: bool) -> None:
        """Nothing is read or sent yet."""
        self._installation = installation
        self._sample_due = with_sample and not samples.marker(installation.settings.home).exists()
        self._greeted = False

    def tend(self, pids: dict[str, int]) -> None:
        """Once every room of `pids` has reported: greet, then send the sample in the background."""
        if self._greeted or not living(self._installation.runtime, pids):
            return
        self._greeted = True
        for line in directions(self._installation):
            say(line)
        if self._sample_due:
            threading.Thread(target=self._send_sample, name="sample", daemon=True).start()

    def _send_sample(self) -> None:
        settings = self._installation.settings
        try:
            count = samples.send(settings)
            samples.marker(settings.home).touch()
        except (ApplianceError, OSError) as error:
            say(f"The sample study was not sent: {error}")
        else:
            say(f"Sample study sent: {count} images. It is in the study list now.")


def directions(installation: Installation) -> list[str]:
    """Where to look: the DICOM address, the web address, the folders, the next command."""
    settings = installation.settings
    status = shlex.join([*program(), *installation.command("status")])
    return [
        "",
        f"  DICOM      {settings.scp.host} port {settings.scp.port}, AE title {settings.scp.ae_title}",
        f"  Browser    http://{settings.web.host}:{settings.web.port}/",
        f"  DICOMweb   http://{settings.web.host}:{settings.web.port}/dicom-web",
        *outbound(settings),
        f"  Status     {status}",
        "  Stop       Ctrl-C",
        "",
    ]


def program() -> list[str]:
    """How this very command is typed in another shell."""
    beside = Path(sys.executable).with_name("appliance")
    if shutil.which("appliance"):
        return ["appliance"]
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "appliance"]


def outbound(settings: Settings) -> list[str]:
    """One line per directory sink."""
    sinks = settings.sync.sinks
    return [f"  Outbound   {settings.sink_path(name)}" for name, sink in sinks.items() if sink.kind == "directory"]


def say(line: str) -> None:
    """One line for the terminal, on standard error as the rooms' logs are; a closed terminal is no error."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        return


def wait(seconds: float) -> None:
    """Sleep; a signal's handler has run when this returns."""
    threading.Event().wait(seconds)
