"""`appliance token`: how programs prove who they are to the web room."""

from __future__ import annotations

import re

import click

from appliance.access.roles import OF_TOKENS, Role
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import print_json, print_rows, timed
from appliance.cli.user import book_of

COLUMNS = ("name", "role", "created_at", "expires_at", "revoked_at", "used_at")
UNITS = {"h": 3600, "d": 86400}
NEVER = "never"
MOST_SECONDS = 10 * 365 * 86400


def lifetime(ctx: click.Context, param: click.Parameter, text: str) -> int | None:
    """Return the seconds of a duration such as 90d or 12h; None for "never"."""
    if text == NEVER:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([hd])", text)
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < seconds <= MOST_SECONDS:
        raise click.BadParameter("say a time such as 90d or 12h, ten years at most, or never")
    return seconds


@click.group()
def token() -> None:
    """API tokens of programs, in access.db of the home."""


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in OF_TOKENS]), required=True, help="What it may do.")
@click.option("--expires", "seconds", default="90d", show_default=True, callback=lifetime, help="90d, 12h or never.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_installation
def add(installation: Installation, name: str, role: str, seconds: int | None, as_json: bool) -> None:
    """Make a token and print it, this once; send it as `Authorization: Bearer TOKEN`."""
    with book_of(installation) as book:
        made = book.tokens.add(name, Role(role), seconds)
    if as_json:
        print_json({"name": name, "role": role, "token": made})
    else:
        click.echo(made)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """List the tokens: role, how long they last, when each was last used."""
    with book_of(installation) as book:
        rows = [timed(row) for row in book.tokens.list()]
    print_rows(rows, COLUMNS, as_json=as_json, empty="There is no token.")


@token.command()
@click.argument("name")
@pass_installation
def revoke(installation: Installation, name: str) -> None:
    """Let a token open nothing any more, within seconds."""
    with book_of(installation) as book:
        book.tokens.revoke(name)
    click.echo("Token revoked.")
