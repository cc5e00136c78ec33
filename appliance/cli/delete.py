"""`appliance delete`, `appliance undelete`: remove images on purpose, or let removed ones be sent again."""

from __future__ import annotations

import click

from appliance.cli.conflict import operator
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted, size
from appliance.model.attributes import Level

study_option = click.option(
    "--study", "level", flag_value=Level.STUDY.value, help="UID is of a study: all of it is meant."
)
series_option = click.option(
    "--series", "level", flag_value=Level.SERIES.value, help="UID is of a series: all of it is meant."
)


@click.command()
@click.argument("uid")
@study_option
@series_option
@click.option("--reason", required=True, help="Why; kept in the ledger of custody, never logged.")
@click.option("--force", is_flag=True, help="Even where it has not reached every required sink, or is pinned.")
@pass_installation
def delete(installation: Installation, uid: str, level: str | None, reason: str, force: bool) -> None:
    """Delete an instance by its SOP Instance UID (or a study, or a series) for good; the centre is told.

    It stays deleted when it is sent again, until `appliance undelete`.
    """
    if not reason.strip():
        raise click.UsageError("Say why: --reason must not be empty.")
    with installation.archive(writes_much=True) as archive:
        chosen = Level(level or Level.INSTANCE)
        done = archive.deletions.delete(chosen, uid, reason=reason.strip(), by=operator(), force=force)
    files = counted(done.files, "file", "files")
    click.echo(f"{counted(done.instances, 'instance', 'instances')} deleted: {files}, {size(done.size)}.")


@click.command()
@click.argument("uid")
@study_option
@series_option
@pass_installation
def undelete(installation: Installation, uid: str, level: str | None) -> None:
    """Take a deleted instance (or study, or series) again when it is sent again; its bytes do not come back by this."""
    with installation.archive() as archive:
        count = archive.deletions.undelete(Level(level or Level.INSTANCE), uid, by=operator())
    click.echo(f"{counted(count, 'tombstone', 'tombstones')} lifted: have it sent again.")
