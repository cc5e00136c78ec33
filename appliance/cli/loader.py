"""`appliance central loader`: what takes records from the topics to the databases, in the foreground."""

from __future__ import annotations

import click

from appliance.cli.death import SUPERVISOR_VARIABLE, leave_with_supervisor
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.owner import become_owner
from appliance.errors import ConfigurationError
from appliance.lifecycle import sole_process


@click.command()
@pass_installation
@click.pass_context
def loader(ctx: click.Context, installation: Installation) -> None:
    """Take records from the topics into PostgreSQL and Doris, until SIGTERM or SIGINT."""
    from appliance.central.loader_main import main

    leave_with_supervisor(installation.environ.get(SUPERVISOR_VARIABLE, ""))
    home = installation.settings.home
    try:
        # It keeps nothing there but its lock: no archive, no database.
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the home {home} cannot be made: {error.strerror}"
        raise ConfigurationError(message, hint="make it, or name another by --home") from None
    become_owner(home)
    with sole_process(home, str(ctx.info_name)):
        code = main(installation.settings)
    ctx.exit(code)
