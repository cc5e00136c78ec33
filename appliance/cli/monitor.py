"""`appliance monitor`: the report to central IT in the foreground."""

from __future__ import annotations

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.rooms import enter


@click.command()
@pass_installation
@click.pass_context
def monitor(ctx: click.Context, installation: Installation) -> None:
    """Report status and health to the MQTT broker until SIGTERM or SIGINT."""
    from appliance.monitor.main import main

    enter(ctx, main, installation)
