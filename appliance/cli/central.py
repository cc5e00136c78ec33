"""`appliance central`: the programs of the centre, and the sites they know."""

from __future__ import annotations

import click

from appliance.cli.central_init import init
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.loader import loader
from appliance.cli.rooms import enter
from appliance.cli.site import site


@click.group()
def central() -> None:
    """The centre: what boxes send to. A box needs none of it."""


@click.command()
@pass_installation
@click.pass_context
def receiver(ctx: click.Context, installation: Installation) -> None:
    """Take objects from boxes, keep them and confirm them, until SIGTERM or SIGINT."""
    from appliance.central.receiver_main import main

    enter(ctx, main, installation)


VERBS: tuple[click.Command, ...] = (
    init,
    receiver,
    loader,
    site,
)

for _verb in VERBS:
    central.add_command(_verb)
