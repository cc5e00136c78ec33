"""`appliance init`: make the home directory, the database and its tables."""

from __future__ import annotations

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.user import book_of, setup_lines


@click.command()
@pass_installation
def init(installation: Installation) -> None:
    """Create home directory, file store and databases, or bring them up to date; safe to repeat.

    While there is no account it prints a set-up code, each time another one.
    """
    installation.initialise()
    click.echo(f"Initialised {installation.settings.home}")
    if installation.settings.web.login == "required":
        with book_of(installation) as book:
            if not book.accounts.count():
                for line in setup_lines(installation, book):
                    click.echo(line)
