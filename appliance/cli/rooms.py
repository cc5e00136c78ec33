"""`appliance scp|web`: one room in the foreground, as a service manager or `appliance run` starts it."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable

import click

from appliance.cli.death import SUPERVISOR_VARIABLE, leave_with_supervisor
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.owner import become_owner
from appliance.config import Settings
from appliance.lifecycle import sole_process


@click.command()
@pass_installation
@click.pass_context
def scp(ctx: click.Context, installation: Installation) -> None:
    """Receive objects by DICOM (C-ECHO, C-STORE) until SIGTERM or SIGINT."""
    from appliance.scp.main import main

    enter(ctx, main, installation)


@click.command()
@pass_installation
@click.pass_context
def web(ctx: click.Context, installation: Installation) -> None:
    """Serve DICOMweb and the pages for browsers until SIGTERM or SIGINT."""
    from appliance.web.main import main

    enter(ctx, main, installation)


def enter(ctx: click.Context, main: Callable[[Settings], int], installation: Installation) -> None:
    """Run a room's main, the only one of its home, and pass its exit code on. Raises AlreadyRunning."""
    # The watchdog's SIGABRT then leaves in the log where each thread was: files and lines, no values.
    if sys.__stderr__ is not None:  # the process's own, whoever has taken sys.stderr over
        faulthandler.enable(sys.__stderr__)
    leave_with_supervisor(installation.environ.get(SUPERVISOR_VARIABLE, ""))
    installation.require_database()
    become_owner(installation.settings.home)
    with sole_process(installation.settings.home, str(ctx.info_name)):
        code = main(installation.settings)
    ctx.exit(code)
