"""`appliance init`: make the home directory, the database and its tables."""

from __future__ import annotations

import click

from appliance.cli.installation import Installation, pass_installation


@click.command()
@pass_installation
def init(installation: Installation) -> None:
    """Create home directory, file store and database, or bring them up to date; safe to repeat."""
    installation.initialise()
    click.echo(f"Initialised {installation.settings.home}")
