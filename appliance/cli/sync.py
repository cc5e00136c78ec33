"""`appliance sync`: the deliveries' room, and what an operator may ask of it."""

from __future__ import annotations

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.rooms import enter
from appliance.errors import NotFound
from appliance.model.uid import is_valid_uid

sink_argument = click.argument("sink", metavar="SINK")


@click.group(invoke_without_command=True)
@pass_installation
@click.pass_context
def sync(ctx: click.Context, installation: Installation) -> None:
    """Deliver the outbox to its sinks until SIGTERM or SIGINT; or, with a further verb, tell it what to do."""
    if ctx.invoked_subcommand is None:
        from appliance.sync.main import main

        enter(ctx, main, installation)


@sync.command()
@click.argument("study_uid", metavar="STUDY")
@click.option("--sink", default="", help="Only this sink [default: every sink].")
@pass_installation
def now(installation: Installation, study_uid: str, sink: str) -> None:
    """Send what is left of a study ahead of everything else; STUDY is its Study Instance UID."""
    if not is_valid_uid(study_uid):
        raise click.BadParameter("a Study Instance UID is digits and dots", param_hint="STUDY")
    with installation.archive() as archive:
        count = archive.outbox.hurry(study_uid, sink=sink)
        if not count and not archive.reading.instances(study_uid):
            raise NotFound(f"there is no study {study_uid}", hint="the study list of the web pages shows the UID")
    click.echo(f"{count} deliveries go first." if count else "Nothing of this study waits.")


@sync.command()
@sink_argument
@click.option("--reason", required=True, help="Why; shown wherever the sink is.")
@pass_installation
def pause(installation: Installation, sink: str, reason: str) -> None:
    """Deliver nothing to SINK until `sync resume`, across restarts too; everything for it is kept."""
    with installation.archive() as archive:
        archive.outbox.hold(sink, reason)
    click.echo(f"Sink {sink} is paused; the batch in hand is finished.")


@sync.command()
@sink_argument
@pass_installation
def resume(installation: Installation, sink: str) -> None:
    """End a pause of SINK; safe to repeat."""
    with installation.archive() as archive:
        archive.outbox.release_hold(sink)
    click.echo(f"Sink {sink} goes on.")
