"""`appliance codec`: the decoders as a process of their own, asked by the other rooms through a socket."""

from __future__ import annotations

import faulthandler
import socket
from pathlib import Path

import click

from appliance import activation, lifecycle, logs
from appliance.cli.death import SUPERVISOR_VARIABLE, leave_with_supervisor
from appliance.cli.installation import Installation, pass_installation
from appliance.codec.doorway import bind
from appliance.codec.limits import Limits
from appliance.codec.service import Service
from appliance.config import Settings
from appliance.errors import ConfigurationError
from appliance.liveness import Liveness

ROOM = "codec"


@click.command()
@pass_installation
def codec(installation: Installation) -> None:
    """Decode and draw images for the other rooms, until SIGTERM or SIGINT.

    Started by systemd's socket, it ends by itself when nobody has asked for `codec.idle_exit_seconds`.
    """
    # The watchdog's SIGABRT then leaves in the log where each thread was: files and lines, no values.
    faulthandler.enable()
    leave_with_supervisor(installation.environ.get(SUPERVISOR_VARIABLE, ""))
    settings = installation.settings
    logs.configure(settings.log.level, settings.log.format, ROOM)
    handed = activation.inherited(installation.environ)
    if handed:
        serve(settings, the_one(handed), activated=True)
        return
    path = own_path(settings)
    listener = bind(path)
    try:
        serve(settings, listener, activated=False)
    finally:
        path.unlink(missing_ok=True)


def serve(settings: Settings, listener: socket.socket, *, activated: bool) -> None:
    """Serve until told to stop, or, `activated`, until nobody asks any more; closes the listener."""
    log, stop, notices, liveness = logs.get_logger(__name__), lifecycle.Stop(), lifecycle.Notices(), Liveness()
    stop.install()
    service = Service(listener, Limits(**settings.codec.limits()))
    service.live_in(liveness)

    def tick() -> None:
        liveness.feed(notices.watchdog)

    try:
        notices.ready()
        log.info("door open", activated=activated)
        idle = service.serve(stop, settings.codec.idle_exit_seconds if activated else None, tick)
        notices.draining(service.drain_seconds)
        service.close(tick)
        log.info("door closed", idle=idle)
    finally:
        notices.close()
        listener.close()
        stop.close()


def the_one(handed: dict[str, list[socket.socket]]) -> socket.socket:
    """Return the socket called codec; all others are closed. Raises ConfigurationError when there is not just one."""
    mine = handed.pop(ROOM, [])
    activation.close(handed)
    if len(mine) == 1 and mine[0].family == socket.AF_UNIX:
        return mine[0]
    activation.close({ROOM: mine})
    raise ConfigurationError(
        "the service manager hands over no unix socket called codec, or several",
        hint="the socket unit needs one ListenStream= with a path, and FileDescriptorName=codec",
    )


def own_path(settings: Settings) -> Path:
    """Return where to listen when nobody hands a socket over. Raises ConfigurationError."""
    if settings.codec.socket is None:
        raise ConfigurationError(
            "codec.socket is not set, and the service manager hands over no socket",
            hint="set codec.socket; without it each room decodes in children of its own and needs no codec room",
        )
    return settings.codec.socket
